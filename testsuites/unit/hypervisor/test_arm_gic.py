# SPDX-License-Identifier: GPL-2.0-only
"""GIC registers as a cell sees them (arch/arm64/gic_dist.c), and list registers (inject.c).

The access matrix is size x offset x owner: what a cell does not own reads 0 and ignores writes, whatever
the size; what the architecture does not have (IHI 0069 12.1.3) does the same.
"""

from __future__ import annotations

from typing import Any

import pytest

SOURCES = ["hypervisor/arch/arm64/gic_dist.c", "hypervisor/arch/arm64/inject.c", "hypervisor/lib/bitmap.c",
           "hypervisor/lib/string.c", "gic_world.c", "percpu.c", "io.c", "printk.c"]
CDEF = """
void fake_world_init(unsigned int version);
void fake_own(unsigned int cell, unsigned int irq);
u64 fake_access(bool private, u64 address, unsigned int size, bool is_write, u64 value);
void fake_become_cpu(unsigned int cpu);
void fake_post(unsigned int cpu, unsigned int sgi, unsigned int source);
u32 fake_pending(unsigned int cpu);
void fake_priority(unsigned int cpu, unsigned int sgi, u8 priority);
void inject_physical(u32 irq, u8 priority);
void inject_pending(void);
void inject_forget_foreign(void);
extern u8 fake_dist[65536];
extern u8 fake_private[4][4096];
extern u64 fake_lrs[4][4];
extern u32 fake_maintenance[4];
extern u32 fake_kicks[4];
extern void (*fake_mmio_write)(void *address, unsigned int size, u64 value);
"""
OURS, THEIRS, NOBODYS = 40, 41, 70
PENDING, ACTIVE, HW = 1 << 62, 1 << 63, 1 << 61
BIT_REGISTERS = {"ISENABLER": 0x100, "ICENABLER": 0x180, "ISPENDR": 0x200, "ICPENDR": 0x280,
                 "ISACTIVER": 0x300, "ICACTIVER": 0x380}
UIE, NPIE = 2, 8


class World:
    def __init__(self, mod: Any, version: int) -> None:
        self.lib, self.ffi = mod.lib, mod.ffi
        self.lib.fake_world_init(version)
        self.lib.fake_own(1, OURS)
        self.lib.fake_own(1, 100)
        self.lib.fake_own(0, THEIRS)
        self.lib.fake_become_cpu(2)
        self.writes: list[tuple[int, int, int]] = []
        self._callback = self.ffi.callback("void(void *, unsigned int, u64)", self._note)
        self.lib.fake_mmio_write = self._callback

    def _note(self, address: Any, size: int, value: int) -> None:
        dist, at = int(self.ffi.cast("u64", self.lib.fake_dist)), int(self.ffi.cast("u64", address))
        self.writes.append((at - dist, size, value))
        self.ffi.buffer(address, size)[:] = value.to_bytes(size, "little")

    def read(self, address: int, size: int = 4, private: bool = False) -> int:
        return int(self.lib.fake_access(private, address, size, False, 0xDEAD))

    def write(self, address: int, value: int, size: int = 4, private: bool = False) -> None:
        self.lib.fake_access(private, address, size, True, value)

    def lrs(self, cpu: int = 2) -> list[int]:
        return [int(lr) for lr in self.lib.fake_lrs[cpu]]


@pytest.fixture(params=[2, 3], ids=["gicv2", "gicv3"])
def world(hostlib: Any, request: pytest.FixtureRequest) -> World:
    return World(hostlib(SOURCES, CDEF, arch="arm64"), request.param)


# --- the distributor's matrix -------------------------------------------------------


@pytest.mark.parametrize("name", BIT_REGISTERS)
def test_bits_of_own_interrupts_only(world: World, name: str) -> None:
    base = BIT_REGISTERS[name]
    for word in range(1, 8):
        world.lib.fake_dist[base + 4 * word] = 0xFF
        world.lib.fake_dist[base + 4 * word + 1] = 0xFF
        own = {1: 1 << (OURS - 32), 3: 1 << (100 - 96)}.get(word, 0)
        assert world.read(base + 4 * word) == own & 0xFFFF
        world.writes.clear()
        world.write(base + 4 * word, 0xFFFFFFFF)
        assert world.writes == ([(base + 4 * word, 4, own)] if own else [])


@pytest.mark.parametrize("size", [1, 2, 8])
def test_bit_registers_are_words(world: World, size: int) -> None:
    base = BIT_REGISTERS["ISENABLER"]
    world.lib.fake_dist[base + 5] = 0xFF
    assert world.read(base + 5 - 5 % size, size) == 0
    world.write(base + 5 - 5 % size, 0xFF, size)
    assert world.writes == []


@pytest.mark.parametrize("offset", [1, 2, 3])
def test_words_are_aligned(world: World, offset: int) -> None:
    for base in (*BIT_REGISTERS.values(), 0x400, 0xC00):
        assert world.read(base + 4 + offset) == 0
        world.write(base + 4 + offset, 0xFFFFFFFF)
    assert world.writes == []


@pytest.mark.parametrize(("irq", "own"), [(OURS, True), (THEIRS, False), (NOBODYS, False)])
def test_priority_bytes(world: World, irq: int, own: bool) -> None:
    world.lib.fake_dist[0x400 + irq] = 0xA0
    assert world.read(0x400 + irq, 1) == (0xA0 if own else 0)
    world.write(0x400 + irq, 0x50, 1)
    assert world.lib.fake_dist[0x400 + irq] == (0x50 if own else 0xA0)


def test_priority_words_leave_the_neighbours(world: World) -> None:
    for n in range(4):
        world.lib.fake_dist[0x400 + OURS + n] = 0x10 * (n + 1)
    assert world.read(0x400 + OURS) == 0x10
    world.write(0x400 + OURS, 0xF0F0F0F0)
    assert list(world.lib.fake_dist[0x400 + OURS : 0x404 + OURS]) == [0xF0, 0x20, 0x30, 0x40]


def test_configuration_two_bits_each(world: World) -> None:
    address = 0xC00 + OURS // 16 * 4
    world.write(address, 0xFFFFFFFF)
    assert int.from_bytes(bytes(world.lib.fake_dist[address : address + 4]), "little") == 3 << (OURS % 16 * 2)
    assert world.read(address) == 3 << (OURS % 16 * 2)


def test_group_is_fixed(world: World) -> None:
    assert world.read(0x84) == 1 << (OURS - 32)
    world.write(0x84, 0)
    assert world.writes == []


def test_control_can_only_be_read(world: World) -> None:
    world.lib.fake_dist[0] = 0x37
    assert world.read(0) == 0x37
    world.write(0, 0)
    assert world.writes == []


def test_message_based_spis(world: World) -> None:
    for irq in (OURS, THEIRS, NOBODYS, 3):
        world.write(0x40, irq)
        world.write(0x48, irq)
    assert world.writes == [(0x40, 4, OURS), (0x48, 4, OURS)]


@pytest.mark.parametrize("address", [0x10, 0xD00, 0xE00, 0xF00, 0x1000, 0x5FFC, 0x8000])
def test_everything_else_is_reserved(world: World, address: int) -> None:
    for at in range(4):
        world.lib.fake_dist[address + at] = 0xFF
    assert world.read(address) == 0
    world.write(address, 0xFFFFFFFF)
    assert world.writes == []


# --- INTIDs 0 to 31 -------------------------------------------------------------------


def test_own_interrupts_of_the_hypervisor_are_out_of_reach(world: World) -> None:
    """Physical SGIs 0 and 1 and the maintenance interrupt (bugs.md A10)."""
    for base in BIT_REGISTERS.values():
        world.write(base, 0xFFFFFFFF, private=True)
    private = int(world.ffi.cast("u64", world.lib.fake_private[2])) - int(world.ffi.cast("u64", world.lib.fake_dist))
    assert {value for at, size, value in world.writes if private <= at < private + 0x1000} == {0xFDFF0000}
    for irq in (0, 1, 25):
        world.lib.fake_private[2][0x400 + irq] = 0
        world.write(0x400 + irq, 0xF0, 1, private=True)
        assert world.lib.fake_private[2][0x400 + irq] == 0


def test_sgi_priorities_are_a_shadow(world: World) -> None:
    world.write(0x400, 0x40302010, private=True)
    assert world.read(0x400, private=True) == 0x40302010
    assert world.read(0x402, 1, private=True) == 0x30
    assert world.read(0x419, 1, private=True) == 0


def test_disabled_sgis_wait(world: World) -> None:
    world.write(BIT_REGISTERS["ICENABLER"], 1 << 5, private=True)
    assert not world.read(BIT_REGISTERS["ISENABLER"], private=True) & 1 << 5
    world.lib.fake_post(2, 5, 0)
    assert world.lrs() == [0] * 4
    assert world.read(BIT_REGISTERS["ISPENDR"], private=True) & 1 << 5
    world.write(BIT_REGISTERS["ISENABLER"], 1 << 5, private=True)
    assert [lr & 0x3FF for lr in world.lrs() if lr & PENDING] == [5]
    assert world.lib.fake_pending(2) == 0


# --- list registers ----------------------------------------------------------------------


def test_an_sgi_that_is_pending_is_one_and_an_active_one_comes_again(world: World) -> None:
    world.lib.fake_post(2, 3, 0)
    world.lib.fake_post(2, 3, 0)
    assert sum(bool(lr & PENDING) for lr in world.lrs()) == 1
    world.lib.fake_lrs[2][0] = (world.lib.fake_lrs[2][0] & ~PENDING) | ACTIVE
    world.lib.fake_post(2, 3, 0)
    assert world.lrs()[0] & PENDING
    assert world.lrs()[0] & ACTIVE
    assert world.lrs()[1:] == [0, 0, 0]


def test_an_sgi_to_another_cpu_is_kicked_once(hostlib: Any) -> None:
    world = World(hostlib(SOURCES, CDEF, arch="arm64"), 3)
    world.lib.fake_post(3, 4, 0)
    assert world.lib.fake_kicks[3] == 1 << 1
    world.lib.fake_kicks[3] = 0
    world.lib.fake_post(3, 4, 0)
    assert world.lib.fake_kicks[3] == 0  # it has not looked yet
    world.lib.fake_become_cpu(3)
    world.lib.inject_pending()
    assert [lr & 0x3FF for lr in world.lrs(3) if lr] == [4]


def test_the_urgent_one_takes_the_place_of_the_least_urgent(world: World) -> None:
    for irq, priority in ((33, 0xA0), (34, 0xC0), (35, 0xA0), (36, 0xB0)):
        world.lib.inject_physical(irq, priority)
        world.lib.fake_dist[0x400 + irq] = priority
    world.lib.inject_physical(37, 0x20)
    assert {lr & 0x3FF for lr in world.lrs()} == {33, 35, 36, 37}
    assert world.lib.fake_maintenance[2] == UIE | NPIE
    world.lib.inject_physical(38, 0xF0)
    world.lib.fake_dist[0x400 + 38] = 0xF0
    assert {lr & 0x3FF for lr in world.lrs()} == {33, 35, 36, 37}
    # Room for two: the more urgent of those that waited goes first.
    world.lib.fake_lrs[2][0] = 0
    world.lib.inject_pending()
    assert {lr & 0x3FF for lr in world.lrs()} == {34, 35, 36, 37}
    world.lib.fake_lrs[2][0] = 0
    world.lib.inject_pending()
    assert {lr & 0x3FF for lr in world.lrs()} == {38, 35, 36, 37}
    world.lib.inject_pending()
    assert world.lib.fake_maintenance[2] == 0


def test_active_ones_are_never_evicted(world: World) -> None:
    for irq in range(33, 37):
        world.lib.inject_physical(irq, 0xA0)
    for n in range(4):
        world.lib.fake_lrs[2][n] = (world.lib.fake_lrs[2][n] & ~PENDING) | ACTIVE
    world.lib.inject_physical(40, 0)
    assert {lr & 0x3FF for lr in world.lrs()} == {33, 34, 35, 36}
    assert world.lib.fake_maintenance[2] == UIE  # "none pending" would come at once, for ever


def test_spilled_sgis_come_back(world: World) -> None:
    world.lib.fake_priority(2, 7, 0xE0)
    world.lib.fake_post(2, 7, 0)
    for irq in range(33, 37):
        world.lib.inject_physical(irq, 0x80)
    assert 7 not in {lr & 0x3FF for lr in world.lrs()}
    assert world.lib.fake_pending(2) == 1 << 7
    world.lib.fake_lrs[2][2] = 0
    world.lib.inject_pending()
    assert 7 in {lr & 0x3FF for lr in world.lrs()}


def test_senders_are_kept_apart_on_gicv2(hostlib: Any) -> None:
    world = World(hostlib(SOURCES, CDEF, arch="arm64"), 2)
    world.lib.fake_post(2, 6, 2)
    world.lib.fake_post(2, 6, 3)
    assert {lr & 0x1FFF for lr in world.lrs() if lr} == {6 | 2 << 10, 6 | 3 << 10}


def test_physical_ones_are_deactivated_by_the_guest(world: World) -> None:
    world.lib.inject_physical(27, 0xA0)
    (lr, *_) = world.lrs()
    assert lr & HW
    assert (lr >> 32 & 0x3FF, lr & 0xFFFFFFFF, lr >> 48 & 0xFF) == (27, 27, 0xA0)


def test_interrupts_of_others_leave_the_list_registers(world: World) -> None:
    """A cell was created: THEIRS was root's when it came, and is not any more."""
    for irq in (THEIRS, OURS, 27, NOBODYS):
        world.lib.inject_physical(irq, 0xA0)
    world.lib.fake_lrs[2][3] = (world.lib.fake_lrs[2][3] & ~PENDING) | ACTIVE
    world.lib.inject_forget_foreign()
    gone, ours, private, active = world.lrs()
    assert gone == 0
    assert (ours & HW, ours & 0x3FF) == (HW, OURS)
    assert (private & HW, private & 0x3FF) == (HW, 27)
    # The guest is in its handler; what it ends there is no physical interrupt now.
    assert active == ACTIVE | 1 << 60 | 0xA0 << 48 | NOBODYS


def test_interrupts_of_others_wait_no_longer(world: World) -> None:
    for irq in (16, 17, 18, 19):
        world.lib.inject_physical(irq, 0)
    for irq in (THEIRS, OURS):
        world.lib.inject_physical(irq, 0xA0)
    world.lib.inject_forget_foreign()
    for n in range(4):
        world.lib.fake_lrs[2][n] = 0
    world.lib.inject_pending()
    assert [lr & 0x3FF for lr in world.lrs()] == [OURS, 0, 0, 0]
