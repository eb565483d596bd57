# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: RUF009 (the calls make dataclass fields)
"""The fixed-size records of a configuration file; field order is the file's (abi.md 1)."""

from __future__ import annotations

from dataclasses import dataclass

from jailhouse.cellfile.constants import (
    CELL_SIGNATURE,
    MAX_IOMMU_UNITS,
    NAME_MAXLEN,
    PAGE_SIZE,
    REVISION,
    SYSTEM_SIGNATURE,
    MemFlag,
)
from jailhouse.cellfile.layout import Record, ints, name, raw, record, records, u8, u16, u32, u64


@dataclass
class Console(Record):
    """Where text goes (abi.md 1.12)."""

    address: int = u64()
    size: int = u32()
    type: int = u16()
    flags: int = u16()
    divider: int = u32()
    gate_nr: int = u32()
    clock_reg: int = u64()


@dataclass
class Memory(Record):
    """A memory region (abi.md 1.5)."""

    phys_start: int = u64()
    virt_start: int = u64()
    size: int = u64()
    flags: int = u64()

    @property
    def phys_end(self) -> int:
        """First address behind the region; may exceed 2^64 in a bad file."""
        return self.phys_start + self.size

    @property
    def virt_end(self) -> int:
        return self.virt_start + self.size

    @property
    def is_subpage(self) -> bool:
        """Not mapped: every access traps and is done by the hypervisor."""
        return bool((self.virt_start | self.size) % PAGE_SIZE)

    @property
    def is_comm_region(self) -> bool:
        """The hypervisor provides the page; phys_start means nothing."""
        return bool(self.flags & MemFlag.COMM_REGION)

    def has(self, flag: MemFlag) -> bool:
        return self.flags & flag == flag


@dataclass
class Cache(Record):
    """Cache partition (abi.md 1.6)."""

    start: int = u32()
    size: int = u32()
    type: int = u8()
    padding: int = u8()
    flags: int = u16()


@dataclass
class Irqchip(Record):
    """Interrupt lines of one controller (abi.md 1.7)."""

    address: int = u64()
    id: int = u32()
    pin_base: int = u32()
    pin_bitmap: list[int] = ints(4, 4)

    @property
    def pins(self) -> list[int]:
        """Numbers of the assigned pins, pin_base included."""
        words = enumerate(self.pin_bitmap)
        return [
            self.pin_base + 32 * index + bit
            for index, word in words
            for bit in range(32)
            if word >> bit & 1
        ]


@dataclass
class PioRange(Record):
    """Permitted x86 I/O ports (abi.md 1.8)."""

    base: int = u16()
    length: int = u16()


@dataclass
class PciDevice(Record):
    """A PCI function or a virtual ivshmem device (abi.md 1.9)."""

    type: int = u8()
    iommu: int = u8()
    domain: int = u16()
    bdf: int = u16()
    bar_mask: list[int] = ints(4, 6)
    caps_start: int = u16()
    num_caps: int = u16()
    num_msi_vectors: int = u8()
    msi_properties: int = u8()
    num_msix_vectors: int = u16()
    msix_region_size: int = u16()
    msix_address: int = u64()
    shmem_regions_start: int = u32()
    shmem_dev_id: int = u8()
    shmem_peers: int = u8()
    shmem_protocol: int = u16()

    @property
    def msi_64bits(self) -> bool:
        return bool(self.msi_properties & 1)

    @property
    def msi_maskable(self) -> bool:
        return bool(self.msi_properties & 2)

    @property
    def location(self) -> str:
        """domain:bus:device.function as lspci writes it."""
        bus, device, function = self.bdf >> 8, self.bdf >> 3 & 31, self.bdf & 7
        return f"{self.domain:04x}:{bus:02x}:{device:02x}.{function}"


@dataclass
class PciCapability(Record):
    """A capability or a run of registers in configuration space (abi.md 1.10)."""

    id: int = u16()
    start: int = u16()
    len: int = u16()
    flags: int = u16()


@dataclass
class StreamId(Record):
    """An SMMU stream or PVU virtual id (abi.md 1.11)."""

    id: int = u32()

    @property
    def mmu500(self) -> tuple[int, int]:
        """(id, mask_out) as an MMU-500 reads it."""
        return self.id & 0xFFFF, self.id >> 16


@dataclass
class Iommu(Record):
    """An IOMMU unit (abi.md 1.14). The last 12 bytes are a union."""

    type: int = u32()
    base: int = u64()
    size: int = u32()
    amd_bdf: int = u16()
    amd_base_cap: int = u8()
    amd_msi_cap: int = u8()
    amd_features: int = u32()
    pvu_tlb_size: int = u32()

    @property
    def pvu_tlb_base(self) -> int:
        caps = self.amd_base_cap << 16 | self.amd_msi_cap << 24
        return self.amd_bdf | caps | self.amd_features << 32


@dataclass
class X86Platform(Record):
    """The x86 reading of the platform union (abi.md 1.15)."""

    pm_timer_address: int = u16()
    apic_mode: int = u8()
    padding: int = u8()
    vtd_interrupt_limit: int = u32()
    tsc_khz: int = u32()
    apic_khz: int = u32()
    unused: bytes = raw(28)


@dataclass
class ArmPlatform(Record):
    """The ARM reading of the platform union (abi.md 1.15)."""

    maintenance_irq: int = u8()
    gic_version: int = u8()
    padding: int = u16()
    gicd_base: int = u64()
    gicc_base: int = u64()
    gich_base: int = u64()
    gicv_base: int = u64()
    gicr_base: int = u64()


@dataclass
class SystemHeader(Record):
    """The part of a system configuration before its root cell (abi.md 1.13)."""

    signature: bytes = raw(5, SYSTEM_SIGNATURE)
    architecture: int = u8()
    revision: int = u16(REVISION)
    flags: int = u32()
    hypervisor_memory: Memory = record(Memory)
    debug_console: Console = record(Console)
    pci_mmconfig_base: int = u64()
    pci_mmconfig_end_bus: int = u8()
    pci_is_virtual: int = u8()
    pci_domain: int = u16()
    iommu_units: list[Iommu] = records(Iommu, MAX_IOMMU_UNITS)
    platform: bytes = raw(44)


@dataclass
class CellHeader(Record):
    """The cell descriptor (abi.md 1.2)."""

    signature: bytes = raw(5, CELL_SIGNATURE)
    architecture: int = u8()
    revision: int = u16(REVISION)
    name: str = name(NAME_MAXLEN + 1)
    id: int = u32()
    flags: int = u32()
    cpu_set_size: int = u32()
    num_memory_regions: int = u32()
    num_cache_regions: int = u32()
    num_irqchips: int = u32()
    num_pio_regions: int = u32()
    num_pci_devices: int = u32()
    num_pci_caps: int = u32()
    num_stream_ids: int = u32()
    vpci_irq_base: int = u32()
    cpu_reset_address: int = u64()
    msg_reply_timeout: int = u64()
    console: Console = record(Console)


ARRAYS: tuple[tuple[str, str, type[Record]], ...] = (
    ("num_memory_regions", "mem_regions", Memory),
    ("num_cache_regions", "cache_regions", Cache),
    ("num_irqchips", "irqchips", Irqchip),
    ("num_pio_regions", "pio_regions", PioRange),
    ("num_pci_devices", "pci_devices", PciDevice),
    ("num_pci_caps", "pci_caps", PciCapability),
    ("num_stream_ids", "stream_ids", StreamId),
)
"""Count in the descriptor, name of the array, kind of its elements; in the file's order."""
