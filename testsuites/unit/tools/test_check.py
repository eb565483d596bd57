# SPDX-License-Identifier: GPL-2.0-only
"""Every finding of `config check`: seen when it is there, silent when it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from jailhouse.cellfile import (
    Architecture,
    ArmPlatform,
    Cache,
    CellConfig,
    CellFlag,
    Console,
    ConsoleType,
    Iommu,
    Irqchip,
    MemFlag,
    Memory,
    PciCapability,
    PciDevice,
    PciType,
    PioRange,
    StreamId,
    SystemConfig,
    X86Platform,
)
from jailhouse.check import CHECKS, check

from .conftest import IOAPIC, RWX, make_cell, make_system

RW = MemFlag.READ | MemFlag.WRITE
SHARED = RW | MemFlag.ROOTSHARED
FREE = 0x2000000000


@dataclass
class Set:
    """A system with two cells that may be spoilt."""

    system: SystemConfig = field(default_factory=make_system)
    a: CellConfig = field(default_factory=lambda: make_cell("a", 1, 0x3EF00000))
    b: CellConfig = field(default_factory=lambda: make_cell("b", 2, 0x3EE00000))

    def __post_init__(self) -> None:
        self.b.pio_regions[0].base = self.b.console.address = 0x2F8

    @property
    def root(self) -> CellConfig:
        return self.system.root_cell

    @property
    def x86(self) -> X86Platform:
        assert isinstance(self.system.platform, X86Platform)
        return self.system.platform

    def findings(self) -> list[str]:
        return [f"{f.title}: {f}" for f in check(self.system, [self.a, self.b])]


def arm() -> Set:
    """The same on ARM64 with a GICv3."""
    configs = Set()
    configs.system.architecture = Architecture.ARM64
    configs.system.platform = ArmPlatform(25, 3, 0, 0x41000000, 0, 0, 0, 0x410A0000)
    uart = Console(0x42000000, 0x1000, ConsoleType.PL011, 1)
    configs.system.debug_console = uart
    for cell in (configs.root, configs.a, configs.b):
        cell.architecture = Architecture.ARM64
        cell.pio_regions = []
        cell.irqchips = []
        cell.console = Console()
    configs.root.pci_devices = []
    return configs


def ivshmem(index: int = 0, **changes: int) -> PciDevice:
    device = PciDevice(
        type=PciType.IVSHMEM, bdf=0x0FF8, num_msix_vectors=2, shmem_peers=2, shmem_dev_id=index
    )
    for name, value in changes.items():
        setattr(device, name, value)
    return device


def link(cell: CellConfig, index: int) -> PciDevice:
    """Give the cell an ivshmem device with its four regions."""
    device = ivshmem(index, shmem_regions_start=len(cell.mem_regions))
    base = 0x3F000000
    cell.mem_regions += [
        Memory(base, base, 0x1000, MemFlag.READ | MemFlag.ROOTSHARED),
        Memory(),
        Memory(base + 0x1000, base + 0x1000, 0x1000, SHARED),
        Memory(base + 0x2000, base + 0x2000, 0x1000, SHARED),
    ]
    cell.pci_devices.append(device)
    return device


def add(array: str, item: object, cell: str = "a") -> Callable[[Set], None]:
    return lambda s: getattr(getattr(s, cell), array).append(item)


def put(path: str, value: object) -> Callable[[Set], None]:
    """Assign to a dotted path such as "a.cache_regions" or "a.mem_regions.0.size"."""

    def change(configs: Set) -> None:
        target: object = configs
        *parents, last = path.split(".")
        for name in parents:
            target = target[int(name)] if isinstance(target, list) else getattr(target, name)
        setattr(target, last, value)

    return change


def both(*changes: Callable[[Set], object]) -> Callable[[Set], None]:
    def change(configs: Set) -> None:
        for one in changes:
            one(configs)

    return change


def region(phys: int, virt: int, size: int, flags: int = RW) -> Memory:
    return Memory(phys, virt, size, flags)


VTD = put("system.iommu_units", [Iommu(2, 0xFED90000, 0x1000), *(Iommu() for _ in "1234567")])


def remapping(limit: int) -> Callable[[Set], None]:
    """With an Intel unit."""
    return both(VTD, put("x86.vtd_interrupt_limit", limit))


# (change, title, severity, words of the message)
CASES: list[tuple[Callable[[Set], object], str, str, list[str]]] = [
    # Inside a cell: full, head, tail, one page, one byte.
    *(
        (
            add("mem_regions", region(0x3ED00000 + virt % 0x1000, virt, size)),
            "Overlapping memory regions inside cell",
            "error",
            ['cell "a"', "memory regions 0 (0x0-0xfffff) and 2"],
        )
        for virt, size in ((0, 0xFF000), (0xFF000, 0x1000), (0x50000, 0x1000), (0xFFFFF, 1))
    ),
    (
        add("mem_regions", region(0x3ED00000, 0x3ED00000, 0x1000), "root"),
        "Overlapping memory regions inside cell",
        "error",
        ['cell "root"', "1 (0x3a600000-0x3fffffff) and 2 (0x3ed00000-0x3ed00fff)"],
    ),
    (
        add("mem_regions", region(0x3EF00000, FREE, 0x1000)),
        "Overlapping memory regions inside cell",
        "warning",
        ['cell "a"', "same physical memory"],
    ),
    # With the hypervisor.
    *(
        (
            add("mem_regions", region(phys, FREE + phys % 0x1000, size)),
            "Overlapping memory regions with hypervisor",
            "error",
            ['cell "a"', "memory region 2", "0x3a000000-0x3a5fffff"],
        )
        for phys, size in (
            (0x3A000000, 0x600000),
            (0x39FFF000, 0x2000),
            (0x3A5FF000, 0x2000),
            (0x3A300000, 0x1000),
            (0x3A5FFFFF, 1),
        )
    ),
    (
        put("root.mem_regions.0.size", 0x3A001000),
        "Overlapping memory regions with hypervisor",
        "error",
        ['cell "root"', "memory region 0"],
    ),
    # Intercepted windows.
    (
        add("mem_regions", region(0xB0100000, 0xB0100000, 0x1000)),
        "Missing PCI MMCONFIG interceptions",
        "error",
        ['cell "a"', "region 2", "MMCONFIG (0xb0000000-0xbfffffff)"],
    ),
    (
        add("mem_regions", region(0xBFFFF000, FREE, 0x1000)),
        "Missing PCI MMCONFIG interceptions",
        "error",
        ["physical 0xbffff000"],
    ),
    (
        both(
            put(
                "system.iommu_units", [Iommu(1, 0xFED80000, 0x80000), *(Iommu() for _ in "1234567")]
            ),
            add("mem_regions", region(0xFEDFF000, 0xFEDFF000, 0x1000), "root"),
        ),
        "Missing IOMMU interceptions",
        "error",
        ['cell "root"', "IOMMU unit 0 (0xfed80000-0xfedfffff)"],
    ),
    (
        add("mem_regions", region(0xFEE00000, 0xFEE00000, 0x1000)),
        "Missing resource interceptions for architecture x86",
        "error",
        ["the local APIC (0xfee00000-0xfee00fff)"],
    ),
    (
        add("mem_regions", region(IOAPIC, IOAPIC, 0x400, RW | MemFlag.IO_32), "root"),
        "Missing resource interceptions for architecture x86",
        "error",
        ['cell "root"', "an IOAPIC"],
    ),
    (
        add("mem_regions", region(0xFEBE0000, 0xFEBE0000, 0x1000), "root"),
        "Missing MSI-X table interceptions",
        "error",
        ["0000:00:1b.0"],
    ),
    (
        put("system.hypervisor_memory", Memory(0xBFE00000, 0, 0x600000, 0)),
        "Hypervisor memory over intercepted windows",
        "error",
        ["MMCONFIG"],
    ),
    # CPUs.
    (
        both(lambda s: s.a.set_cpus([0, 1, 3]), lambda s: s.b.set_cpus([2])),
        "Root cell CPU starvation",
        "error",
        ["no CPU is left"],
    ),
    (
        lambda s: s.a.set_cpus([2, 3]),
        "Overlapping cores between non-root cells",
        "error",
        ['cell "a": CPU 2 also belongs to cell "b"'],
    ),
    (lambda s: s.a.set_cpus([]), "Invalid CPU sets", "error", ['cell "a": the CPU set is empty']),
    (lambda s: s.root.set_cpus([]), "Invalid CPU sets", "error", ['cell "root"', "empty"]),
    (put("a.cpu_set", b"\2\0\0\0"), "Invalid CPU sets", "error", ["4, must be a multiple of 8"]),
    (put("a.cpu_set", b"\2" + bytes(4103)), "Invalid CPU sets", "error", ["at most 4096"]),
    (lambda s: s.a.set_cpus([0]), "CPUs that a cell can't have", "error", ['cell "a": CPU 0']),
    (
        lambda s: s.a.set_cpus([1, 4, 299]),
        "CPUs that a cell can't have",
        "error",
        ["CPU 4, 299 does not belong to the root cell"],
    ),
    # Between cells.
    *(
        (
            add("mem_regions", region(phys, FREE + phys % 0x1000, size)),
            "Overlapping memory regions between non-root cells",
            "error",
            ['cell "a": memory region 2', 'memory region 0 (0x3ee00000-0x3eefffff) of cell "b"'],
        )
        for phys, size in (
            (0x3EE00000, 0x100000),
            (0x3EDFF000, 0x2000),
            (0x3EE10000, 0x1000),
            (0x3EE00000, 1),
        )
    ),
    (
        both(
            add("mem_regions", region(0x3F000000, FREE, 0x1000, SHARED)),
            add("mem_regions", region(0x3F000000, FREE, 0x1000, RW), "b"),
        ),
        "Overlapping memory regions between non-root cells",
        "error",
        ["not both are ROOTSHARED"],
    ),
    # Extent and alignment.
    (
        add("mem_regions", region(0x3ED00000, (1 << 64) - 0x1000, 0x2000)),
        "Memory regions beyond the address space",
        "error",
        ["region 2: virt_start 0xfffffffffffff000", "overflows 64 bits"],
    ),
    (
        add("mem_regions", region((1 << 64) - 0x1000, FREE, 0x2000)),
        "Memory regions beyond the address space",
        "error",
        ["phys_start", "overflows"],
    ),
    (
        add("mem_regions", region(1 << 52, FREE, 0x1000)),
        "Memory regions beyond the address space",
        "error",
        ["beyond 52 address bits"],
    ),
    (
        add("mem_regions", region(0x3ED00800, FREE + 0x800, 0x1000, RWX)),
        "Misaligned memory regions",
        "error",
        ["RAM/EXECUTE region is sub-page"],
    ),
    (
        put("root.mem_regions.1.size", 0x5A00000 - 0x800),
        "Misaligned memory regions",
        "error",
        ['cell "root"', "sub-page"],
    ),
    (
        add("mem_regions", region(0xFEB00000, FREE, 0x100, RW)),
        "Misaligned memory regions",
        "warning",
        ["no access width"],
    ),
    (
        add("mem_regions", region(0xFEB00F00, FREE, 0x200, RW | MemFlag.IO_32)),
        "Misaligned memory regions",
        "error",
        ["crosses a page"],
    ),
    (
        add("mem_regions", region(0x3ED00010, FREE, 0x1000)),
        "Misaligned memory regions",
        "error",
        ["phys_start 0x3ed00010 is not page-aligned"],
    ),
    # Flags.
    (
        add("mem_regions", region(0x3ED00000, FREE, 0x1000, RW | 0x200)),
        "Doubtful memory region flags",
        "warning",
        ["unknown flags 0x200"],
    ),
    (
        add("mem_regions", region(0x3ED00000, FREE, 0x1000, 0)),
        "Doubtful memory region flags",
        "warning",
        ["neither READ nor WRITE"],
    ),
    (
        add("mem_regions", region(0x3ED00000, FREE, 0x1000, MemFlag.WRITE)),
        "Doubtful memory region flags",
        "warning",
        ["not readable"],
    ),
    (
        put("a.mem_regions.0.flags", MemFlag.READ | MemFlag.EXECUTE | MemFlag.LOADABLE),
        "Doubtful memory region flags",
        "warning",
        ["LOADABLE without WRITE"],
    ),
    # Communication regions.
    (put("a.mem_regions.1.size", 0x2000), "Invalid communication regions", "error", ["0x2000"]),
    (
        put("a.mem_regions.1.virt_start", 0x100800),
        "Invalid communication regions",
        "error",
        ["not page-aligned"],
    ),
    (
        put("a.mem_regions.1.phys_start", 0x1000),
        "Invalid communication regions",
        "warning",
        ["ignored"],
    ),
    (
        add("mem_regions", region(0, FREE, 0x1000, RW | MemFlag.COMM_REGION)),
        "Invalid communication regions",
        "error",
        ["regions 1, 2: more than one"],
    ),
    (
        add("mem_regions", region(0x50000000, 0x60000000, 0x1000), "root"),
        "Root cell memory that is not identity-mapped",
        "error",
        ["region 2: virt_start 0x60000000"],
    ),
    # Hypervisor memory.
    (put("system.hypervisor_memory.size", 0), "Invalid hypervisor memory", "error", ["empty"]),
    (
        put("system.hypervisor_memory.phys_start", 0x3A000800),
        "Invalid hypervisor memory",
        "error",
        ["not page-aligned"],
    ),
    (
        put("system.hypervisor_memory.size", 0x5FF800),
        "Invalid hypervisor memory",
        "error",
        ["not page-aligned"],
    ),
    (
        put("system.hypervisor_memory.phys_start", 0x3A001000),
        "Invalid hypervisor memory",
        "warning",
        ["2 MiB"],
    ),
    (
        put("system.hypervisor_memory.phys_start", (1 << 64) - 0x1000),
        "Invalid hypervisor memory",
        "error",
        ["overflows"],
    ),
    (put("system.hypervisor_memory.flags", 3), "Invalid hypervisor memory", "warning", ["ignored"]),
    # PM timer.
    (put("x86.pm_timer_address", 0), "Invalid PM timer", "warning", ["never end"]),
    *(
        (put("x86.pm_timer_address", port), "Invalid PM timer", "error", ["0xcf8-0xcff"])
        for port in (0xCF5, 0xCF8, 0xCFF)
    ),
    *(
        (put("x86.pm_timer_address", port), "Invalid PM timer", "error", ["0x60-0x64"])
        for port in (0x5D, 0x61, 0x64)
    ),
    (put("x86.pm_timer_address", 0x7E), "Invalid PM timer", "error", ["0x80-0x80"]),
    *(
        (put("x86.pm_timer_address", port), "Invalid PM timer", "error", ["0xfffc"])
        for port in (0xFFFD, 0xFFFF)
    ),
    (put("x86.pm_timer_address", 0x3F8), "Invalid PM timer", "error", ["debug console"]),
    # Platform.
    (put("system.flags", 3), "Invalid platform information", "warning", ["system flags 0x2"]),
    (
        put("system.pci_mmconfig_base", 0xB0080000),
        "Invalid platform information",
        "error",
        ["1 MiB"],
    ),
    (
        put("system.pci_mmconfig_base", (1 << 64) - (1 << 20)),
        "Invalid platform information",
        "error",
        ["overflows"],
    ),
    (put("system.pci_is_virtual", 2), "Invalid platform information", "warning", ["0 or 1"]),
    (put("x86.apic_mode", 3), "Invalid platform information", "error", ["apic_mode is 3"]),
    # IOMMUs.
    (
        put("system.iommu_units", [Iommu(3, 0xFED80000, 0x1000), *(Iommu() for _ in "1234567")]),
        "Invalid IOMMU units",
        "error",
        ["architecture"],
    ),
    (
        put(
            "system.iommu_units",
            [
                Iommu(1, 0xFED80000, 0x80000),
                Iommu(2, 0xFEE80000, 0x1000),
                *(Iommu() for _ in "123456"),
            ],
        ),
        "Invalid IOMMU units",
        "error",
        ["vendor"],
    ),
    (
        put("system.iommu_units", [Iommu(1, 0xFED80000, 0x3000), *(Iommu() for _ in "1234567")]),
        "Invalid IOMMU units",
        "error",
        ["power of two"],
    ),
    (
        put("system.iommu_units", [Iommu(1, 0xFED80000, 0), *(Iommu() for _ in "1234567")]),
        "Invalid IOMMU units",
        "error",
        ["no register window"],
    ),
    (
        put("system.iommu_units", [Iommu(), Iommu(1, 0xFED80000, 1), *(Iommu() for _ in "123456")]),
        "Invalid IOMMU units",
        "warning",
        ["unit 1 is ignored"],
    ),
    (VTD, "Invalid IOMMU units", "warning", ["vtd_interrupt_limit is 0"]),
    (remapping(32769), "Invalid IOMMU units", "error", ["at most 32768"]),
    (remapping(16), "Invalid IOMMU units", "error", ["limit is 16, the root cell needs 28"]),
    (
        both(remapping(32), add("pci_devices", PciDevice(1, bdf=8, num_msix_vectors=9), "root")),
        "Invalid IOMMU units",
        "error",
        ["needs 37"],
    ),
    (
        both(remapping(64), put("root.irqchips.0.id", 0x1FF00)),
        "Invalid IOMMU units",
        "error",
        ["names a unit that is not there"],
    ),
    (
        both(remapping(64), add("irqchips", Irqchip(IOAPIC, 0, 0, [1 << 24, 0, 0, 0]))),
        "Invalid IOMMU units",
        "error",
        ['cell "a"', "pin 24 is beyond the root cell's"],
    ),
    # Consoles.
    (put("system.debug_console.type", 11), "Invalid consoles", "error", ["unknown type 11"]),
    (put("system.debug_console.type", 3), "Invalid consoles", "error", ["not available on x86"]),
    (put("system.debug_console.flags", 1), "Invalid consoles", "error", ["size is 0"]),
    (put("system.debug_console.flags", 0x100), "Invalid consoles", "warning", ["flags 0x100"]),
    (put("a.console.address", 0xFFF9), "Invalid consoles", "error", ['cell "a"', "0xfff8"]),
    (put("a.console.type", 1), "Invalid consoles", "error", ["for the hypervisor only"]),
    (put("a.pio_regions", []), "Invalid consoles", "warning", ["0x3f8-0x3ff", "pio_regions"]),
    (
        put("a.console", Console(0xFEB00000, 0x1000, 2, 1)),
        "Invalid consoles",
        "warning",
        ["0xfeb00000", "no writable memory region"],
    ),
    # Interrupt controllers.
    (
        add("irqchips", Irqchip(IOAPIC, pin_base=8)),
        "Invalid interrupt controllers",
        "error",
        ["irqchip 0: pin_base is 8, must be 0"],
    ),
    (
        add("irqchips", Irqchip(0xFEC10000)),
        "Invalid interrupt controllers",
        "error",
        ["IOAPIC 0xfec10000 is not listed in the root cell"],
    ),
    (
        add("irqchips", Irqchip(IOAPIC, pin_bitmap=[0, 0, 0, 1 << 24])),
        "Invalid interrupt controllers",
        "error",
        ["pin 120"],
    ),
    (
        add("irqchips", Irqchip(IOAPIC), "root"),
        "Invalid interrupt controllers",
        "error",
        ["irqchips 0 and 1 describe the same"],
    ),
    (
        both(
            add("irqchips", Irqchip(IOAPIC, pin_bitmap=[0x18, 0, 0, 0])),
            add("irqchips", Irqchip(IOAPIC, pin_bitmap=[0x08, 0, 0, 0]), "b"),
        ),
        "Interrupts of more than one non-root cell",
        "error",
        ["interrupt 3", 'cell "b"'],
    ),
    (put("a.vpci_irq_base", 96), "Invalid virtual PCI interrupts", "warning", ["ignored on x86"]),
    # Ports.
    (add("pio_regions", PioRange(0xFFFF, 2)), "Invalid port ranges", "error", ["overflows"]),
    (add("pio_regions", PioRange(0x80, 0)), "Invalid port ranges", "warning", ["length is 0"]),
    (
        add("pio_regions", PioRange(0xC00, 0x200), "root"),
        "Invalid port ranges",
        "warning",
        ['cell "root"', "stay intercepted"],
    ),
    (
        add("pio_regions", PioRange(0x3FF, 1), "b"),
        "Ports of more than one non-root cell",
        "warning",
        ["pio region 0 (0x3f8-0x3ff)", '1 (0x3ff-0x3ff) of cell "b"'],
    ),
    # PCI.
    (add("pci_devices", PciDevice(4)), "Invalid PCI devices", "error", ["unknown type 4"]),
    (
        add("pci_devices", PciDevice(1, bdf=8, num_caps=1)),
        "Invalid PCI devices",
        "error",
        ["capabilities 0 to 0, there are 0"],
    ),
    (
        both(put("system.pci_mmconfig_end_bus", 1), add("pci_devices", PciDevice(1, bdf=0x200))),
        "Invalid PCI devices",
        "warning",
        ["beyond pci_mmconfig_end_bus"],
    ),
    (
        both(
            put(
                "system.iommu_units", [Iommu(1, 0xFED80000, 0x80000), *(Iommu() for _ in "1234567")]
            ),
            add("pci_devices", PciDevice(1, iommu=1, bdf=8)),
        ),
        "Invalid PCI devices",
        "error",
        ["iommu 1, there are 1"],
    ),
    (
        add("pci_devices", PciDevice(1, bdf=8, num_msi_vectors=33)),
        "Invalid PCI devices",
        "error",
        ["33 MSI vectors"],
    ),
    (
        add("pci_devices", PciDevice(1, bdf=8, msi_properties=4)),
        "Invalid PCI devices",
        "warning",
        ["MSI properties 0x4"],
    ),
    (
        put("root.pci_devices.0.num_msi_vectors", 0),
        "Invalid PCI devices",
        "warning",
        ["MSI capability without"],
    ),
    (
        put("root.pci_devices.0.num_msix_vectors", 0),
        "Invalid PCI devices",
        "warning",
        ["MSI-X capability without"],
    ),
    *(
        (put(f"root.pci_devices.0.{name}", value), "Invalid PCI devices", severity, [words])
        for name, value, severity, words in (
            ("msix_address", 0, "warning", "msix_address is 0"),
            ("msix_address", 0xFEBE0004, "error", "8-byte"),
            ("msix_address", (1 << 64) - 8, "error", "overflows"),
            ("msix_region_size", 0x30, "error", "less than 4 entries"),
            ("num_msix_vectors", 2049, "error", "at most 2048"),
        )
    ),
    # ivshmem.
    *(
        (
            lambda s, name=name, value=value: setattr(link(s.a, 1), name, value),
            "Invalid PCI devices",
            severity,
            [words],
        )
        for name, value, severity, words in (
            ("shmem_peers", 0, "error", "must be 1 to 12"),
            ("shmem_peers", 13, "error", "must be 1 to 12"),
            ("shmem_dev_id", 2, "error", "shmem_dev_id 2 of 2 peers"),
            ("shmem_regions_start", 3, "error", "regions 3 to 6, there are 6"),
            ("shmem_regions_start", 0xFFFFFFFF, "error", "there are 6"),
            ("shmem_regions_start", 1, "warning", "not contiguous"),
            ("num_msix_vectors", 17, "error", "at most 16"),
            ("num_msix_vectors", 0, "warning", "MSI-X variant"),
        )
    ),
    (
        lambda s: (link(s.a, 1), link(s.b, 1)),
        "PCI devices with more than one owner",
        "error",
        ['cell "b": ivshmem 0000:0f:1f.0: shmem_dev_id 1 is taken by cell "a"'],
    ),
    (
        both(
            add("pci_devices", PciDevice(1, bdf=0xD8)),
            add("pci_devices", PciDevice(1, bdf=0xD8), "b"),
        ),
        "PCI devices with more than one owner",
        "error",
        ['PCI 0000:00:1b.0 also belongs to cell "b"'],
    ),
    (
        add("pci_devices", PciDevice(1, bdf=0xD8), "root"),
        "PCI devices with more than one owner",
        "error",
        ["PCI devices 0 and 1 are both"],
    ),
    (
        add("pci_caps", PciCapability(5, 0x3C, 8, 1)),
        "Invalid PCI capabilities",
        "error",
        ["0x3c + 0x8 makes the header writable"],
    ),
    (
        add("pci_caps", PciCapability(5, 0xFE, 8, 1)),
        "Invalid PCI capabilities",
        "warning",
        ["0xfe + 0x8 is not inside 0x40-0xff"],
    ),
    (
        add("pci_caps", PciCapability(0x8001, 0xFFC, 8, 1)),
        "Invalid PCI capabilities",
        "error",
        ["beyond the configuration space"],
    ),
    (
        add("pci_caps", PciCapability(5, 0x40, 8, 2)),
        "Invalid PCI capabilities",
        "warning",
        ["flags 0x2"],
    ),
    # Caches.
    (put("a.cache_regions", [Cache(0, 1, 3)] * 2), "Invalid cache regions", "error", ["at most 1"]),
    (add("cache_regions", Cache(0, 1, 1)), "Invalid cache regions", "error", ["type 1"]),
    (add("cache_regions", Cache(0, 0, 3)), "Invalid cache regions", "error", ["no part"]),
    (add("cache_regions", Cache(31, 2, 3)), "Invalid cache regions", "error", ["31 to 32"]),
    (add("cache_regions", Cache(0, 1, 3, 0, 2)), "Invalid cache regions", "warning", ["flags 0x2"]),
    # Whole cells.
    (put("a.name", "x" * 32), "Doubtful names", "warning", ["no NUL"]),
    (put("a.name", "a\0b"), "Doubtful names", "warning", ["behind the name's NUL"]),
    (put("a.name", ""), "Doubtful names", "warning", ["no name"]),
    (put("a.name", "a\n"), "Doubtful names", "warning", ["not printable"]),
    (put("b.name", "a"), "Doubtful names", "error", ["same name"]),
    (put("a.name", "root"), "Doubtful names", "error", ["same name"]),
    (put("a.flags", 0x10), "Doubtful cell flags", "warning", ["cell flags 0x10"]),
    (put("a.flags", CellFlag.AARCH32), "Doubtful cell flags", "warning", ["AARCH32"]),
    (put("a.id", 1), "Doubtful cell flags", "warning", ["id is 1"]),
    (put("a.msg_reply_timeout", 0), "Endless waiting for replies", "warning", ["for ever"]),
    (put("a.cpu_reset_address", 0x200000), "Doubtful reset addresses", "warning", ["in no memory"]),
    (
        put("a.mem_regions.0.flags", RW | MemFlag.LOADABLE),
        "Doubtful reset addresses",
        "warning",
        ["no EXECUTE"],
    ),
    (put("a.trailing", bytes(56)), "Doubtful file sizes", "warning", ["56 bytes behind the end"]),
    (
        put("a.stream_ids", [StreamId(1)] * 16384),
        "Doubtful file sizes",
        "error",
        ["at most 65536"],
    ),
]


@pytest.mark.parametrize(
    ("change", "title", "severity", "words"),
    CASES,
    ids=[f"{number}-{title}" for number, (_, title, _, _) in enumerate(CASES)],
)
def test_finding(
    change: Callable[[Set], object], title: str, severity: str, words: list[str]
) -> None:
    configs = Set()
    change(configs)
    matching = [
        text
        for text in configs.findings()
        if text.startswith(f"{title}: {severity}: ") and all(word in text for word in words)
    ]
    assert matching, configs.findings()


def test_nothing_to_find() -> None:
    assert Set().findings() == []
    assert arm().findings() == []


def test_legal_neighbours_are_not_found() -> None:
    """What comes close to a finding without being one."""
    configs = Set()
    root, a, b = configs.root, configs.a, configs.b
    # Adjacent to RAM, to the hypervisor, to the local APIC, to the other cell.
    a.mem_regions += [
        region(0x3ED00000, 0x101000, 0x1000),
        region(0x39FFF000, FREE, 0x1000),
        region(0x3A600000, FREE + 0x1000, 0x1000),
        region(0xFEE01000, 0xFEE01000, 0x1000),
        region(0x3EDFF000, FREE + 0x2000, 0x1000),
        # Empty, inside everything.
        region(0x3A000000, 0x1000, 0),
        # A register block with permitted widths, inside one page.
        region(0xFEB00F00, 0xFEB00F00, 0x100, RW | MemFlag.IO_32),
    ]
    # The same memory, if both share it; a link whose peers share a place.
    shared = region(0x3F100000, FREE + 0x10000, 0x1000, SHARED)
    a.mem_regions.append(shared)
    b.mem_regions.append(shared)
    link(a, 0)
    link(b, 1)
    a.irqchips = [Irqchip(IOAPIC, pin_bitmap=[0x10, 0, 0, 0])]
    b.irqchips = [Irqchip(IOAPIC, pin_bitmap=[0x08, 0, 0, 0])]
    a.flags = CellFlag.PASSIVE_COMMREG
    a.msg_reply_timeout = 0
    a.pio_regions.append(PioRange(0xFFFF, 1))
    root.pci_caps.append(PciCapability(0x8001, 0x100, 0xF00, 0))
    configs.x86.pm_timer_address = 0xFFFC
    assert configs.findings() == []


ARM_CASES: list[tuple[Callable[[Set], object], str, list[str]]] = [
    (
        add("mem_regions", region(0x4100F000, 0x4100F000, 0x1000)),
        "Missing resource interceptions for architecture arm64",
        ["GICD (0x41000000-0x4100ffff)"],
    ),
    (
        add("mem_regions", region(0x410BF000, 0x410BF000, 0x1000)),
        "Missing resource interceptions for architecture arm64",
        ["GICR (0x410a0000-0x410bffff)"],
    ),
    (
        both(
            put("system.platform", ArmPlatform(25, 2, 0, 0x41000000, 0x41010000, 0, 0x41030000)),
            add("mem_regions", region(0x41011000, 0x41011000, 0x1000)),
        ),
        "Missing resource interceptions for architecture arm64",
        ["GICC (0x41010000-0x41011fff)"],
    ),
    (
        put("system.hypervisor_memory.phys_start", 0x3A001000),
        "Invalid hypervisor memory",
        ["error", "2 MiB"],
    ),
    (put("system.platform.gic_version", 4), "Invalid platform information", ["must be 2 or 3"]),
    (put("system.platform.maintenance_irq", 40), "Invalid platform information", ["no PPI"]),
    (put("system.debug_console.flags", 0), "Invalid consoles", ["no port I/O"]),
    (put("system.debug_console.type", 1), "Invalid consoles", ["only available on x86"]),
    (
        add("irqchips", Irqchip(0x41000000, pin_base=48)),
        "Invalid interrupt controllers",
        ["pin_base 48"],
    ),
    (
        add("irqchips", Irqchip(0x41000000, pin_base=928)),
        "Invalid interrupt controllers",
        ["beyond 1024"],
    ),
    (put("a.vpci_irq_base", 1000), "Invalid virtual PCI interrupts", ["beyond"]),
    (put("a.pio_regions", [PioRange(1, 1)]), "Invalid port ranges", ["ignored on ARM"]),
    (
        put("a.cpu_reset_address", 2),
        "Doubtful reset addresses",
        ["4-byte aligned"],
    ),
    (
        put("system.iommu_units", [Iommu(1, 0xFED80000, 0x1000), *(Iommu() for _ in "1234567")]),
        "Invalid IOMMU units",
        ["architecture"],
    ),
]


@pytest.mark.parametrize(("change", "title", "words"), ARM_CASES)
def test_finding_on_arm(change: Callable[[Set], object], title: str, words: list[str]) -> None:
    configs = arm()
    change(configs)
    found = configs.findings()
    assert any(f.startswith(title) and all(w in f for w in words) for f in found), found


def test_arm_accepts_what_x86_does_not() -> None:
    configs = arm()
    configs.a.set_cpus([0])
    configs.b.set_cpus([1])
    configs.a.irqchips = [Irqchip(0x41000000, pin_base=32), Irqchip(0x99000000, pin_base=7)]
    configs.a.vpci_irq_base = 96
    assert configs.findings() == []


def test_every_check_is_exercised() -> None:
    configs = Set()
    configs_of = [case[1] for case in CASES] + [case[1] for case in ARM_CASES]
    from jailhouse.check import ConfigSet

    titles = {item.title(ConfigSet(configs.system, ())) for item in CHECKS}
    assert titles <= set(configs_of)


def test_a_finding_names_cell_and_severity() -> None:
    configs = Set()
    configs.a.set_cpus([])
    (finding,) = check(configs.system, [configs.a])
    assert (finding.cell, finding.title, finding.is_error) == ("a", "Invalid CPU sets", True)
