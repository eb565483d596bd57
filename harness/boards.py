# SPDX-License-Identifier: GPL-2.0-only
"""Cells of QEMU's `virt` on a board.

Demos have configurations of their own on each board: `<machine>-gic-demo` is
gic-demo there. The cells of tests are written for the reference machine only. Here
they are moved: the console and the GIC are where the board's root configuration has
them, RAM is as far behind the start of the board's reservation as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from harness import cache
from harness.machine import QEMU_ARM64_GICV3, MachineSpec, Reservation
from jailhouse.cellfile import ArmPlatform, CellConfig, Memory, SystemConfig, kind_of


def on_board(configs: Iterable[Path], spec: MachineSpec) -> tuple[Path, ...]:
    """The configurations for a machine; moved and renamed ones are in the cache."""
    found = {path.stem: path for path in configs}
    if spec.device_tree is None or not {spec.name, QEMU_ARM64_GICV3.name} <= set(found):
        return tuple(found.values())
    reference = SystemConfig.from_file(found[QEMU_ARM64_GICV3.name])
    root = SystemConfig.from_file(found[spec.name])
    return tuple(
        _written(stem, found[f"{spec.name}-{stem}"].read_bytes())
        if f"{spec.name}-{stem}" in found
        else _moved(path, spec, reference, root)
        for stem, path in found.items()
    )


def _moved(path: Path, spec: MachineSpec, reference: SystemConfig, root: SystemConfig) -> Path:
    data = path.read_bytes()
    if kind_of(data) != "cell":
        return path
    cell = CellConfig.from_bytes(data)
    theirs = reference.debug_console.address
    if cell.console.address == theirs:
        cell.console = replace(root.debug_console, divider=0)
    for region in cell.mem_regions:
        _move(region, theirs, root.debug_console.address, spec.reservation)
    for chip in cell.irqchips:
        if chip.address == _gicd(reference):
            chip.address = _gicd(root)
    changed = cell.to_bytes()
    return path if changed == data else _written(path.stem, changed)


def _move(region: Memory, theirs: int, ours: int, reserved: Reservation | None) -> None:
    usual = QEMU_ARM64_GICV3.reservation
    assert usual is not None
    assert reserved is not None
    if region.phys_start == theirs:
        region.phys_start = region.virt_start = ours
    elif usual.start <= region.phys_start < usual.start + usual.size:
        region.phys_start += reserved.start - usual.start


def _gicd(config: SystemConfig) -> int:
    assert isinstance(config.platform, ArmPlatform)
    return config.platform.gicd_base


def _written(stem: str, data: bytes) -> Path:
    key = hashlib.sha256(data).hexdigest()[:16]
    made = cache.cache_root() / "fitted" / key / f"{stem}.cell"
    if not made.exists():
        cache.write_atomically(made, data)
    return made
