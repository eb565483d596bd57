# SPDX-License-Identifier: GPL-2.0-only
"""Cells of the reference machine on a machine that differs from it.

Configurations of cells are written for `QEMU_X86`: four CPUs, most cells with one,
the last or the last but one; a second inmate console at 0x3e8; power management at
0x600. Where there are fewer CPUs, a cell with one gets the machine's last, and where
those ports are elsewhere, the cell's are; so the same scenario runs there, and nothing
else of it is changed. Cells with several CPUs keep them: a smaller machine can not
carry them, and says so when they are created. The machine's own root cell gets the CPUs
that there are. Cells of QEMU's arm64 machines on a board: see `boards`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from harness import cache
from harness.boards import on_board
from harness.machine import QEMU_X86, MachineSpec
from jailhouse.cellfile import CellConfig, SystemConfig, kind_of


def fitted(configs: Iterable[Path], spec: MachineSpec) -> tuple[Path, ...]:
    """The configurations for a machine; changed ones are in the cache."""
    if spec.architecture != QEMU_X86.architecture:
        return on_board(configs, spec)
    return tuple(_fitted(path, spec) for path in configs)


def _moved_ports(spec: MachineSpec) -> dict[int, int]:
    """Bases of port ranges of the reference machine, and where they are on this one."""
    pairs = zip(_ports(QEMU_X86), _ports(spec), strict=True)
    return {there: here for there, here in pairs if there is not None and here is not None}


def _ports(spec: MachineSpec) -> tuple[int | None, ...]:
    console = spec.own_console
    return console.base if console else None, spec.pm_base


def _fitted(path: Path, spec: MachineSpec) -> Path:
    data = path.read_bytes()
    if kind_of(data) != "cell":
        return _kept(path, data, _system(path, data, spec))
    config = CellConfig.from_bytes(data)
    if len(config.cpus) == 1 and max(config.cpus) >= spec.cpus:
        config.set_cpus([spec.cpus - 1])
    moved = _moved_ports(spec)
    for ports in config.pio_regions:
        ports.base = moved.get(ports.base, ports.base)
    return _kept(path, data, config.to_bytes())


def _system(path: Path, data: bytes, spec: MachineSpec) -> bytes:
    config = SystemConfig.from_bytes(data)
    if path.stem != spec.name or len(config.root_cell.cpus) == spec.cpus:
        return data
    config.root_cell.set_cpus(range(spec.cpus))
    return config.to_bytes()


def _kept(path: Path, data: bytes, changed: bytes) -> Path:
    """The file, or the changed one in the cache."""
    if changed == data:
        return path
    key = hashlib.sha256(changed).hexdigest()[:16]
    made = cache.cache_root() / "fitted" / key / path.name
    if not made.exists():
        cache.write_atomically(made, changed)
    return made
