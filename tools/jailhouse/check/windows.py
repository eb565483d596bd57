# SPDX-License-Identifier: GPL-2.0-only
"""Address windows that the hypervisor must intercept: no region may cover them."""

from __future__ import annotations

from collections.abc import Iterable

from jailhouse.cellfile import ArmPlatform, IommuType, PciType
from jailhouse.cellfile.constants import PAGE_SIZE
from jailhouse.check.base import Check, ConfigSet, Range, Result, error, phys, virt

_XAPIC = Range(0xFEE00000, 0xFEE01000)
_IOAPIC_SIZE = 0x1000

Window = tuple[str, Range]


def _covered(configs: ConfigSet, windows: Iterable[Window]) -> Result:
    """Regions through which a cell reaches a window, as guest or physical address."""
    for name, window in windows:
        for cell in configs.cells:
            for index, region in enumerate(cell.mem_regions):
                for kind, extent in (("", virt(region)), ("physical ", phys(region))):
                    if extent.overlaps(window):
                        yield error(
                            f"memory region {index} ({kind}{extent}) covers {name} ({window}), "
                            "which must be intercepted",
                            cell,
                        )
                        break


def mmconfig_window(configs: ConfigSet) -> Range:
    base = configs.system.pci_mmconfig_base
    return Range(base, base + configs.system.mmconfig_size)


def iommu_windows(configs: ConfigSet) -> list[Window]:
    windows = []
    for index, unit in enumerate(configs.system.iommus):
        windows.append((f"IOMMU unit {index}", Range(unit.base, unit.base + unit.size)))
        if unit.type == IommuType.PVU and unit.pvu_tlb_base:
            tlb = Range(unit.pvu_tlb_base, unit.pvu_tlb_base + unit.pvu_tlb_size)
            windows.append((f"TLB of IOMMU unit {index}", tlb))
    return windows


def architecture_windows(configs: ConfigSet) -> list[Window]:
    platform = configs.system.platform
    if not isinstance(platform, ArmPlatform):
        ioapics = {chip.address for chip in configs.root.irqchips}
        return [("the local APIC", _XAPIC)] + [
            ("an IOAPIC", Range(base, base + _IOAPIC_SIZE)) for base in sorted(ioapics)
        ]
    if platform.gic_version == 2:
        parts = [
            ("GICD", platform.gicd_base, 0x1000),
            ("GICC", platform.gicc_base, 0x2000),
            ("GICH", platform.gich_base, 0x2000),
            ("GICV", platform.gicv_base, 0x2000),
        ]
    else:
        parts = [("GICD", platform.gicd_base, 0x10000), ("GICR", platform.gicr_base, 0x20000)]
    return [(name, Range(base, base + size)) for name, base, size in parts if base]


def _mmconfig(configs: ConfigSet) -> Result:
    return _covered(configs, [("MMCONFIG", mmconfig_window(configs))])


def _iommus(configs: ConfigSet) -> Result:
    return _covered(configs, iommu_windows(configs))


def _architecture(configs: ConfigSet) -> Result:
    return _covered(configs, architecture_windows(configs))


def _msix_tables(configs: ConfigSet) -> Result:
    """Tables of all devices of all cells; a region of any cell must leave them out."""
    windows = []
    for cell in configs.cells:
        for device in cell.pci_devices:
            if device.type != PciType.IVSHMEM and device.msix_address:
                start = device.msix_address - device.msix_address % PAGE_SIZE
                end = device.msix_address + max(device.msix_region_size, 1)
                name = f"the MSI-X table of {device.location}"
                window = (name, Range(start, -(-end // PAGE_SIZE) * PAGE_SIZE))
                if window not in windows:
                    windows.append(window)
    return _covered(configs, windows)


def _hypervisor_placement(configs: ConfigSet) -> Result:
    hypervisor = phys(configs.system.hypervisor_memory)
    windows = [("MMCONFIG", mmconfig_window(configs))]
    for name, window in windows + iommu_windows(configs) + architecture_windows(configs):
        if window.overlaps(hypervisor):
            yield error(f"hypervisor memory ({hypervisor}) covers {name} ({window})")


def _architecture_title(configs: ConfigSet) -> str:
    label = ("x86", "arm", "arm64")[configs.system.architecture]
    return f"Missing resource interceptions for architecture {label}"


CONTRACT_CHECKS = (
    Check(
        "Missing PCI MMCONFIG interceptions",
        _mmconfig,
        contract=True,
        applies=lambda configs: configs.system.pci_mmconfig_base != 0,
    ),
    Check(
        "Missing IOMMU interceptions",
        _iommus,
        contract=True,
        applies=lambda configs: bool(configs.system.iommus),
    ),
    Check(_architecture_title, _architecture, contract=True),
)

CHECKS = (
    Check("Missing MSI-X table interceptions", _msix_tables),
    Check("Hypervisor memory over intercepted windows", _hypervisor_placement),
)
