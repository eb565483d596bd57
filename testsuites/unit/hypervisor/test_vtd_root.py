# SPDX-License-Identifier: GPL-2.0-only
"""A Linux that remaps interrupts itself (vmx/vtd_root.c): its table and queue are in its memory,
its devices name entries of that table. The hypervisor's table is in the unit."""

from __future__ import annotations

import errno
from typing import Any

import pytest
import test_vtd_irq
from device_world import ERROR, HANDLED, CellConfig, Irqchip
from test_vtd_irq import (
    AHCI,
    BLOCKED,
    CHIP,
    DISK,
    ECAP,
    GSTS,
    IRES,
    LEVEL,
    LEVEL_SENT,
    LOGICAL,
    MSI_CAP,
    MSI_ENABLE,
    MSIX_CAP,
    MSIX_ENABLE,
    NIC,
    QIES,
    REMOTE_IRR,
    ROOT,
    STRANGER,
    arrival,
    pin_entry,
    to_cpu,
)

UNIT = 0xFED90000
FSTS, FECTL, FEDATA, FEADDR, FEUADDR, IQH, IQT, IQA, IRTA, GCMD = (
    0x34, 0x38, 0x3C, 0x40, 0x44, 0x80, 0x88, 0x90, 0xB8, 0x18,
)  # fmt: skip
EIME = 1 << 11
#: Linux's entries: the card's, the disk's, those of pins 4 and 9. Not where ours are.
CARD, DRIVE, SERIAL, SCI = 100, 200, 64, 69
LINUX_TAIL = 0x230


def irte(vector: int, destination: int, logical: bool = False, level: bool = False, x2apic: bool = False) -> int:
    shift = 32 if x2apic else 40
    return 1 | logical << 2 | level << 4 | vector << 16 | destination << shift


def names(index: int) -> int:
    """A message's address, with a subhandle."""
    return 0xFEE00018 | (index & 0x7FFF) << 5 | index >> 15 << 2


def pin_names(pin: int, index: int, flags: int = 0) -> int:
    """Linux puts the pin's number where the vector was."""
    return pin | flags | 1 << 48 | index << 49


class World(test_vtd_irq.World):
    def __init__(self, hostlib: Any, x2apic: bool = False, tail: int = LINUX_TAIL) -> None:
        super().__init__(hostlib, x2apic=x2apic)
        self.x2apic = x2apic
        self.tail = tail
        for n in range(512):
            self.lib.world_queue[n] = 0xDEAD0000 + n
        self.lib.irq_world_linux_remaps(EIME if x2apic else 0, 0, tail)

    def entry(self, index: int, requester: int, low: int) -> None:
        self.lib.world_table[2 * index] = low
        self.lib.world_table[2 * index + 1] = 1 << 18 | requester

    def linux_uses(self) -> None:
        self.entry(CARD, NIC, irte(0x41, 0x0C, logical=True))
        self.entry(DRIVE, DISK, irte(0x31, 1))
        self.entry(SERIAL, CHIP, irte(0x24, 0x0F, logical=True))
        self.entry(SCI, CHIP, irte(0x21, 1, level=True))
        self.set_hw_config(DISK, MSI_CAP + 2, 0x80 | MSI_ENABLE, 2)
        self.set_hw_config(DISK, MSI_CAP + 4, names(DRIVE))
        self.set_hw_config(NIC, MSIX_CAP + 2, MSIX_ENABLE, 2)
        for index, word in enumerate((names(CARD), 0, 0, 0)):
            self.lib.world_msix_table[4 * 2 + index] = word
        self.lib.world_pins[4] = pin_names(4, SERIAL)
        self.lib.world_pins[9] = pin_names(9, SCI, LEVEL)

    def register(self, reg: int, size: int = 4, write: int | None = None) -> tuple[int, int]:
        return self.mmio(0, UNIT + reg, size, write=write)

    def submit(self, *descriptors: tuple[int, int]) -> bool:
        """As Linux does: behind what is there, then the register."""
        for low, high in descriptors:
            self.lib.world_queue[self.tail // 8] = low
            self.lib.world_queue[self.tail // 8 + 1] = high
            self.tail = (self.tail + 16) % 4096
        return self.register(IQT, write=self.tail)[0] == HANDLED

    def change(self, index: int, low: int, mask: int = 0) -> None:
        """And waits for it."""
        self.lib.world_table[2 * index] = low
        done = self.lib.world_status_address()
        self.lib.world_status[0] = 0
        assert self.submit((0x4 | 1 << 4 | mask << 27 | index << 32, 0), (0x5 | 1 << 5 | 2 << 32, done))
        assert self.lib.world_status[0] == 2
        assert self.register(IQH, 8) == (HANDLED, self.tail)


@pytest.fixture
def world(hostlib: Any) -> World:
    world = World(hostlib)
    world.linux_uses()
    world.cell(0, ROOT, 0x0F)
    return world


def test_interrupts_of_linux_arrive_as_they_did(world: World) -> None:
    assert world.msi() == arrival(1, 0x31)
    assert world.msix(2) == arrival(0x0C, 0x41, LOGICAL)
    assert world.fires(4) == arrival(0x0F, 0x24, LOGICAL)
    assert world.fires(9) == arrival(1, 0x21, LEVEL_SENT)
    assert world.pin(9) & 0xFF == 9, "Linux ends it by that number"
    assert {(0x4031, 1), (0x4824, 0x0F), (0x4841, 0x0C)} <= set(world.sent()), "what came meanwhile"


def test_a_message_that_looks_the_same_in_both_tables_is_repeated(hostlib: Any) -> None:
    """What came before its entry was there is lost, though nothing changes in the device."""
    world = World(hostlib)
    world.linux_uses()
    world.entry(29, DISK, irte(0x31, 1))
    world.set_hw_config(DISK, MSI_CAP + 4, names(29))
    world.cell(0, ROOT, 0x0F)
    assert world.hw_config(DISK, MSI_CAP + 4) == names(29)
    assert world.sent().count((0x4031, 1)) == 1


def test_linux_reads_what_it_wrote(world: World) -> None:
    assert world.config_read(0, DISK, MSI_CAP + 4) == names(DRIVE)
    assert world.register(GSTS)[1] == QIES | IRES | 1 << 24
    assert world.register(IQT, 8) == world.register(IQH, 8) == (HANDLED, LINUX_TAIL)
    address = world.register(IRTA, 8)[1]
    assert address & 0xFFF == 7
    assert address != world.lib.world_register_wide(0, IRTA), "the unit has another one"
    assert world.register(IQA, 8)[1] != world.lib.world_register_wide(0, IQA)
    assert world.register(0x08, 8)[1] == world.lib.world_register_wide(0, 8)
    assert world.register(FSTS) == (HANDLED, 0)


def test_nobody_uses_entries_of_linux_table(world: World) -> None:
    """Neither by the unit, which does not have it, nor those of others in ours."""
    for index in (CARD, DRIVE, SERIAL, SCI):
        assert world.lib.world_interrupt(0, DISK, names(index), 0) == BLOCKED
    for requester in (NIC, STRANGER, CHIP):
        assert world.msi(requester=requester) == BLOCKED


def test_a_change_counts_when_linux_says_so(world: World) -> None:
    assert world.msi() == arrival(1, 0x31)
    world.change(DRIVE, irte(0x35, 3))
    assert world.msi() == arrival(3, 0x35)
    world.change(SCI, irte(0x29, 2, level=True))
    assert world.fires(9) == arrival(2, 0x29, LEVEL_SENT)
    assert world.msix(2) == arrival(0x0C, 0x41, LOGICAL)
    world.change(DRIVE, 0)
    assert world.msi() == BLOCKED, "not present"


def test_changes_of_many_at_once(world: World) -> None:
    world.lib.world_table[2 * SCI] = irte(0x29, 2, level=True)
    world.change(SERIAL, irte(0x25, 1), mask=3)
    assert world.fires(4) == arrival(1, 0x25)
    assert world.fires(9) == arrival(2, 0x29, LEVEL_SENT), "64 to 71"
    world.lib.world_table[2 * CARD] = irte(0x42, 1)
    world.lib.world_table[2 * DRIVE] = irte(0x32, 2)
    assert world.submit((0x4, 0))
    assert world.msix(2) == arrival(1, 0x42)
    assert world.msi() == arrival(2, 0x32)


def test_linux_gives_a_device_other_entries(world: World) -> None:
    world.entry(7, DISK, irte(0x61, 2))
    world.entry(8, DISK, irte(0x62, 3))
    assert world.program_msi(0, names(7), 0, messages=1)
    assert [world.msi(n) for n in (0, 1)] == [arrival(2, 0x61), arrival(3, 0x62)]
    world.change(DRIVE, irte(0x35, 3))
    assert world.msi() == arrival(2, 0x61), "that one is no longer its own"
    assert world.program_msi(0, names(300), 0)
    assert world.msi() == BLOCKED, "beyond the table"


@pytest.mark.parametrize(
    "low",
    [
        irte(0x31, 7), irte(0x31, 0xFF), irte(0x31, 0x10, logical=True), irte(0x08, 1),
        irte(0x31, 1) | 4 << 5, irte(0x31, 1) | 1 << 15, irte(0x31, 1) | 1 << 24, irte(0x31, 1) | 1 << 48,
    ],
    ids=["foreign CPU", "all CPUs", "foreign mask", "vector", "NMI", "posted", "reserved", "long destination"],
)  # fmt: skip
def test_entries_that_are_not_allowed_are_not_there(world: World, low: int) -> None:
    world.cell(1, CellConfig("cpu"), 0x80)
    world.change(DRIVE, low)
    assert world.msi() == BLOCKED
    world.change(DRIVE, irte(0x31, 2) | 1 << 1 | 0xF << 8)
    assert world.msi() == arrival(2, 0x31), "what is software's own does no harm"


def test_entries_follow_the_root_cells_cpus(world: World) -> None:
    world.sent()
    world.cell(1, CellConfig("cpu"), 0x04)
    assert world.msix(2) == arrival(0x08, 0x41, LOGICAL)
    assert (0x4841, 0x08) in world.sent()
    world.destroy(1)
    assert world.msix(2) == arrival(0x0C, 0x41, LOGICAL)


def test_a_device_and_a_pin_go_to_a_cell_and_back(world: World) -> None:
    """Which knows nothing of remapping; what Linux says of its entries meanwhile changes nothing."""
    world.cell(1, CellConfig("inmate", [AHCI], [Irqchip([9], requester=CHIP)]), 0x04)
    assert not world.program_msi(1, names(DRIVE), 0), "no message that names an entry"
    assert world.program_msi(1, to_cpu(2), 0x51)
    world.program_pin(1, 9, pin_entry(0x55, 2))
    world.change(DRIVE, irte(0x37, 1))
    world.change(SCI, irte(0x27, 1, level=True))
    assert world.msi() == arrival(2, 0x51)
    assert world.fires(9) == arrival(2, 0x55)
    world.destroy(1)
    assert world.fires(9) == arrival(1, 0x27, LEVEL_SENT)
    assert world.msi() == 0
    assert world.program_msi(0, names(DRIVE), 0)
    assert world.msi() == arrival(1, 0x37)


def test_entries_of_a_cell_do_not_come_from_linux(world: World) -> None:
    """From the moment on when it has the device, also before it uses it."""
    ours = 0xFEE00018 | 29 << 5
    assert world.lib.world_interrupt(0, DISK, ours, 0) == arrival(1, 0x31)
    world.cell(1, CellConfig("inmate", [AHCI]), 0x04)
    world.change(DRIVE, irte(0x37, 1))
    assert world.lib.world_interrupt(0, DISK, ours, 0) == BLOCKED


def test_a_pin_of_a_cell_is_not_refreshed_before_it_is_used(world: World) -> None:
    world.cell(1, CellConfig("inmate", (), [Irqchip([9], requester=CHIP)]), 0x04)
    world.change(SCI, irte(0x27, 1))
    assert world.fires(9) == 0
    world.program_pin(1, 9, pin_entry(0x55, 2))
    assert world.fires(9) == arrival(2, 0x55)


@pytest.mark.parametrize("tail", [0, 0x10, LINUX_TAIL, 0xFF0])
def test_disable_gives_linux_its_unit_back(hostlib: Any, tail: int) -> None:
    """Table, queue, and the place in it; the page of the queue is as it was."""
    world = World(hostlib, tail=tail)
    world.linux_uses()
    before = {reg: world.lib.world_register_wide(0, reg) for reg in (IRTA, IQA)}
    pins = list(world.lib.world_pins)
    world.cell(0, ROOT, 0x0F)
    world.lib.world_pins[9] |= REMOTE_IRR
    world.change(DRIVE, irte(0x35, 3))
    queue = list(world.lib.world_queue)
    world.lib.world_shutdown()
    assert world.lib.world_register(0, GSTS) == QIES | IRES | 1 << 24 | 1 << 30
    assert {reg: world.lib.world_register_wide(0, reg) for reg in before} == before
    assert world.lib.world_register_wide(0, IQH) == world.lib.world_register_wide(0, IQT) == world.tail
    assert list(world.lib.world_queue) == queue
    assert list(world.lib.world_pins) == pins
    assert world.hw_config(DISK, MSI_CAP + 4) == names(DRIVE)
    assert world.msi() == arrival(3, 0x35)
    assert world.fires(9) == arrival(1, 0x21, LEVEL_SENT)
    assert not world.lib.world_register(0, FSTS), "no descriptor was wrong"


def test_the_fault_event_is_linux_own_afterwards(world: World) -> None:
    """It moves it when the CPU leaves."""
    events = {FECTL: 1 << 31, FEDATA: 0x4022, FEADDR: 0xFEE03000, FEUADDR: 0x100}
    for reg, value in events.items():
        assert world.register(reg, write=value)[0] == HANDLED
        assert world.register(reg) == (HANDLED, value)
    assert world.lib.world_register(0, FEDATA) == 0x400, "still ours"
    world.lib.world_shutdown()
    assert {reg: world.lib.world_register(0, reg) for reg in events} == events


# --- A51 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("low_bits", range(4))
def test_a51_status_addresses_have_no_low_bits(world: World, low_bits: int) -> None:
    """At the end of a page that used to be the neighbour's first byte."""
    last = world.lib.world_status_address() + 0xFFC
    assert world.submit((0x5 | 1 << 5 | 0x1234 << 32, last | low_bits))
    assert world.lib.world_status[1023] == 0x1234


def test_a51_status_must_be_linux_memory(world: World) -> None:
    for elsewhere in (0x1000, (1 << 52) - 4, world.lib.world_status_address() + 0x1000):
        assert not world.submit((0x5 | 1 << 5 | 1 << 32, elsewhere))
        assert "FATAL: Invalid DMAR unit 0 write, reg: 0x88" in world.text()


@pytest.mark.parametrize("value", [0x240 | 0xF, 0x240 | 0x7F000, 0x240 | 0xFFF8000F])
def test_a51_tails_with_reserved_bits_end(world: World, value: int) -> None:
    world.lib.world_queue[0x230 // 8] = 0x4
    assert world.register(IQT, write=value)[0] == HANDLED
    assert world.register(IQH, 8) == (HANDLED, 0x240)


def test_a51_the_queue_goes_round(world: World) -> None:
    for n in range(300):
        world.change(DRIVE, irte(0x30 + n % 64, 1))
        assert world.msi() == arrival(1, 0x30 + n % 64)


@pytest.mark.parametrize("low", [0x0, 0x6, 0xF, 0x4 | 1 << 9])
def test_a51_unknown_descriptors_are_refused(world: World, low: int) -> None:
    assert not world.submit((low, 0))
    assert f"FATAL: Invalid/unsupported invalidation queue entry {low:#x}\n" in world.text()


@pytest.mark.parametrize("low", [0x1 | 1 << 4, 0x2 | 1 << 4, 0x3])
def test_what_concerns_dma_means_nothing(world: World, low: int) -> None:
    before = world.lib.world_invalidations
    assert world.submit((low, 0))
    assert world.lib.world_invalidations == before


@pytest.mark.parametrize(
    ("reg", "size", "value"), [(GCMD, 4, 0), (IRTA, 8, 0), (IQA, 8, 0), (0x20, 8, 0), (IQT, 2, 0), (0x82, 4, 0)]
)
def test_set_up_by_linux_is_over(world: World, reg: int, size: int, value: int) -> None:
    before = bytes(world.ffi.buffer(world.lib.world_table)), world.lib.world_register(0, GSTS)
    assert world.register(reg, size, write=value)[0] == ERROR
    assert "FATAL: Invalid DMAR unit 0 write" in world.text()
    assert (bytes(world.ffi.buffer(world.lib.world_table)), world.lib.world_register(0, GSTS)) == before


# --- Refusals, and the other mode ---------------------------------------------------------------------


def test_other_cells_have_no_unit(world: World) -> None:
    world.cell(1, CellConfig("inmate"), 0x04)
    assert world.mmio(1, UNIT + GSTS)[0] != HANDLED


@pytest.mark.parametrize(
    ("mode", "form", "said"),
    [
        (EIME, 0, "has entries for the other mode of the APICs"),
        (0, 1, "has a queue of another format"),
        (0, 1 << 11, "has a queue of another format"),
    ],
)
def test_what_could_not_be_given_back_is_refused(hostlib: Any, mode: int, form: int, said: str) -> None:
    world = World(hostlib)
    world.lib.irq_world_linux_remaps(mode, form, LINUX_TAIL)
    mapped = world.lib.world_mappings
    before = [world.lib.world_register_wide(0, reg) for reg in (IRTA, IQA, IQT)]
    assert world.try_cell(0, ROOT) != 0
    assert f"ERROR: DMAR unit 0 {said}\n" in world.text()
    assert world.lib.world_register(0, GSTS) == QIES | IRES | 1 << 24
    assert [world.lib.world_register_wide(0, reg) for reg in (IRTA, IQA, IQT)] == before
    assert world.lib.world_mappings == mapped
    assert world.lib.world_pages == 0


def test_too_few_entries_give_the_queue_back(hostlib: Any) -> None:
    world = World(hostlib)
    world.linux_uses()
    world.lib.irq_world_init(test_vtd_irq.CAP, ECAP, 8)
    world.lib.irq_world_linux_remaps(0, 0, LINUX_TAIL)
    before = [world.lib.world_register_wide(0, reg) for reg in (IRTA, IQA, IQT, IQH)]
    assert world.try_cell(0, ROOT) == -errno.E2BIG
    world.lib.world_shutdown()
    assert world.lib.world_register(0, GSTS) == QIES | IRES | 1 << 24
    assert [world.lib.world_register_wide(0, reg) for reg in (IRTA, IQA, IQT, IQH)] == before
    assert world.msi() == arrival(1, 0x31)


def test_clusters_of_x2apics(hostlib: Any) -> None:
    world = World(hostlib, x2apic=True)
    world.linux_uses()
    world.entry(DRIVE, DISK, irte(0x31, 0x0000000C, logical=True, x2apic=True))
    world.entry(CARD, NIC, irte(0x41, 2, x2apic=True))
    world.entry(SERIAL, CHIP, irte(0x24, 0x00010001, logical=True, x2apic=True))
    world.entry(SCI, CHIP, irte(0x21, 1, level=True, x2apic=True))
    world.cell(0, ROOT, 0xFF)
    assert world.msi() == arrival(0x0C, 0x31, LOGICAL)
    assert world.msix(2) == arrival(2, 0x41)
    assert world.fires(4) == BLOCKED, "a cluster that nobody is in"
    world.cell(1, CellConfig("cpu"), 0x04)
    assert world.msi() == arrival(0x08, 0x31, LOGICAL)
    world.change(DRIVE, irte(0x35, 0x000000F0, logical=True, x2apic=True) | 1 << 1 | 0xF << 8)
    assert world.msi() == arrival(0xF0, 0x35, LOGICAL)
    table = world.ffi.cast("u64 *", world.lib.world_register_wide(0, IRTA) & ~0xFFF)
    assert not table[2 * 29] & 0xF02, "Linux's own bits, and its wish not to hear of faults"
