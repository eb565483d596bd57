# SPDX-License-Identifier: GPL-2.0-only
"""Interrupt remapping (vmx/vtd_irq.c, vmx/vtd_irte.c) below the code that programs devices and
IOAPICs, on a unit that caches entries and checks them as the VT-d specification 3.3 says: what
arrives is asked by sending what the hardware was given."""

from __future__ import annotations

import errno
from typing import Any

import device_world
import pytest
from device_world import HANDLED, IOAPIC, Cap, CellConfig, Device, Irqchip

CDEF = """
extern unsigned int world_invalidations, world_line_write_backs;
void irq_world_init(u64 cap, u64 ecap, u32 limit);
u64 world_interrupt(unsigned int unit, u16 requester, u64 address, u32 data);
u64 world_pin_fires(unsigned int pin, u16 requester);
u32 world_register(unsigned int n, unsigned int reg);
void vtd_report_faults(void);
extern u64 world_table[512], world_queue[512];
extern u32 world_status[1024];
void irq_world_linux_remaps(u64 mode, u64 format, u32 tail);
u64 world_status_address(void);
u64 world_register_wide(unsigned int n, unsigned int reg);
"""
VTD = [f"hypervisor/arch/x86/vmx/vtd{n}.c" for n in ("", "_fault", "_format", "_hw", "_irq", "_irte", "_root")]
CAP = 2 | 1 << 9 | 1 << 10 | 1 << 34 | 1 << 35
COHERENT, QUEUE, REMAPS, X2APIC = 1, 2, 8, 16
ECAP = COHERENT | QUEUE | REMAPS | X2APIC
GSTS, IRES, QIES = 0x1C, 1 << 25, 1 << 26
BLOCKED = (1 << 64) - 1

NIC, DISK, STRANGER, CHIP = 0x10, 0xFA, 0x20, 0xFF00
MSI_CAP, MSIX_CAP, MSIX_PAGE = 0x50, 0x70, 0xFEB80000
MSI_ENABLE, MSI_64BIT, MSIX_ENABLE = 1, 0x80, 0x8000
MASKED, LEVEL, LOGICAL_PIN, REMOTE_IRR = 1 << 16, 1 << 15, 1 << 11, 1 << 14
LOGICAL, LEVEL_SENT = 1 << 11, 1 << 12
"""Of what arrives: destination << 32 | these | mode << 8 | vector."""

CARD = Device(
    NIC, bar_mask=(0xFFFFF000, 0, 0, 0, 0, 0), caps=(Cap(0x11, MSIX_CAP, 12),), msix_address=MSIX_PAGE, msix_vectors=5
)
AHCI = Device(DISK, caps=(Cap(5, MSI_CAP, 14),), msi_vectors=4)
ROOT = CellConfig("Reference", [CARD, AHCI], [Irqchip(range(24), requester=CHIP)])


def arrival(destination: int, vector: int, flags: int = 0) -> int:
    return destination << 32 | flags | vector


def to_cpu(n: int) -> int:
    return 0xFEE00000 | n << 12


def to_mask(mask: int) -> int:
    return to_cpu(mask) | 4


def pin_entry(vector: int, destination: int, flags: int = 0) -> int:
    return vector | flags | destination << 56


class World(device_world.World):
    sources = (*(s for s in device_world.SOURCES if "svm" not in s), *VTD, "hypervisor/core/paging.c",
               "hypervisor/arch/x86/paging.c", "memory.c", "vtd_model.c", "vtd_irq_world.c")  # fmt: skip
    cdef = device_world.CDEF + CDEF

    def __init__(self, hostlib: Any, ecap: int = ECAP, limit: int = 64, x2apic: bool = False) -> None:
        super().__init__(hostlib, defines=["WORLD_VTD"])
        self.lib.using_x2apic = x2apic
        self.lib.irq_world_init(CAP, ecap, limit)
        for pin in range(24):
            self.lib.world_pins[pin] = MASKED
        self.set_hw_config(NIC, MSIX_CAP, 0x11, 2)
        self.set_hw_config(NIC, 4, 6, 2)
        self.set_hw_config(NIC, 0x10, MSIX_PAGE)
        for vector in range(5):
            self.lib.world_msix_table[4 * vector + 3] = 1
        self.set_hw_config(DISK, MSI_CAP, 5, 2)
        self.set_hw_config(DISK, MSI_CAP + 2, MSI_64BIT, 2)

    def linux_uses(self) -> None:
        """Before the hypervisor comes."""
        self.set_hw_config(DISK, MSI_CAP + 2, MSI_64BIT | MSI_ENABLE, 2)
        self.set_hw_config(DISK, MSI_CAP + 4, to_cpu(1))
        self.set_hw_config(DISK, MSI_CAP + 12, 0x31, 2)
        self.set_hw_config(NIC, MSIX_CAP + 2, MSIX_ENABLE, 2)
        for index, word in enumerate((to_mask(0x0C), 0, 0x41, 0)):
            self.lib.world_msix_table[4 * 2 + index] = word
        self.lib.world_pins[4] = pin_entry(0x24, 0x0F, LOGICAL_PIN)
        self.lib.world_pins[9] = pin_entry(0x21, 1, LEVEL)

    def msi(self, n: int = 0, requester: int = DISK) -> int:
        """The disk's n-th message, or somebody else with the same; 0: it sends none."""
        if not self.hw_config(DISK, MSI_CAP + 2, 2) & MSI_ENABLE:
            return 0
        address = self.hw_config(DISK, MSI_CAP + 4) | self.hw_config(DISK, MSI_CAP + 8) << 32
        return int(self.lib.world_interrupt(0, requester, address, self.hw_config(DISK, MSI_CAP + 12, 2) | n))

    def msix(self, vector: int, requester: int = NIC) -> int:
        low, high, data, control = self.lib.world_msix_table[4 * vector : 4 * vector + 4]
        if control & 1 or not self.hw_config(NIC, MSIX_CAP + 2, 2) & MSIX_ENABLE:
            return 0
        return int(self.lib.world_interrupt(0, requester, low | high << 32, data))

    def fires(self, pin: int, requester: int = CHIP) -> int:
        return int(self.lib.world_pin_fires(pin, requester))

    def program_msi(self, n: int, address: int, data: int, messages: int = 0) -> bool:
        """`messages`: two to the power of it."""
        control = MSI_ENABLE | messages << 4
        ok = self.config_write(n, DISK, MSI_CAP + 4, address)
        ok &= self.config_write(n, DISK, MSI_CAP + 12, data, 2)
        return ok and self.config_write(n, DISK, MSI_CAP + 2, control, 2)

    def program_vector(self, n: int, vector: int, address: int, data: int) -> bool:
        words = enumerate((address, 0, data, 0))
        return all(self.mmio(n, MSIX_PAGE + 16 * vector + 4 * i, 4, write=w)[0] == HANDLED for i, w in words)

    def program_pin(self, n: int, pin: int, value: int) -> None:
        for index, half in ((0x11 + 2 * pin, value >> 32), (0x10 + 2 * pin, value & 0xFFFFFFFF)):
            assert self.mmio(n, IOAPIC, 4, write=index)[0] == HANDLED
            assert self.mmio(n, IOAPIC + 0x10, 4, write=half)[0] == HANDLED

    def faults(self) -> str:
        self.lib.vtd_report_faults()
        return self.text()


@pytest.fixture
def world(hostlib: Any) -> World:
    world = World(hostlib)
    world.linux_uses()
    world.cell(0, ROOT, 0x0F)
    return world


def test_interrupts_of_linux_arrive_as_they_did(world: World) -> None:
    assert world.text() == (
        "DMAR unit @0xfed90000/0x1000\n"
        "Reserving 24 interrupt(s) for device ff:00.0 at index 0\n"
        "Reserving 5 interrupt(s) for device 00:02.0 at index 24\n"
        "Reserving 4 interrupt(s) for device 00:1f.2 at index 29\n"
        "Adding PCI device 00:02.0 to cell \"Reference\"\n"
        "Adding PCI device 00:1f.2 to cell \"Reference\"\n"
    )
    assert world.lib.world_register(0, GSTS) & IRES
    assert world.msi() == arrival(1, 0x31)
    assert world.msix(2) == arrival(0x0C, 0x41, LOGICAL)
    assert world.fires(4) == arrival(0x0F, 0x24, LOGICAL)
    assert world.fires(9) == arrival(1, 0x21, LEVEL_SENT)
    assert world.pin(9) & 0xFF == 0x21, "EOIs go by the vector in the IOAPIC"


def test_linux_reads_what_it_wrote(world: World) -> None:
    assert world.config_read(0, DISK, MSI_CAP + 4) == to_cpu(1)
    assert world.mmio(0, MSIX_PAGE + 2 * 16) == (HANDLED, to_mask(0x0C))
    assert world.mmio(0, IOAPIC, 4, write=0x10 + 18)[0] == HANDLED
    assert world.mmio(0, IOAPIC + 0x10)[1] == 0x21 | LEVEL


def test_what_came_meanwhile_is_repeated(world: World) -> None:
    """Edges; a level that was on its way starts again."""
    assert sorted(world.sent()) == [(0x4031, 1), (0x4824, 0x0F), (0x4841, 0x0C)]


def test_a_level_that_was_blocked_does_not_wait_for_an_eoi(hostlib: Any) -> None:
    world = World(hostlib)
    world.lib.world_pins[9] = pin_entry(0x21, 1, LEVEL) | REMOTE_IRR
    world.cell(0, ROOT, 0x0F)
    assert not world.pin(9) & REMOTE_IRR
    world.lib.world_pins[9] |= REMOTE_IRR
    world.lib.world_shutdown()
    assert world.pin(9) == pin_entry(0x21, 1, LEVEL)


@pytest.mark.parametrize("forged", [to_cpu(1), to_cpu(2) | 0x8, to_mask(0xFF)])
def test_a_message_of_the_old_kind_reaches_nobody(world: World, forged: int) -> None:
    world.text()
    for device in (DISK, NIC, STRANGER):
        assert world.lib.world_interrupt(0, device, forged, 0x80) == BLOCKED
    assert " Source Identifier (bus:dev.func): 00:1f.2\n Fault Reason: 0x25 " in world.faults()


def test_nobody_uses_the_entries_of_others(world: World) -> None:
    """And every entry that nobody has is empty: all that a device could name."""
    world.text()
    for requester in (NIC, STRANGER, CHIP):
        assert world.msi(requester=requester) == BLOCKED
    for requester in (DISK, STRANGER, CHIP, NIC | 1, NIC | 0x100):
        assert world.msix(2, requester=requester) == BLOCKED
    assert world.fires(4, requester=NIC) == BLOCKED
    named = {
        index: int(world.lib.world_interrupt(0, NIC, 0xFEE00010 | (index & 0x7FFF) << 5, 0)) for index in range(70)
    }
    assert {index for index, found in named.items() if found != BLOCKED} == {24 + 2}
    assert "Fault Reason: 0x26 Fault Info: 1d000000000000 Type 0" in world.faults()


def test_a_change_is_seen_though_the_unit_remembers(world: World) -> None:
    assert world.msi() == arrival(1, 0x31)
    assert world.program_msi(0, to_cpu(3), 0x35)
    assert world.msi() == arrival(3, 0x35)
    assert world.fires(9) == arrival(1, 0x21, LEVEL_SENT)
    world.program_pin(0, 9, pin_entry(0x22, 2, LEVEL))
    assert world.fires(9) == arrival(2, 0x22, LEVEL_SENT)
    assert world.program_vector(0, 2, to_cpu(0) | 0x8, 0x144)
    assert world.msix(2) == arrival(0, 0x144), "lowest priority"


def test_a_pin_changes_in_one_step(world: World) -> None:
    """Only its entry: an edge between two writes would be lost."""
    world.take_writes()
    world.program_pin(0, 4, pin_entry(0x24, 0x03, LOGICAL_PIN))
    assert world.fires(4) == arrival(0x03, 0x24, LOGICAL)
    assert [write for write in world.take_writes() if write[0] >> 32 == 1] == []


def test_several_messages_of_msi(world: World) -> None:
    assert world.program_msi(0, to_cpu(1), 0x44, messages=2)
    assert [world.msi(n) for n in range(4)] == [arrival(1, 0x44 + n) for n in range(4)]
    assert world.program_msi(0, to_cpu(1), 0x48, messages=3)
    assert world.msi() == 0, "more than the configuration says: off"


def test_a_device_goes_to_a_cell_and_back(world: World) -> None:
    assert world.msi() == arrival(1, 0x31)
    world.text()
    world.sent()
    world.cell(1, CellConfig("inmate", [AHCI]), 0x04)
    log = world.text()
    assert "Freeing 4 interrupt(s) for device 00:1f.2 at index 29\n" in log
    assert "Reserving 4 interrupt(s) for device 00:1f.2 at index 29\n" in log
    assert world.msi() == 0
    assert world.lib.world_interrupt(0, DISK, 0xFEE00018 | 29 << 5, 0) == BLOCKED, "what it had before"
    assert world.program_msi(1, to_cpu(2), 0x51)
    assert world.msi() == arrival(2, 0x51)
    assert not world.program_msi(1, to_cpu(1), 0x51), "a CPU of the root cell"
    assert world.msi() == arrival(2, 0x51)
    world.destroy(1)
    assert world.msi() == 0
    assert world.lib.world_interrupt(0, DISK, 0xFEE00018 | 29 << 5, 0) == BLOCKED, "what the cell had"
    assert world.program_msi(0, to_cpu(2), 0x32)
    assert world.msi() == arrival(2, 0x32)
    assert world.sent() == [(0x4841, 0x08)], "the card's mask lost a CPU; then one more may get it"


def test_a_pin_goes_to_a_cell_and_back(world: World) -> None:
    world.cell(1, CellConfig("inmate", (), [Irqchip([9], requester=CHIP)]), 0x04)
    assert world.fires(9) == 0
    world.program_pin(1, 9, pin_entry(0x55, 2))
    assert world.fires(9) == arrival(2, 0x55)
    world.program_pin(1, 9, pin_entry(0x55, 1))
    assert world.fires(9) == 0, "a CPU of the root cell"
    world.destroy(1)
    assert world.fires(9) == arrival(1, 0x21, LEVEL_SENT)


def test_a_message_whose_cpu_leaves_is_sent_to_those_that_stay(world: World) -> None:
    assert world.msix(2) == arrival(0x0C, 0x41, LOGICAL)
    world.sent()
    world.cell(1, CellConfig("cpu"), 0x04)
    assert world.msix(2) == arrival(0x08, 0x41, LOGICAL)
    assert world.sent() == [(0x4841, 0x08)], "it may have been on its way to the other"
    world.cell(2, CellConfig("other"), 0x01)
    assert world.sent() == []


def test_disable_gives_linux_its_messages_back(hostlib: Any) -> None:
    world = World(hostlib)
    world.linux_uses()
    before = [bytes(world.ffi.buffer(world.lib.world_config_space[bdf])) for bdf in (NIC, DISK)]
    pins, table = list(world.lib.world_pins), list(world.lib.world_msix_table)
    world.cell(0, ROOT, 0x0F)
    world.sent()
    world.lib.world_shutdown()
    assert not world.lib.world_register(0, GSTS) & (IRES | QIES)
    assert [bytes(world.ffi.buffer(world.lib.world_config_space[bdf])) for bdf in (NIC, DISK)] == before
    assert (list(world.lib.world_pins), list(world.lib.world_msix_table)) == (pins, table)
    assert sorted(world.sent()) == [(0x4031, 1), (0x4824, 0x0F), (0x4841, 0x0C)], "what was blocked on the way"
    assert world.msi() == arrival(1, 0x31)


@pytest.mark.parametrize("x2apic", [False, True])
def test_destinations_are_as_wide_as_the_mode_says(hostlib: Any, x2apic: bool) -> None:
    """The model refuses bits beyond those of an xAPIC, and takes 32 of an x2APIC."""
    world = World(hostlib, x2apic=x2apic)
    world.linux_uses()
    world.cell(0, ROOT, 0x0F)
    assert world.msi() == arrival(1, 0x31)
    assert world.fires(9) == arrival(1, 0x21, LEVEL_SENT)


def test_a_unit_that_does_not_look_into_caches(hostlib: Any) -> None:
    world = World(hostlib, ecap=ECAP & ~COHERENT)
    world.linux_uses()
    world.cell(0, ROOT, 0x0F)
    before = world.lib.world_line_write_backs
    assert before == 4, "entries that Linux uses"
    assert world.program_msi(0, to_cpu(3), 0x35)
    assert world.msi() == arrival(3, 0x35)
    assert world.lib.world_line_write_backs == before + 2, "target, then vector"


@pytest.mark.parametrize(
    ("ecap", "limit", "x2apic", "said"),
    [
        (ECAP & ~REMAPS, 64, False, "ERROR: DMAR units do not all remap interrupts\n"),
        (ECAP & ~X2APIC, 64, True, "ERROR: DMAR units do not all remap interrupts of an x2APIC\n"),
        (ECAP, 32769, False, ""),
    ],
    ids=["none", "no x2APIC", "too many"],
)
def test_units_that_can_not_are_refused(hostlib: Any, ecap: int, limit: int, x2apic: bool, said: str) -> None:
    world = World(hostlib, ecap, limit, x2apic)
    mapped = world.lib.world_mappings
    assert world.try_cell(0, ROOT) != 0
    assert world.text() == "DMAR unit @0xfed90000/0x1000\n" + said
    assert world.lib.world_pages == 0
    assert world.lib.world_mappings == mapped
    assert not world.lib.world_register(0, GSTS) & (IRES | QIES)


def test_without_a_limit_nothing_is_remapped(hostlib: Any) -> None:
    world = World(hostlib, ecap=ECAP & ~REMAPS, limit=0)
    world.linux_uses()
    world.cell(0, ROOT, 0x0F)
    assert "WARNING: vtd_interrupt_limit is 0: devices can forge interrupts\n" in world.text()
    assert world.msi() == arrival(1, 0x31)
    assert world.lib.world_interrupt(0, STRANGER, to_cpu(1), 0x80) == arrival(1, 0x80)
    world.lib.world_shutdown()


@pytest.mark.parametrize(("limit", "refused"), [(33, False), (32, True), (24, True), (23, True)])
def test_entries_are_as_many_as_the_configuration_says(hostlib: Any, limit: int, refused: bool) -> None:
    """33 are needed; 64 there are then."""
    world = World(hostlib, limit=limit)
    assert world.try_cell(0, ROOT) == (-errno.E2BIG if refused else 0)
    assert ("vtd_interrupt_limit is" in world.text()) == refused


def test_a_create_that_fails_loses_no_message(world: World) -> None:
    """It comes as far as taking the device; what the device sends meanwhile is blocked."""
    world.sent()
    assert world.try_cell(1, CellConfig("inmate", [AHCI], [Irqchip([9], pin_base=1, requester=CHIP)])) == -errno.EINVAL
    world.lib.world_commit(-1)
    assert world.msi() == arrival(1, 0x31)
    assert world.sent() == [(0x4031, 1)]
    assert world.program_msi(0, to_cpu(2), 0x33)
    assert world.sent() == []


def test_a_cell_that_wants_too_many_leaves_the_root_cell_its_own(world: World) -> None:
    hungry = Device(DISK, caps=AHCI.caps, msi_vectors=4, msix_vectors=60, msix_address=MSIX_PAGE)
    world.text()
    assert world.try_cell(1, CellConfig("inmate", [hungry])) == -errno.E2BIG
    world.lib.world_commit(-1)
    assert "ERROR: no 60 interrupt(s) for device 00:1f.2: vtd_interrupt_limit is 64\n" in world.text()
    assert world.msi() == arrival(1, 0x31)


def test_pins_that_the_root_cell_has_no_entries_for(hostlib: Any) -> None:
    world = World(hostlib)
    world.cell(0, CellConfig("Reference", (), [Irqchip(range(20), requester=CHIP)]), 0x0F)
    assert "Reserving 20 interrupt(s) for device ff:00.0 at index 0\n" in world.text()
    assert world.try_cell(1, CellConfig("inmate", (), [Irqchip([20], requester=CHIP)])) == -errno.E2BIG
    assert "ERROR: pin 20 of the IOAPIC at 0xfec00000 is beyond those of the root cell\n" in world.text()
    assert world.try_cell(2, CellConfig("inmate", (), [Irqchip([19], requester=CHIP)])) == 0


def test_the_queue_goes_round(world: World) -> None:
    """Two descriptors a change, 256 in the queue."""
    for n in range(400):
        vector = 0x30 + n % 64
        assert world.program_msi(0, to_cpu(1), vector)
        assert world.msi() == arrival(1, vector)
