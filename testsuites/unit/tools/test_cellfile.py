# SPDX-License-Identifier: GPL-2.0-only
"""Reading and writing configurations, and complaints about what is none."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from jailhouse.cellfile import (
    ArchitectureError,
    ArmPlatform,
    CellConfig,
    CellFileError,
    CellHeader,
    MemFlag,
    Memory,
    RevisionError,
    SignatureError,
    SystemConfig,
    SystemHeader,
    TruncatedError,
    X86Platform,
    slots,
)
from jailhouse.cellfile.records import ARRAYS

from .conftest import REPOSITORY, Compile, make_cell, make_system

FULL_CELL = """
#include <jailhouse/types.h>
#include <jailhouse/cell-config.h>

struct {
	struct jailhouse_cell_desc cell;
	__u64 cpus[2];
	struct jailhouse_memory mem_regions[6];
	struct jailhouse_cache cache_regions[1];
	struct jailhouse_irqchip irqchips[1];
	struct jailhouse_pio pio_regions[2];
	struct jailhouse_pci_device pci_devices[2];
	struct jailhouse_pci_capability pci_caps[1];
	union jailhouse_stream_id stream_ids[1];
} __attribute__((packed)) config = {
	.cell = {
		.signature = JAILHOUSE_CELL_DESC_SIGNATURE,
		.architecture = JAILHOUSE_ARM64,
		.revision = JAILHOUSE_CONFIG_REVISION,
		.name = "full",
		.flags = JAILHOUSE_CELL_PASSIVE_COMMREG | JAILHOUSE_CELL_VIRTUAL_CONSOLE_ACTIVE,
		.cpu_set_size = sizeof(config.cpus),
		.num_memory_regions = ARRAY_SIZE(config.mem_regions),
		.num_cache_regions = ARRAY_SIZE(config.cache_regions),
		.num_irqchips = ARRAY_SIZE(config.irqchips),
		.num_pio_regions = ARRAY_SIZE(config.pio_regions),
		.num_pci_devices = ARRAY_SIZE(config.pci_devices),
		.num_pci_caps = ARRAY_SIZE(config.pci_caps),
		.num_stream_ids = ARRAY_SIZE(config.stream_ids),
		.vpci_irq_base = 96,
		.cpu_reset_address = 0x123456789a,
		.msg_reply_timeout = 0xfedcba9876543210,
		.console = {
			.address = 0x09000000,
			.size = 0x1000,
			.type = JAILHOUSE_CON_TYPE_PL011,
			.flags = JAILHOUSE_CON_ACCESS_MMIO | JAILHOUSE_CON_REGDIST_4,
			.divider = 13,
			.gate_nr = 31,
			.clock_reg = 0x01c2006c,
		},
	},
	.cpus = { 0x6, 0x8000000000000000 },
	.mem_regions = {
		{
			.phys_start = 0x40000000,
			.virt_start = 0x50000000,
			.size = 0x10000,
			.flags = JAILHOUSE_MEM_READ | JAILHOUSE_MEM_IO_64,
		},
		JAILHOUSE_SHMEM_NET_REGIONS(0x7fa00000, 1),
		{ .virt_start = 0x80000000, .size = 0x1000, .flags = JAILHOUSE_MEM_COMM_REGION },
	},
	.cache_regions = { { .start = 2, .size = 5, .type = JAILHOUSE_CACHE_L3, .flags = 1 } },
	.irqchips = {
		{
			.address = 0x08000000,
			.id = 0x10002,
			.pin_base = 32,
			.pin_bitmap = { 1, 2, 4, 0x80000000 },
		},
	},
	.pio_regions = { PIO_RANGE(0x2f8, 8), PIO_RANGE(0xfffe, 2) },
	.pci_devices = {
		{
			.type = JAILHOUSE_PCI_TYPE_IVSHMEM,
			.iommu = 3,
			.domain = 0x102,
			.bdf = 0x0305 << 3,
			.bar_mask = JAILHOUSE_IVSHMEM_BAR_MASK_MSIX,
			.num_msix_vectors = 2,
			.shmem_regions_start = 1,
			.shmem_dev_id = 1,
			.shmem_peers = 2,
			.shmem_protocol = JAILHOUSE_SHMEM_PROTO_VETH,
		},
		{
			.type = JAILHOUSE_PCI_TYPE_DEVICE,
			.bdf = 0x1b << 3,
			.caps_start = 0,
			.num_caps = 1,
			.num_msi_vectors = 4,
			.msi_64bits = 1,
			.msi_maskable = 1,
			.msix_region_size = 0x1000,
			.msix_address = 0xfebe0000,
		},
	},
	.pci_caps = { { .id = PCI_CAP_ID_MSI, .start = 0x60, .len = 14, .flags = 1 } },
	.stream_ids = { { .mmu500 = { .id = 0x14e8, .mask_out = 0x7f07 } } },
};
"""

ROOT = """
#include <jailhouse/types.h>
#include <jailhouse/cell-config.h>

struct {
	struct jailhouse_system header;
	__u64 cpus[1];
	struct jailhouse_memory mem_regions[1];
} __attribute__((packed)) config = {
	.header = {
		.signature = JAILHOUSE_SYSTEM_SIGNATURE,
		.architecture = %(architecture)s,
		.revision = JAILHOUSE_CONFIG_REVISION,
		.flags = JAILHOUSE_SYS_VIRTUAL_DEBUG_CONSOLE,
		.hypervisor_memory = { .phys_start = 0x3a000000, .size = 0x600000 },
		.debug_console = { .address = 0x3f8, .type = JAILHOUSE_CON_TYPE_8250 },
		.platform_info = {
			.pci_mmconfig_base = 0xb0000000,
			.pci_mmconfig_end_bus = 0xff,
			.pci_domain = 0xffff,
			.iommu_units = {
				{
					.type = JAILHOUSE_IOMMU_AMD,
					.base = 0xfed80000,
					.size = 0x80000,
					.amd = { .bdf = 0x8, .base_cap = 0x40, .msi_cap = 0x64 },
				},
				{
					.type = JAILHOUSE_IOMMU_PVU,
					.base = 0x30f80000,
					.size = 0x1000,
					.tipvu = { .tlb_base = 0x1234567890, .tlb_size = 0x4000 },
				},
			},
			%(platform)s
		},
		.root_cell = {
			.name = "root",
			.cpu_set_size = sizeof(config.cpus),
			.num_memory_regions = ARRAY_SIZE(config.mem_regions),
		},
	},
	.cpus = { 0xf },
	.mem_regions = {
		{ .size = 0x3a000000, .flags = JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE },
	},
};
"""


def test_compiled_cell_is_read_exactly(compile_config: Compile) -> None:
    data = compile_config(FULL_CELL)
    config = CellConfig.from_bytes(data)
    assert config.name == "full"
    assert config.architecture == 2
    assert config.cpus == [1, 2, 127]
    assert (config.vpci_irq_base, config.cpu_reset_address) == (96, 0x123456789A)
    assert config.msg_reply_timeout == 0xFEDCBA9876543210
    assert config.console.clock_reg == 0x01C2006C
    assert [region.size for region in config.mem_regions] == [
        0x10000, 0x1000, 0, 0x7F000, 0x7F000, 0x1000,
    ]  # fmt: skip
    assert config.mem_regions[4].has(MemFlag.WRITE)
    assert not config.mem_regions[3].has(MemFlag.WRITE)
    assert config.mem_regions[5].is_comm_region
    assert config.irqchips[0].pins == [32, 65, 98, 159]
    assert config.pio_regions[1].base == 0xFFFE
    ivshmem, device = config.pci_devices
    assert ivshmem.location == "0102:18:05.0"
    assert ivshmem.bar_mask == [0xFFFFF000, 0xFFFFF000, 0, 0, 0, 0]
    assert (device.msi_64bits, device.msi_maskable) == (True, True)
    assert device.msix_address == 0xFEBE0000
    assert config.stream_ids[0].mmu500 == (0x14E8, 0x7F07)
    assert config.trailing == b""
    assert config.to_bytes() == data


@pytest.mark.parametrize(
    ("architecture", "platform"),
    [
        (
            "JAILHOUSE_X86",
            ".x86 = { .pm_timer_address = 0x608, .apic_mode = 1, .tsc_khz = 7, .apic_khz = 9 },",
        ),
        (
            "JAILHOUSE_ARM64",
            ".arm = { .maintenance_irq = 25, .gic_version = 3, .gicd_base = 0x08000000, "
            ".gicr_base = 0x080a0000 },",
        ),
    ],
)
def test_compiled_system_is_read_exactly(
    architecture: str, platform: str, compile_config: Compile
) -> None:
    data = compile_config(ROOT % {"architecture": architecture, "platform": platform})
    config = SystemConfig.from_bytes(data)
    assert config.root_cell.name == "root"
    assert config.root_cell.cpus == [0, 1, 2, 3]
    assert config.hypervisor_memory == Memory(0x3A000000, 0, 0x600000, 0)
    assert config.mmconfig_size == 256 << 20
    amd, pvu = config.iommus
    assert (amd.amd_bdf, amd.amd_base_cap, amd.amd_msi_cap) == (8, 0x40, 0x64)
    assert (pvu.pvu_tlb_base, pvu.pvu_tlb_size) == (0x1234567890, 0x4000)
    if isinstance(config.platform, ArmPlatform):
        assert config.platform == ArmPlatform(25, 3, 0, 0x08000000, 0, 0, 0, 0x080A0000)
    else:
        assert config.platform == X86Platform(0x608, 1, 0, 0, 7, 9)
    assert config.to_bytes() == data


@pytest.mark.parametrize(
    "source",
    sorted((REPOSITORY / "configs").glob("*/*.c")),
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_our_configurations_survive_a_round_trip(source: Path, compile_config: Compile) -> None:
    data = compile_config(source.read_text())
    kind = SystemConfig if data.startswith(b"JHSYS") else CellConfig
    assert kind.from_bytes(data).to_bytes() == data


def test_what_is_written_is_read_back() -> None:
    system, cell = make_system(), make_cell()
    assert SystemConfig.from_bytes(system.to_bytes()) == system
    assert CellConfig.from_bytes(cell.to_bytes()) == cell


def test_trailing_bytes_are_tolerated_and_kept() -> None:
    data = make_cell().to_bytes() + bytes(56)
    config = CellConfig.from_bytes(data)
    assert config.trailing == bytes(56)
    assert config.to_bytes() == data


def test_unaligned_cpu_set_and_odd_names_survive() -> None:
    cell = make_cell(name="x" * 32)
    cell.cpu_set = b"\2\0\0"
    assert CellConfig.from_bytes(cell.to_bytes()) == cell
    assert cell.label == "x" * 31
    cell.name = "a\0b\udcff"
    assert CellConfig.from_bytes(cell.to_bytes()) == cell
    assert cell.label == "a"


@pytest.mark.parametrize("data", [make_cell().to_bytes(), make_system().to_bytes()], ids=["c", "s"])
def test_slots_are_contiguous_and_complete(data: bytes) -> None:
    found = slots(data)
    assert [slot.offset for slot in found[1:]] == [slot.end for slot in found[:-1]]
    assert found[0].offset == 0
    assert found[-1].end == len(data)


@pytest.mark.parametrize("data", [make_cell().to_bytes(), make_system().to_bytes()], ids=["c", "s"])
def test_truncation_is_found_at_every_byte(data: bytes) -> None:
    kind = SystemConfig if data.startswith(b"JHSYS") else CellConfig
    for length in range(len(data)):
        with pytest.raises(TruncatedError) as caught:
            kind.from_bytes(data[:length], "short.cell")
        assert "short.cell: offset" in str(caught.value)
        assert caught.value.offset == length


def test_truncation_names_the_field_at_every_boundary() -> None:
    data = make_cell().to_bytes()
    for slot in slots(data):
        if slot.offset < 8:
            continue
        with pytest.raises(TruncatedError) as caught:
            CellConfig.from_bytes(data[: slot.offset])
        whole = slot.field.partition(".")[0]
        assert caught.value.field.startswith(whole)


@pytest.mark.parametrize("count", ["cpu_set_size", *(count for count, _, _ in ARRAYS)])
@pytest.mark.parametrize("value", [0xFFFFFFFF, 0x20000000, 0x40000000, 0x8000000])
def test_no_count_wraps(count: str, value: int) -> None:
    """In 32-bit arithmetic some of these sizes are 0 again."""
    data = bytearray(make_cell().to_bytes())
    offset = next(slot.offset for slot in CellHeader.slots() if slot.field == count)
    data[offset : offset + 4] = value.to_bytes(4, "little")
    with pytest.raises(TruncatedError, match=f"{count} = {value}"):
        CellConfig.from_bytes(bytes(data))


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"JHCELL\x0d\0", CellConfig, ["13", "signature gave its last byte"]),
        (b"JHCELL\x0c\0", CellConfig, ["12", "v0.12", "IOMMU list moved"]),
        (b"JHSYST\x0d\0", SystemConfig, ["13", "headers"]),
        (b"JHSYST\x0c\0", SystemConfig, ["12", "IOMMU list"]),
        (b"JHCLL\0\x0f\0", CellConfig, ["15", "never released"]),
        (b"JHCLL\0\x63\0", CellConfig, ["99", "only revision 14"]),
    ],
)
def test_other_revisions_are_named(
    data: bytes, kind: type[CellConfig | SystemConfig], words: list[str]
) -> None:
    with pytest.raises(RevisionError) as caught:
        kind.from_bytes(data + bytes(600), "old.cell")
    assert all(word in str(caught.value) for word in ["old.cell", *words])


def test_wrong_kinds_of_file_are_named() -> None:
    with pytest.raises(SignatureError, match="this is a system configuration"):
        CellConfig.from_bytes(make_system().to_bytes())
    with pytest.raises(SignatureError, match="this is a cell configuration"):
        SystemConfig.from_bytes(make_cell().to_bytes())
    with pytest.raises(SignatureError, match="ELF"):
        SystemConfig.from_bytes(b"\x7fELF" + bytes(600))
    with pytest.raises(SignatureError, match=r"offset 32.*note section"):
        CellConfig.from_bytes(bytes(32) + make_cell().to_bytes())


def test_unknown_architecture() -> None:
    data = bytearray(make_cell().to_bytes())
    data[5] = 3
    with pytest.raises(ArchitectureError, match=r"offset 5 \(architecture\): found 3, known are 0"):
        CellConfig.from_bytes(bytes(data))


def test_empty_file() -> None:
    with pytest.raises(TruncatedError):
        CellConfig.from_bytes(b"", "empty.cell")


def test_values_that_do_not_fit_are_refused_by_name() -> None:
    cell = make_cell()
    cell.pio_regions[0].base = 0x10000
    with pytest.raises(ValueError, match=r"PioRange.base: 65536 does not fit 2 bytes"):
        cell.to_bytes()
    with pytest.raises(ValueError, match="longer than 32"):
        make_cell(name="x" * 33).to_bytes()


@pytest.mark.parametrize("seed", range(20))
def test_garbage_gives_nothing_but_cellfile_errors(seed: int) -> None:
    """Valid files with random damage: each is read, and written back the same, or refused."""
    dice = random.Random(seed)
    sources = [make_cell().to_bytes(), make_system().to_bytes()]
    accepted = 0
    for _ in range(400):
        data = bytearray(dice.choice(sources))
        for _ in range(dice.randint(1, 8)):
            place = dice.randrange(len(data)) if data else 0
            match dice.randrange(4):
                case 0:
                    data[place : place + 1] = dice.randbytes(1)
                case 1:
                    data[place : place + 4] = dice.choice(
                        [b"\xff" * 4, bytes(4), dice.randbytes(4)]
                    )
                case 2:
                    del data[place:]
                case _:
                    data[place:place] = dice.randbytes(dice.randint(0, 64))
        for kind in (CellConfig, SystemConfig):
            try:
                config = kind.from_bytes(bytes(data))
            except CellFileError:
                continue
            else:
                accepted += 1
                assert config.to_bytes() == bytes(data)
    assert accepted


def test_sizes_are_those_of_the_contract() -> None:
    assert (CellHeader.sizeof(), SystemHeader.sizeof()) == (132, 356)
