# SPDX-License-Identifier: GPL-2.0-only
"""Cells of the reference machine on a machine that differs from it.

Configurations of cells are written for `QEMU_X86`: four CPUs, most cells with one,
the last or the last but one; and a second inmate console at 0x3e8. Where there are
fewer CPUs, a cell with one gets the machine's last, and where that console is
elsewhere, its ports are; so the same scenario runs there, and nothing else of it is
changed. Cells with several CPUs keep them: a smaller machine can not carry them, and
says so when they are created.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from harness import cache
from harness.machine import QEMU_X86, MachineSpec
from jailhouse.cellfile import CellConfig, kind_of


def fitted(configs: Iterable[Path], spec: MachineSpec) -> tuple[Path, ...]:
    """The configurations for a machine; changed ones are in the cache."""
    if spec.architecture != QEMU_X86.architecture:
        return tuple(configs)
    return tuple(_fitted(path, spec) for path in configs)


def _fitted(path: Path, spec: MachineSpec) -> Path:
    data = path.read_bytes()
    if kind_of(data) != "cell":
        return path
    config = CellConfig.from_bytes(data)
    if len(config.cpus) == 1 and max(config.cpus) >= spec.cpus:
        config.set_cpus([spec.cpus - 1])
    there, here = QEMU_X86.own_console, spec.own_console
    for ports in config.pio_regions:
        if there is not None and here is not None and ports.base == there.base:
            ports.base = here.base
    changed = config.to_bytes()
    if changed == data:
        return path
    key = hashlib.sha256(changed).hexdigest()[:16]
    made = cache.cache_root() / "fitted" / key / path.name
    if not made.exists():
        cache.write_atomically(made, changed)
    return made
