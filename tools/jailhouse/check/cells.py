# SPDX-License-Identifier: GPL-2.0-only
"""Properties of a cell as a whole, and of its file."""

from __future__ import annotations

from jailhouse.cellfile import Architecture, CellFlag, MemFlag
from jailhouse.cellfile.constants import MAX_CELL_SIZE, NAME_MAXLEN
from jailhouse.check.base import Check, ConfigSet, Result, error, unknown_bits, virt, warning


def _names(configs: ConfigSet) -> Result:
    seen: dict[str, str] = {}
    for cell in configs.cells:
        raw = cell.name.encode("utf-8", "surrogateescape")
        if len(raw) > NAME_MAXLEN:
            yield warning(f"name has no NUL, it is cut after {NAME_MAXLEN} bytes", cell)
        if b"\0" in raw:
            yield warning("there are bytes behind the name's NUL", cell)
        if not cell.label:
            yield warning(f"{cell.file}: the cell has no name")
        elif not cell.label.isprintable():
            yield warning(f"name {cell.label!r} is not printable", cell)
        if cell.label in seen:
            yield error(f"{cell.file}: {seen[cell.label]} has the same name", cell)
        seen.setdefault(cell.label, cell.file)


def _flags(configs: ConfigSet) -> Result:
    for cell in configs.cells:
        unknown = unknown_bits(cell.flags, CellFlag)
        if unknown:
            yield warning(f"unknown cell flags {unknown:#x}", cell)
        if cell.flags & CellFlag.AARCH32 and configs.system.architecture != Architecture.ARM64:
            yield warning("flag AARCH32 has no effect on this architecture", cell)
        if cell.id:
            yield warning(f"id is {cell.id}, the driver replaces it", cell)


def _timeouts(configs: ConfigSet) -> Result:
    for cell in configs.others:
        if cell.msg_reply_timeout == 0 and not cell.flags & CellFlag.PASSIVE_COMMREG:
            yield warning(
                "msg_reply_timeout is 0 and the cell is not passive: a running cell that "
                "does not answer blocks the root cell for ever",
                cell,
            )


def _reset_addresses(configs: ConfigSet) -> Result:
    for cell in configs.others:
        address = cell.cpu_reset_address
        regions = [
            region
            for region in cell.mem_regions
            if virt(region).contains(address) and not region.is_comm_region
        ]
        if not regions:
            yield warning(f"cpu_reset_address {address:#x} is in no memory region", cell)
        elif configs.is_x86 and not any(region.has(MemFlag.EXECUTE) for region in regions):
            yield warning(f"cpu_reset_address {address:#x} is in no EXECUTE region", cell)
        elif not configs.is_x86 and not cell.flags & CellFlag.AARCH32 and address % 4:
            yield warning(f"cpu_reset_address {address:#x} is not 4-byte aligned", cell)


def _files(configs: ConfigSet) -> Result:
    for cell in configs.others:
        size = len(cell.to_bytes()) - len(cell.trailing)
        if size > MAX_CELL_SIZE:
            yield error(f"{cell.file}: {size} bytes, at most {MAX_CELL_SIZE} are allowed", cell)
    for cell in configs.cells:
        if cell.trailing:
            yield warning(
                f"{cell.file}: {len(cell.trailing)} bytes behind the end; is a count too small?",
                cell,
            )


CHECKS = (
    Check("Doubtful names", _names),
    Check("Doubtful cell flags", _flags),
    Check("Endless waiting for replies", _timeouts),
    Check("Doubtful reset addresses", _reset_addresses),
    Check("Doubtful file sizes", _files),
)
