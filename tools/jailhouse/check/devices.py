# SPDX-License-Identifier: GPL-2.0-only
"""Ports, PCI devices and their capabilities, ivshmem devices, caches."""

from __future__ import annotations

from itertools import combinations

from jailhouse.cellfile import CellConfig, PciDevice, PciType
from jailhouse.cellfile.constants import (
    PCI_CAP_ID_MSI,
    PCI_CAP_ID_MSIX,
    PCI_EXT_CAP,
    PCICAPS_WRITE,
    CacheType,
)
from jailhouse.check.base import Check, ConfigSet, Range, Result, error, warning

_PCI_CONFIG_PORTS = Range(0xCF8, 0xD00)
_PCI_HEADER = 0x40
_PCI_CONFIG_SPACE = 0x1000
_MAX_IVSHMEM_PEERS = 12
_MAX_IVSHMEM_VECTORS = 16
_MSIX_ENTRY = 16


def _ports(configs: ConfigSet) -> Result:
    for cell in configs.cells:
        for index, ports in enumerate(cell.pio_regions):
            extent = Range(ports.base, ports.base + ports.length)
            name = f"pio region {index} ({extent})"
            if extent.end > 0x10000:
                yield error(f"{name}: base {ports.base:#x} + {ports.length:#x} overflows", cell)
            if ports.length == 0:
                yield warning(f"{name}: length is 0", cell)
            if extent.overlaps(_PCI_CONFIG_PORTS):
                yield warning(f"{name}: {_PCI_CONFIG_PORTS} stay intercepted", cell)
        if cell.pio_regions and not configs.is_x86:
            yield warning("pio regions are ignored on ARM", cell)


def _shared_ports(configs: ConfigSet) -> Result:
    for one, two in combinations(configs.others, 2):
        for i, a in enumerate(one.pio_regions):
            for j, b in enumerate(two.pio_regions):
                first, second = Range(a.base, a.base + a.length), Range(b.base, b.base + b.length)
                if first.overlaps(second):
                    yield warning(
                        f"pio region {i} ({first}) overlaps pio region {j} ({second}) of "
                        f'cell "{two.label}"',
                        one,
                    )


def _pci_devices(configs: ConfigSet) -> Result:
    units = configs.system.iommus
    for cell in configs.cells:
        for index, device in enumerate(cell.pci_devices):
            name = f"PCI device {index} ({device.location})"
            if device.type not in tuple(PciType):
                yield error(f"{name}: unknown type {device.type}", cell)
                continue
            end_bus = configs.system.pci_mmconfig_end_bus
            if configs.system.pci_mmconfig_base and device.bdf >> 8 > end_bus:
                yield warning(f"{name}: bus is beyond pci_mmconfig_end_bus {end_bus:#x}", cell)
            if units and device.iommu >= len(units):
                yield error(f"{name}: iommu {device.iommu}, there are {len(units)}", cell)
            if device.caps_start + device.num_caps > len(cell.pci_caps):
                yield error(
                    f"{name}: capabilities {device.caps_start} to "
                    f"{device.caps_start + device.num_caps - 1}, there are {len(cell.pci_caps)}",
                    cell,
                )
            if device.type == PciType.IVSHMEM:
                yield from _ivshmem(configs, cell, name, device)
            else:
                yield from _vectors(cell, name, device)


def _vectors(cell: CellConfig, name: str, device: PciDevice) -> Result:
    if device.num_msi_vectors > 32:
        yield error(f"{name}: {device.num_msi_vectors} MSI vectors, at most 32 exist", cell)
    if device.msi_properties & ~3:
        yield warning(f"{name}: unknown MSI properties {device.msi_properties:#x}", cell)
    capabilities = cell.pci_caps[device.caps_start : device.caps_start + device.num_caps]
    ids = {capability.id for capability in capabilities}
    if PCI_CAP_ID_MSI in ids and not device.num_msi_vectors:
        yield warning(f"{name}: MSI capability without num_msi_vectors", cell)
    if PCI_CAP_ID_MSIX in ids and not device.num_msix_vectors:
        yield warning(f"{name}: MSI-X capability without num_msix_vectors", cell)
    if device.num_msix_vectors:
        yield from _msix(cell, name, device)


def _msix(cell: CellConfig, name: str, device: PciDevice) -> Result:
    vectors, address, size = device.num_msix_vectors, device.msix_address, device.msix_region_size
    if vectors > 2048:
        yield error(f"{name}: {vectors} MSI-X vectors, at most 2048 exist", cell)
    if address == 0:
        yield warning(f"{name}: {vectors} MSI-X vectors, but msix_address is 0", cell)
        return
    if address % 8:
        yield error(f"{name}: msix_address {address:#x} is not 8-byte aligned", cell)
    elif address + size > 1 << 64:
        yield error(f"{name}: msix_address {address:#x} + {size:#x} overflows", cell)
    if size < vectors * _MSIX_ENTRY:
        yield error(
            f"{name}: msix_region_size {size:#x} is less than {vectors} entries of 16 bytes", cell
        )


def _ivshmem(configs: ConfigSet, cell: CellConfig, name: str, device: PciDevice) -> Result:
    peers, start = device.shmem_peers, device.shmem_regions_start
    regions = len(cell.mem_regions)
    if not 1 <= peers <= _MAX_IVSHMEM_PEERS:
        yield error(f"{name}: shmem_peers {peers}, must be 1 to {_MAX_IVSHMEM_PEERS}", cell)
    elif device.shmem_dev_id >= peers:
        yield error(f"{name}: shmem_dev_id {device.shmem_dev_id} of {peers} peers", cell)
    if start + 2 + peers > regions:
        yield error(
            f"{name}: shared memory takes memory regions {start} to {start + 1 + peers}, "
            f"there are {regions}",
            cell,
        )
    else:
        used = [region for region in cell.mem_regions[start : start + 2 + peers] if region.size]
        for index, two in enumerate(used[1:]):
            one = used[index]
            if one.virt_end != two.virt_start:
                yield warning(
                    f"{name}: its memory regions are not contiguous at {one.virt_end:#x}", cell
                )
    if device.num_msix_vectors > _MAX_IVSHMEM_VECTORS:
        yield error(
            f"{name}: {device.num_msix_vectors} vectors, at most {_MAX_IVSHMEM_VECTORS}", cell
        )
    if configs.is_x86 and device.num_msix_vectors == 0:
        yield warning(f"{name}: x86 needs the MSI-X variant to get interrupts", cell)


def _pci_owners(configs: ConfigSet) -> Result:
    """One owner per function; only ivshmem devices of one link have the same place."""
    for cell in configs.cells:
        for (i, a), (j, b) in combinations(enumerate(cell.pci_devices), 2):
            if a.bdf == b.bdf:
                yield error(f"PCI devices {i} and {j} are both {a.location}", cell)
    for one, two in combinations(configs.others, 2):
        for a in one.pci_devices:
            for b in two.pci_devices:
                virtual = a.type == b.type == PciType.IVSHMEM
                if a.bdf == b.bdf and not virtual:
                    yield error(f'PCI {a.location} also belongs to cell "{two.label}"', one)
    links: dict[tuple[int, int], CellConfig] = {}
    for cell in configs.cells:
        for device in cell.pci_devices:
            if device.type == PciType.IVSHMEM:
                peer = links.setdefault((device.bdf, device.shmem_dev_id), cell)
                if peer is not cell:
                    yield error(
                        f"ivshmem {device.location}: shmem_dev_id {device.shmem_dev_id} "
                        f'is taken by cell "{peer.label}"',
                        cell,
                    )


def _capabilities(configs: ConfigSet) -> Result:
    for cell in configs.cells:
        for index, cap in enumerate(cell.pci_caps):
            name = f"PCI capability {index} (id {cap.id:#x}): {cap.start:#x} + {cap.len:#x}"
            expected = Range(0x100, 0x1000) if cap.id & PCI_EXT_CAP else Range(0x40, 0x100)
            if cap.start + cap.len > _PCI_CONFIG_SPACE:
                yield error(f"{name} is beyond the configuration space", cell)
            elif cap.start < _PCI_HEADER and cap.flags & PCICAPS_WRITE:
                yield error(f"{name} makes the header writable", cell)
            elif not expected.start <= cap.start <= cap.start + cap.len <= expected.end and cap.id:
                yield warning(f"{name} is not inside {expected}", cell)
            if cap.flags & ~1:
                yield warning(f"PCI capability {index}: unknown flags {cap.flags:#x}", cell)


def _caches(configs: ConfigSet) -> Result:
    for cell in configs.cells:
        if len(cell.cache_regions) > 1:
            yield error(f"{len(cell.cache_regions)} cache regions, at most 1 is allowed", cell)
        for index, cache in enumerate(cell.cache_regions):
            name = f"cache region {index}"
            if cache.type != CacheType.L3:
                yield error(f"{name}: type {cache.type}, only 3 (unified L3) is supported", cell)
            if cache.size == 0 or cache.start + cache.size > 32:
                yield error(
                    f"{name}: bits {cache.start} to {cache.start + cache.size - 1} are no part "
                    "of a 32-bit mask",
                    cell,
                )
            if cache.flags & ~1:
                yield warning(f"{name}: unknown flags {cache.flags:#x}", cell)


CHECKS = (
    Check("Invalid port ranges", _ports),
    Check("Ports of more than one non-root cell", _shared_ports),
    Check("Invalid PCI devices", _pci_devices),
    Check("PCI devices with more than one owner", _pci_owners),
    Check("Invalid PCI capabilities", _capabilities),
    Check("Invalid cache regions", _caches),
)
