# SPDX-License-Identifier: GPL-2.0-only
"""PCI configuration space: moderation, BAR shadows, MSI, MSI-X, and functions that change their owner."""

from __future__ import annotations

from typing import Any

import pytest
from device_world import (
    BRIDGE,
    DEVICE,
    DIRECT,
    EBUSY,
    EINVAL,
    ENOMEM,
    ERROR,
    HANDLED,
    IVSHMEM,
    MMCONFIG,
    UNHANDLED,
    Cap,
    CellConfig,
    Device,
    World,
)  # fmt: skip

NIC, HUB, HDA, ABSENT = 0x10, 0x18, 0xD8, 0x20
MSIX_PAGE = 0xFEB80000
MSI_CAP, MSIX_CAP, PM_CAP, RO_CAP, EXT_CAP = 0x50, 0x70, 0x90, 0xA0, 0x140

NIC_DEVICE = Device(
    NIC, DEVICE, (0xFFFE0000, 0xFFFFFFFF, 0xFFFFFFE0, 0, 0, 0),
    (Cap(0x05, MSI_CAP, 14), Cap(0x11, MSIX_CAP, 12), Cap(1, PM_CAP, 8), Cap(9, RO_CAP, 8, 0), Cap(0x8001, EXT_CAP, 16)),
    MSIX_PAGE, 5,
)  # fmt: skip
HUB_DEVICE = Device(HUB, BRIDGE, (0, 0, 0, 0, 0, 0), (Cap(1, PM_CAP, 8),))
HDA_DEVICE = Device(HDA, DEVICE, (0xFFFFC000, 0, 0, 0, 0, 0), (Cap(0x05, 0x60, 10),))
ROOT = CellConfig("Reference", [NIC_DEVICE, HUB_DEVICE, HDA_DEVICE])
INMATE = CellConfig("pci-demo", [NIC_DEVICE])

MSI_ENABLE, MSI_64BIT = 1, 0x80
ENABLE, MASK_ALL = 0x8000, 0x4000


def to_cpu(cpu: int) -> int:
    return 0xFEE00000 | cpu << 12


def to_mask(mask: int) -> int:
    return 0xFEE00004 | mask << 12


def hardware(world: World) -> None:
    for bdf in (NIC, HUB, HDA):
        world.set_hw_config(bdf, 0, 0x10D38086)
        world.set_hw_config(bdf, 4, 0x0006, 2)
        world.set_hw_config(bdf, 0x10, 0xFEB00004)
        world.set_hw_config(bdf, 0x14, 0)
        world.set_hw_config(bdf, 0x18, 0xC001)
        world.set_hw_config(bdf, 0x30, 0xFFF00001)
    world.set_hw_config(NIC, MSI_CAP, 0x0005 | MSI_64BIT << 16)
    world.set_hw_config(NIC, MSIX_CAP, 0x0011 | 4 << 16)
    world.set_hw_config(NIC, MSIX_CAP + 4, MSIX_PAGE - 0xFEB00000)
    world.set_hw_config(HDA, 0x60, 0x0005)
    for vector in range(5):
        world.lib.world_msix_table[vector * 4 + 3] = 1


@pytest.fixture
def world(hostlib: Any) -> World:
    world = World(hostlib)
    hardware(world)
    world.cell(0, ROOT, 0x0F)
    world.take_writes()
    world.text()
    return world


# --- Moderation table (abi.md 9.2) ----------------------------------------------------------------


def verdict(world: World, bdf: int, reg: int, size: int) -> str:
    world.take_writes()
    ok = world.config_write(0, bdf, reg, 0, size)
    reached = bool(world.config_writes())
    return "pass" if ok and reached else "done" if ok else "fatal"


DEVICE_BYTES = {
    **dict.fromkeys(range(0x04, 0x08), "pass"), **dict.fromkeys(range(0x0C, 0x28), "done"),
    **dict.fromkeys(range(0x0C, 0x10), "pass"), **dict.fromkeys(range(0x30, 0x34), "done"), 0x3C: "pass",
}  # fmt: skip
BRIDGE_BYTES = {
    **dict.fromkeys(range(0x04, 0x08), "pass"), **dict.fromkeys(range(0x0C, 0x10), "pass"),
    **dict.fromkeys(range(0x1C, 0x1E), "done"), **dict.fromkeys(range(0x20, 0x34), "done"),
    0x3C: "pass", 0x3E: "pass", 0x3F: "pass",
}  # fmt: skip


@pytest.mark.parametrize(("bdf", "table"), [(HDA, DEVICE_BYTES), (HUB, BRIDGE_BYTES)])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_a28_header_writes(world: World, bdf: int, table: dict[int, str], size: int) -> None:
    for reg in range(0, 0x40, size):
        expected = {table.get(byte, "fatal") for byte in range(reg, reg + size)}
        got = verdict(world, bdf, reg, size)
        assert got == ("fatal" if "fatal" in expected else expected.pop()), f"register {reg:#x}"


def test_a28_capabilities_are_an_allow_list(world: World) -> None:
    allowed = {b for cap in NIC_DEVICE.caps if cap.flags for b in range(cap.start, cap.start + cap.len)}
    for reg in range(0x40, 0x200):
        assert (verdict(world, NIC, reg, 1) != "fatal") == (reg in allowed), hex(reg)
    assert verdict(world, NIC, PM_CAP + 6, 2) == "pass"
    assert verdict(world, NIC, EXT_CAP + 12, 4) == "pass"
    assert verdict(world, NIC, MSI_CAP + 12, 4) == "fatal", "crosses the capability's end"


def test_a28_refusal_names_device_register_cell_and_remedy(world: World) -> None:
    assert not world.config_write(0, NIC, 0xB4, 0, 2)
    line = world.text()
    assert line.startswith('FATAL: Invalid PCI MMCONFIG write, device 00:02.0, reg: 0xb4, size: 2, cell "Reference", CPU 0')
    assert ".pci_caps" in line
    assert line.count("\n") == 1
    assert world.port_config(0, 0x80000000 | NIC << 8 | 0xB4, size=2, write=0)[0] == ERROR
    assert world.text().startswith("FATAL: Invalid PCI config write, device 00:02.0, reg: 0xb4, size: 2")


def test_a28_unowned_function_reads_ones_and_writes_are_fatal(world: World) -> None:
    for size, ones in ((1, 0xFF), (2, 0xFFFF), (4, 0xFFFFFFFF)):
        assert world.config_read(0, ABSENT, 0, size) == ones
    assert not world.config_write(0, ABSENT, 4, 6, 2)
    assert ".pci_devices" in world.text()
    assert world.config_writes() == []


def test_a28_sizes_and_alignment_of_mmconfig(world: World) -> None:
    address = MMCONFIG + (NIC << 12)
    for reg, size in ((4, 8), (0x3E, 4), (3, 2), (1, 4)):
        assert world.mmio(0, address + reg, size)[0] == ERROR
        assert world.mmio(0, address + reg, size, write=0)[0] == ERROR
    assert world.mmio(0, address + 0xFFC, 8)[0] == ERROR
    assert world.config_writes() == []
    assert world.config_read(0, NIC, 1, 2) == 0xD380
    assert world.mmio(0, MMCONFIG + (1 << 20), 4)[0] == UNHANDLED


def test_a28_reads_pass_whatever_the_table_says(world: World) -> None:
    for reg in (0, 0x2C, 0x40, RO_CAP, 0x200, 0xFFC):
        world.set_hw_config(NIC, reg, 0x12345678)
        assert world.config_read(0, NIC, reg) == 0x12345678
        assert world.config_read(0, NIC, reg + 1, 1) == 0x56


# --- Ports ----------------------------------------------------------------------------------------


def test_a28_extended_register_number_in_address_port(world: World) -> None:
    """Bits 24-27 select registers 0x100 and above; never is 0x180 taken for 0x80."""
    world.set_hw_config(NIC, EXT_CAP, 0x11111111)
    world.set_hw_config(NIC, EXT_CAP & 0xFF, 0x22222222)
    extended = 0x80000000 | 1 << 24 | NIC << 8 | EXT_CAP & 0xFF
    assert world.port_config(0, extended) == (HANDLED, 0x11111111)
    assert world.port_config(0, extended, write=0x33)[0] == HANDLED
    assert world.hw_config(NIC, EXT_CAP) == 0x33
    assert world.hw_config(NIC, EXT_CAP & 0xFF) == 0x22222222
    assert world.port_config(0, 0x80000000 | 4 << 24 | NIC << 8 | MSI_CAP, write=0)[0] == ERROR
    assert "reg: 0x450" in world.text()


def test_a28_extended_registers_without_mmconfig_are_out_of_reach(hostlib: Any) -> None:
    world = World(hostlib, mmconfig=False)
    hardware(world)
    world.cell(0, ROOT, 0x0F)
    world.take_writes()
    extended = 0x80000000 | 1 << 24 | NIC << 8 | EXT_CAP & 0xFF
    assert world.port_config(0, extended) == (HANDLED, 0xFFFFFFFF)
    assert world.port_config(0, extended, write=0)[0] == HANDLED
    assert world.config_writes() == []
    assert world.port_config(0, 0x80000000 | NIC << 8) == (HANDLED, 0x10D38086)


def test_address_port_is_a_shadow(world: World) -> None:
    assert world.pio(0, 0xCF8, 4, write=0xFFFFFFFF)[0] == HANDLED
    assert world.pio(0, 0xCF8, 4) == (HANDLED, 0x8FFFFFFC)
    world.pio(0, 0xCF8, 4, write=0)
    assert world.pio(0, 0xCFC, 4) == (HANDLED, 0xFFFFFFFF), "not enabled"
    assert world.take_writes() == []
    for size in (1, 2):
        assert world.pio(0, 0xCF8, size)[0] == ERROR
        assert "FATAL: Invalid PCI config read, port: cf8, size" in world.text()


@pytest.mark.parametrize(("port", "size", "ok"), [
    (0xCFC, 1, True), (0xCFD, 1, True), (0xCFF, 1, True), (0xCFC, 2, True), (0xCFD, 2, True), (0xCFE, 2, True),
    (0xCFC, 4, True), (0xCFF, 2, False), (0xCFD, 4, False), (0xCFE, 4, False),
])  # fmt: skip
def test_a28_data_port_sizes_and_straddling(world: World, port: int, size: int, ok: bool) -> None:
    result, value = world.port_config(0, 0x80000000 | NIC << 8, port, size)
    assert (result == HANDLED) == ok
    if ok:
        assert value == 0x10D38086 >> 8 * (port - 0xCFC) & (1 << 8 * size) - 1


# --- BARs -----------------------------------------------------------------------------------------


def test_bars_are_shadows(world: World) -> None:
    assert world.config_read(0, NIC, 0x10) == 0xFEB00004, "starts with what the hardware has"
    assert world.config_write(0, NIC, 0x10, 0xFFFFFFFF)
    assert world.config_read(0, NIC, 0x10) == 0xFFFE0004, "type bits stay"
    assert world.config_write(0, NIC, 0x12, 0x1234, 2)
    assert world.config_read(0, NIC, 0x10) == 0x12340004
    assert world.config_read(0, NIC, 0x13, 1) == 0x12
    world.config_write(0, NIC, 0x18, 0xFFFFFFFF)
    assert world.config_read(0, NIC, 0x18) == 0xFFFFFFE1
    world.config_write(0, NIC, 0x24, 0xFFFFFFFF)
    assert world.config_read(0, NIC, 0x24) == 0, "absent"
    assert world.config_writes() == []
    assert world.config_read(0, NIC, 0x30) == 0, "no expansion ROM"


# --- Ownership ------------------------------------------------------------------------------------


def test_device_goes_to_a_cell_and_back(world: World) -> None:
    pages, mappings = world.lib.world_pages, world.lib.world_mappings
    world.config_write(0, NIC, 0x10, 0x55500000)
    world.cell(1, INMATE, 0x04)
    text = world.text()
    assert 'Removing PCI device 00:02.0 from cell "Reference"' in text
    assert 'Adding PCI device 00:02.0 to cell "pci-demo"' in text
    assert world.config_read(0, NIC, 0) == 0xFFFFFFFF
    assert world.mmio(0, MSIX_PAGE)[0] == UNHANDLED
    assert world.mmio(1, MSIX_PAGE)[0] == HANDLED
    assert world.config_read(1, NIC, 0x10) == 0xFEB00004, "the hardware's, not the root cell's"
    assert world.config_read(1, HDA, 0) == 0xFFFFFFFF
    world.destroy(1)
    text = world.text()
    assert 'Removing PCI device 00:02.0 from cell "pci-demo"' in text
    assert 'Adding PCI device 00:02.0 to cell "Reference"' in text
    assert world.config_read(0, NIC, 0) == 0x10D38086
    assert world.hw_config(NIC, 4, 2) == 0x0400, "no bus mastering into memory that changed hands"
    assert (world.lib.world_pages, world.lib.world_mappings) == (pages, mappings)


def test_reset_of_a_device(world: World) -> None:
    world.cell(1, INMATE, 0x04)
    assert world.config_write(1, NIC, 4, 0x0106, 2)
    assert world.config_write(1, NIC, MSI_CAP + 4, to_cpu(2))
    assert world.config_write(1, NIC, MSI_CAP + 12, 0x41, 2)
    assert world.config_write(1, NIC, MSI_CAP + 2, MSI_ENABLE, 2)
    assert world.config_write(1, NIC, 0x10, 0)
    assert world.config_read(1, NIC, MSI_CAP + 2, 2) & MSI_ENABLE
    world.take_writes()
    world.lib.world_cell_reset(1)
    writes = world.config_writes()
    assert writes[0] == (4, 2, 0x0106)
    assert writes[-1] == (4, 2, 0x0400)
    assert world.config_read(1, NIC, MSI_CAP + 2, 2) == MSI_64BIT
    assert world.config_read(1, NIC, MSI_CAP + 4) == 0
    assert world.config_read(1, NIC, 0x10) == 0xFEB00004


def test_second_owner_is_refused_and_nothing_stays(world: World) -> None:
    world.cell(1, INMATE, 0x04)
    pages, mappings = world.lib.world_pages, world.lib.world_mappings
    assert world.try_cell(2, CellConfig("thief", [HDA_DEVICE, NIC_DEVICE])) == EBUSY
    assert world.config_read(0, HDA, 0) == 0x10D38086, "given back"
    assert world.config_read(1, NIC, 0) == 0x10D38086
    assert world.try_cell(2, CellConfig("twice", [HDA_DEVICE, HDA_DEVICE])) == EBUSY
    assert (world.lib.world_pages, world.lib.world_mappings) == (pages, mappings)


def test_a13_out_of_memory_gives_everything_back(world: World) -> None:
    pages, mappings = world.lib.world_pages, world.lib.world_mappings
    config = CellConfig("hungry", [NIC_DEVICE, HDA_DEVICE], ports=[(0x80, 1)])
    for limit in range(pages, pages + 5):
        world.lib.world_page_limit = limit
        assert world.try_cell(1, config) == ENOMEM
        assert (world.lib.world_pages, world.lib.world_mappings) == (pages, mappings)
        assert world.config_read(0, NIC, 0) == 0x10D38086
    world.lib.world_page_limit = pages + 5
    assert world.try_cell(1, config) == 0


def test_table_larger_than_what_is_trapped_is_refused(world: World) -> None:
    device = Device(NIC, caps=NIC_DEVICE.caps, msix_address=MSIX_PAGE, msix_vectors=257)
    assert world.try_cell(1, CellConfig("liar", [device])) == EINVAL
    assert world.config_read(0, NIC, 0) == 0x10D38086


def test_table_that_is_elsewhere_is_refused(world: World) -> None:
    """A record must not make the hypervisor reach other registers as if they were the table."""
    elsewhere = Device(NIC, caps=NIC_DEVICE.caps, msix_address=0xFEE00000, msix_vectors=5)
    world.text()
    assert world.try_cell(1, CellConfig("liar", [elsewhere])) == EINVAL
    assert "ERROR: MSI-X table of device 00:02.0 is at 0xfeb80000, not at msix_address 0xfee00000" in world.text()
    assert world.config_read(0, NIC, 0) == 0x10D38086
    assert world.mmio(0, MSIX_PAGE)[0] == HANDLED


def test_root_cell_is_told_of_a_table_that_is_elsewhere(hostlib: Any) -> None:
    world = World(hostlib)
    hardware(world)
    world.set_hw_config(NIC, 0x14, 1)  # 64-bit BAR
    world.cell(0, ROOT, 0x0F)
    assert "WARNING: MSI-X table of device 00:02.0 is at 0x1feb80000" in world.text()


def test_virtual_device_is_said_to_be_missing(world: World) -> None:
    world.cell(1, CellConfig("ivshmem", [Device(0x70, IVSHMEM)]), 0x04)
    assert "Virtual PCI device 00:0e.0 of cell \"ivshmem\": not implemented yet" in world.text()
    assert world.config_read(1, 0x70, 0) == 0xFFFFFFFF


# --- MSI ------------------------------------------------------------------------------------------


def program_msi(world: World, n: int, address: int, data: int) -> bool:
    ok = world.config_write(n, NIC, MSI_CAP + 4, address & 0xFFFFFFFF)
    ok &= world.config_write(n, NIC, MSI_CAP + 8, address >> 32)
    ok &= world.config_write(n, NIC, MSI_CAP + 12, data, 2)
    return ok and world.config_write(n, NIC, MSI_CAP + 2, MSI_ENABLE, 2)


def hw_msi(world: World) -> tuple[bool, int, int]:
    enabled = bool(world.hw_config(NIC, MSI_CAP + 2, 2) & MSI_ENABLE)
    return enabled, world.hw_config(NIC, MSI_CAP + 4), world.hw_config(NIC, MSI_CAP + 12, 2)


def test_msi_of_a_cell(world: World) -> None:
    world.cell(1, INMATE, 0x04)
    world.take_writes()
    assert world.config_write(1, NIC, MSI_CAP + 4, to_cpu(2))
    assert world.config_write(1, NIC, MSI_CAP + 12, 0x4041, 2)
    assert world.config_writes() == [], "while disabled the hardware needs no message"
    assert world.config_write(1, NIC, MSI_CAP, MSI_ENABLE << 16)
    assert hw_msi(world) == (True, to_cpu(2), 0x4041)
    assert world.config_read(1, NIC, MSI_CAP + 4) == to_cpu(2)
    assert world.config_read(1, NIC, MSI_CAP + 5, 1) == 0x20
    assert world.config_read(1, NIC, MSI_CAP) == 0x0005 | (MSI_64BIT | MSI_ENABLE) << 16


@pytest.mark.parametrize("address", [to_cpu(1), to_cpu(7), to_cpu(0xFF), to_mask(0x03), to_mask(0x05), to_cpu(2) | 0x20])
def test_msi_to_a_foreign_cpu_is_fatal_in_cells(world: World, address: int) -> None:
    world.cell(1, INMATE, 0x04)
    assert not program_msi(world, 1, address, 0x41)
    assert "FATAL: Invalid PCI MMCONFIG write, device 00:02.0, reg: 0x52, size: 2" in world.text()
    assert not hw_msi(world)[0]


@pytest.mark.parametrize("mode", range(2, 8))
def test_msi_delivery_modes(world: World, mode: int) -> None:
    world.cell(1, INMATE, 0x04)
    assert not program_msi(world, 1, to_cpu(2), mode << 8 | 0x41)
    assert program_msi(world, 1, to_cpu(2), 1 << 8 | 0x41), "lowest priority"


def test_msi_of_the_root_cell_is_trimmed(world: World) -> None:
    world.cell(1, CellConfig("cpu"), 0x04)
    assert program_msi(world, 0, to_mask(0x0C), 0x31)
    assert hw_msi(world) == (True, to_mask(0x08), 0x31)
    assert world.config_read(0, NIC, MSI_CAP + 4) == to_mask(0x0C), "reads what it wrote"
    assert program_msi(world, 0, to_mask(0x04), 0x31)
    assert not hw_msi(world)[0]


def test_msi_of_the_root_cell_to_a_foreign_cpu_is_kept_off(world: World) -> None:
    world.cell(1, CellConfig("cpu"), 0x04)
    world.text()
    assert program_msi(world, 0, to_cpu(2), 0x31)
    assert "WARNING: MSI of device 00:02.0" in world.text()
    assert not hw_msi(world)[0]
    assert world.config_read(0, NIC, MSI_CAP + 2, 2) & MSI_ENABLE
    assert program_msi(world, 0, to_cpu(1), 0x31)
    assert hw_msi(world) == (True, to_cpu(1), 0x31)


@pytest.mark.parametrize(("address", "data"), [(0, 0), (0x3000, 0x31), (0x1FEE00000, 0x31), (to_cpu(0), 0)])
def test_a50_messages_that_are_no_interrupts_turn_msi_off(world: World, address: int, data: int) -> None:
    """Linux leaves address 0 behind on free_irq(); that is no violation."""
    assert program_msi(world, 0, to_cpu(1), 0x31)
    assert program_msi(world, 0, address, data)
    assert not hw_msi(world)[0]
    assert "FATAL" not in world.text()


def test_a50_enable_and_disable_leave_the_hardware_alone(hostlib: Any) -> None:
    """Whatever state MSI is in: placeholder vector, address 0, foreign bits."""
    for address, data in ((0, 0), (to_cpu(0), 0xEF), (to_mask(0xFF) | 0x8, 0x31), (to_cpu(3), 0x0400)):
        world = World(hostlib)
        hardware(world)
        world.set_hw_config(NIC, MSI_CAP + 2, MSI_64BIT | MSI_ENABLE, 2)
        world.set_hw_config(NIC, MSI_CAP + 4, address)
        world.set_hw_config(NIC, MSI_CAP + 12, data, 2)
        before = bytes(world.ffi.buffer(world.lib.world_config_space[NIC]))
        world.cell(0, ROOT, 0x0F)
        assert world.config_writes() == []
        world.lib.world_shutdown()
        assert bytes(world.ffi.buffer(world.lib.world_config_space[NIC])) == before
        assert "WARNING" not in world.text()


def test_device_that_was_reset_gets_its_message_again(world: World) -> None:
    assert program_msi(world, 0, to_cpu(1), 0x31)
    world.set_hw_config(NIC, MSI_CAP + 2, MSI_64BIT, 2)
    world.set_hw_config(NIC, MSI_CAP + 4, 0)
    assert program_msi(world, 0, to_cpu(1), 0x31)
    assert hw_msi(world) == (True, to_cpu(1), 0x31)


def test_events_are_repeated_when_a_message_changes_its_target(world: World) -> None:
    assert program_msi(world, 0, to_mask(0x0C), 0x31)
    world.cell(1, CellConfig("cpu"), 0x04)
    assert hw_msi(world) == (True, to_mask(0x08), 0x31)
    assert world.sent() == [(0x4831, 0x08)]
    world.cell(2, CellConfig("other"), 0x02)
    assert world.sent() == [], "not touched, not repeated"
    world.destroy(1)
    assert hw_msi(world) == (True, to_mask(0x0C), 0x31)
    assert world.sent() == [(0x4831, 0x0C)]


def test_bits_of_32bit_msi(world: World) -> None:
    world.cell(1, CellConfig("hda", [HDA_DEVICE]), 0x04)
    assert world.config_write(1, HDA, 0x64, to_cpu(2))
    assert world.config_write(1, HDA, 0x68, 0x55, 2)
    assert world.config_write(1, HDA, 0x62, MSI_ENABLE, 2)
    assert world.hw_config(HDA, 0x64) == to_cpu(2)
    assert world.hw_config(HDA, 0x68, 2) == 0x55


# --- MSI-X ----------------------------------------------------------------------------------------


def table_write(world: World, n: int, vector: int, reg: int, value: int) -> bool:
    return world.mmio(n, MSIX_PAGE + vector * 16 + reg * 4, 4, write=value)[0] == HANDLED


def program_vector(world: World, n: int, vector: int, address: int, data: int) -> bool:
    ok = table_write(world, n, vector, 0, address & 0xFFFFFFFF) and table_write(world, n, vector, 1, address >> 32)
    return ok and table_write(world, n, vector, 2, data) and table_write(world, n, vector, 3, 0)


def hw_vector(world: World, vector: int) -> tuple[int, int, bool]:
    entry = world.lib.world_msix_table[vector * 4 : vector * 4 + 4]
    return int(entry[0]), int(entry[2]), bool(entry[3] & 1)


def enable_msix(world: World, n: int, control: int = ENABLE) -> bool:
    return world.config_write(n, NIC, MSIX_CAP + 2, control, 2)


def test_msix_of_a_cell(world: World) -> None:
    world.cell(1, INMATE, 0x04)
    assert enable_msix(world, 1)
    assert program_vector(world, 1, 2, to_cpu(2), 0x41)
    assert hw_vector(world, 2) == (to_cpu(2), 0x41, False)
    assert world.mmio(1, MSIX_PAGE + 2 * 16) == (HANDLED, to_cpu(2))
    assert not program_vector(world, 1, 3, to_cpu(1), 0x41)
    assert hw_vector(world, 3)[2], "stays masked"
    assert "FATAL: Invalid PCI MSI-X table/PBA access, device 00:02.0" in world.text()


def test_msix_is_checked_when_it_gets_enabled(world: World) -> None:
    world.cell(1, INMATE, 0x04)
    assert program_vector(world, 1, 0, to_cpu(1), 0x41), "nothing is sent while MSI-X is off"
    assert hw_vector(world, 0)[2]
    assert enable_msix(world, 1, ENABLE | MASK_ALL), "nor while all is masked"
    assert not enable_msix(world, 1)
    assert world.hw_config(NIC, MSIX_CAP + 2, 2) & MASK_ALL
    assert hw_vector(world, 0)[2]


def test_msix_vector_is_masked_while_it_changes(world: World) -> None:
    assert enable_msix(world, 0)
    assert program_vector(world, 0, 1, to_cpu(0), 0x41)
    world.take_writes()
    assert table_write(world, 0, 1, 0, to_cpu(1))
    writes = [(where & 0xFF, value) for where, _, value in world.take_writes()]
    assert writes[0] == (0x1C, 1)
    assert writes[-1] == (0x1C, 0)
    assert (0x10, to_cpu(1)) in writes


@pytest.mark.parametrize(("offset", "size"), [(0, 1), (0, 2), (0, 8), (2, 4), (0x200, 8)])
def test_msix_table_takes_dwords(world: World, offset: int, size: int) -> None:
    assert world.mmio(0, MSIX_PAGE + offset, size)[0] == ERROR
    assert world.mmio(0, MSIX_PAGE + offset, size, write=0)[0] == ERROR
    assert "FATAL: Invalid PCI MSI-X table/PBA access, device 00:02.0" in world.text()


def test_pending_bits_are_read_only(world: World) -> None:
    world.lib.world_msix_table[0x800 // 4] = 0x55
    assert world.mmio(0, MSIX_PAGE + 0x800) == (HANDLED, 0x55)
    assert world.mmio(0, MSIX_PAGE + 0x800, 4, write=0)[0] == ERROR


def test_msix_of_the_root_cell_follows_its_cpus(world: World) -> None:
    assert enable_msix(world, 0)
    assert program_vector(world, 0, 0, to_mask(0x0C), 0x31)
    assert program_vector(world, 0, 1, to_cpu(2), 0x32)
    world.cell(1, CellConfig("cpu"), 0x04)
    assert hw_vector(world, 0) == (to_mask(0x08), 0x31, False)
    assert hw_vector(world, 1)[2]
    assert "WARNING: MSI of device 00:02.0" in world.text()
    assert world.sent() == [(0x4831, 0x08)]
    world.destroy(1)
    assert hw_vector(world, 0) == (to_mask(0x0C), 0x31, False)
    assert hw_vector(world, 1) == (to_cpu(2), 0x32, False)


def test_disable_leaves_what_the_root_cell_wrote(world: World) -> None:
    program_vector(world, 0, 0, to_cpu(1), 0x31)
    assert enable_msix(world, 0)
    world.config_write(0, NIC, MSI_CAP + 4, to_cpu(3))
    world.lib.world_shutdown()
    assert hw_vector(world, 0) == (to_cpu(1), 0x31, False)
    assert world.hw_config(NIC, MSI_CAP + 4) == to_cpu(3)


def test_x2apic_logical_destinations(world: World) -> None:
    """Without remapping eight bits reach cluster 0, whose bits are APIC ids."""
    world.lib.using_x2apic = True
    world.cell(1, INMATE, 0x04)
    assert program_msi(world, 1, to_mask(0x04), 0x41)
    assert not program_msi(world, 1, to_mask(0x06), 0x41)
    assert world.pio(1, 0x1234, 1)[0] != DIRECT
