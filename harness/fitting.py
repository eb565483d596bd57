# SPDX-License-Identifier: GPL-2.0-only
"""Cells of the reference machine on a machine with fewer CPUs.

Configurations of cells are written for four CPUs: most have one, the last or the
last but one. Where there are fewer, such a cell gets the machine's last CPU, so
that the same scenario runs there; nothing else of it is changed. Cells with
several CPUs stay as they are: that machine can not carry them, and says so when
they are created.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from harness import cache
from jailhouse.cellfile import CellConfig, kind_of


def fitted(configs: Iterable[Path], cpus: int) -> tuple[Path, ...]:
    """The configurations for a machine with that many CPUs; changed ones are in the cache."""
    return tuple(_fitted(path, cpus) for path in configs)


def _fitted(path: Path, cpus: int) -> Path:
    data = path.read_bytes()
    if kind_of(data) != "cell":
        return path
    config = CellConfig.from_bytes(data)
    if len(config.cpus) != 1 or max(config.cpus) < cpus:
        return path
    config.set_cpus([cpus - 1])
    changed = config.to_bytes()
    key = hashlib.sha256(changed).hexdigest()[:16]
    made = cache.cache_root() / "fitted" / key / path.name
    if not made.exists():
        cache.write_atomically(made, changed)
    return made
