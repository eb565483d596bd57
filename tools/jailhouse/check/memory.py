# SPDX-License-Identifier: GPL-2.0-only
"""Memory regions: of a cell, against the hypervisor, and against other cells."""

from __future__ import annotations

from itertools import combinations

from jailhouse.cellfile import Architecture, CellConfig, MemFlag, Memory
from jailhouse.cellfile.constants import PAGE_SIZE
from jailhouse.check.base import (
    Check,
    ConfigSet,
    Result,
    error,
    phys,
    unknown_bits,
    virt,
    warning,
)

_WIDTHS = MemFlag.IO_8 | MemFlag.IO_16 | MemFlag.IO_32 | MemFlag.IO_64
_RAM_FLAGS = MemFlag.EXECUTE | MemFlag.LOADABLE | MemFlag.DMA
# Widest physical address that any supported machine has.
_PHYSICAL_BITS = {Architecture.X86: 52, Architecture.ARM: 40, Architecture.ARM64: 48}


def _inside_cell(configs: ConfigSet) -> Result:
    for cell in configs.cells:
        for (i, a), (j, b) in combinations(enumerate(cell.mem_regions), 2):
            if virt(a).overlaps(virt(b)):
                yield error(f"memory regions {i} ({virt(a)}) and {j} ({virt(b)}) overlap", cell)
            elif phys(a).overlaps(phys(b)):
                yield warning(
                    f"memory regions {i} ({phys(a)}) and {j} ({phys(b)}) show the same "
                    f"physical memory",
                    cell,
                )


def _with_hypervisor(configs: ConfigSet) -> Result:
    hypervisor = phys(configs.system.hypervisor_memory)
    for cell in configs.cells:
        for index, region in enumerate(cell.mem_regions):
            if phys(region).overlaps(hypervisor):
                yield error(
                    f"memory region {index} ({phys(region)}) overlaps the hypervisor's "
                    f"memory ({hypervisor})",
                    cell,
                )


def _between_cells(configs: ConfigSet) -> Result:
    for one, two in combinations(configs.others, 2):
        for i, a in enumerate(one.mem_regions):
            for j, b in enumerate(two.mem_regions):
                shared = a.has(MemFlag.ROOTSHARED) and b.has(MemFlag.ROOTSHARED)
                if phys(a).overlaps(phys(b)) and not shared:
                    yield error(
                        f"memory region {i} ({phys(a)}) overlaps memory region {j} "
                        f'({phys(b)}) of cell "{two.label}", and not both are ROOTSHARED',
                        one,
                    )


def _extent(configs: ConfigSet) -> Result:
    """Addresses that wrap or that no machine of the architecture has."""
    bits = _PHYSICAL_BITS[Architecture(configs.system.architecture)]
    for cell in configs.cells:
        for index, region in enumerate(cell.mem_regions):
            for what, extent in (("virt_start", virt(region)), ("phys_start", phys(region))):
                if extent.end > 1 << 64:
                    yield error(
                        f"memory region {index}: {what} {extent.start:#x} + size "
                        f"{region.size:#x} overflows 64 bits",
                        cell,
                    )
                elif region.size and extent.end > 1 << bits:
                    yield error(
                        f"memory region {index}: {what} {extent.start:#x} + size "
                        f"{region.size:#x} is beyond {bits} address bits",
                        cell,
                    )


def _alignment(configs: ConfigSet) -> Result:
    for cell in configs.cells:
        for index, region in enumerate(cell.mem_regions):
            if region.size == 0 or region.is_comm_region:
                continue
            name = f"memory region {index} ({virt(region)})"
            if region.is_subpage:
                yield from _subpage(cell, name, region)
            elif region.phys_start % PAGE_SIZE:
                yield error(f"{name}: phys_start {region.phys_start:#x} is not page-aligned", cell)


def _subpage(cell: CellConfig, name: str, region: Memory) -> Result:
    if region.flags & _RAM_FLAGS:
        yield error(
            f"{name}: RAM/EXECUTE region is sub-page: start or size is no multiple of "
            f"{PAGE_SIZE:#x}, so every access traps",
            cell,
        )
    elif not region.flags & _WIDTHS:
        yield warning(
            f"{name}: sub-page region permits no access width (IO_8 to IO_64), "
            "so every access is fatal",
            cell,
        )
    if region.phys_start % PAGE_SIZE and region.phys_start % PAGE_SIZE + region.size > PAGE_SIZE:
        yield error(
            f"{name}: sub-page region with phys_start {region.phys_start:#x} crosses a page",
            cell,
        )


def _flags(configs: ConfigSet) -> Result:
    for cell in configs.cells:
        for index, region in enumerate(cell.mem_regions):
            name = f"memory region {index} ({virt(region)})"
            unknown = unknown_bits(region.flags, MemFlag)
            if unknown:
                yield warning(f"{name}: unknown flags {unknown:#x}", cell)
            if region.size == 0:
                continue
            if not region.flags & (MemFlag.READ | MemFlag.WRITE | MemFlag.EXECUTE):
                yield warning(f"{name}: neither READ nor WRITE nor EXECUTE is permitted", cell)
            elif not region.has(MemFlag.READ):
                yield warning(f"{name}: not readable, which not every machine can express", cell)
            if region.has(MemFlag.LOADABLE) and not region.has(MemFlag.WRITE):
                yield warning(f"{name}: LOADABLE without WRITE, so images can't be loaded", cell)


def _comm_regions(configs: ConfigSet) -> Result:
    for cell in configs.cells:
        found = [(i, r) for i, r in enumerate(cell.mem_regions) if r.is_comm_region]
        for index, region in found:
            name = f"memory region {index} (communication region)"
            if region.size != PAGE_SIZE:
                yield error(f"{name}: size is {region.size:#x}, must be {PAGE_SIZE:#x}", cell)
            if region.virt_start % PAGE_SIZE:
                yield error(f"{name}: {region.virt_start:#x} is not page-aligned", cell)
            if region.phys_start:
                yield warning(f"{name}: phys_start {region.phys_start:#x} is ignored", cell)
        used = [str(index) for index, region in found if region.size]
        if len(used) > 1:
            yield error(
                f"memory regions {', '.join(used)}: more than one communication region", cell
            )


def _root_identity(configs: ConfigSet) -> Result:
    for index, region in enumerate(configs.root.mem_regions):
        if region.size and not region.is_comm_region and region.virt_start != region.phys_start:
            yield error(
                f"memory region {index}: virt_start {region.virt_start:#x} differs from "
                f"phys_start {region.phys_start:#x}; what cells get is taken away by physical "
                "address, so the root cell would keep it",
                configs.root,
            )


CONTRACT_CHECKS = (
    Check("Overlapping memory regions inside cell", _inside_cell, contract=True),
    Check("Overlapping memory regions with hypervisor", _with_hypervisor, contract=True),
)

CHECKS = (
    Check("Overlapping memory regions between non-root cells", _between_cells),
    Check("Memory regions beyond the address space", _extent),
    Check("Misaligned memory regions", _alignment),
    Check("Doubtful memory region flags", _flags),
    Check("Invalid communication regions", _comm_regions),
    Check("Root cell memory that is not identity-mapped", _root_identity),
)
