# SPDX-License-Identifier: GPL-2.0-only
"""Guests' local APIC: interrupts between CPUs, register policy, both hardware modes.

QEMU's Linux stays in xAPIC mode, so physical x2APIC is tested here only.
"""

from __future__ import annotations

from typing import Any

import pytest
from apic_world import (
    ALL,
    ASSERT,
    EXTINT,
    FIXED,
    IDS,
    INIT,
    INIT_MODE,
    LEVEL,
    LOGICAL,
    LOWEST,
    NMI,
    OTHERS,
    SELF,
    SIPI,
    SMI,
    World,
)  # fmt: skip

OUTSIDE = "WARNING: CPU 2 specified IPI destination outside cell boundaries, ICR.hi="
CELL = (2, 4, 5, 6)
VECTOR = 0x31


@pytest.fixture(params=[False, True], ids=["xapic", "x2apic"])
def world(request: pytest.FixtureRequest, hostlib: Any) -> World:
    return World(hostlib, x2apic=request.param)


@pytest.fixture
def x2(hostlib: Any) -> World:
    return World(hostlib, x2apic=True)


@pytest.fixture
def xapic(hostlib: Any) -> World:
    return World(hostlib)


def sent(world: World) -> list[tuple[int, int]]:
    """(destination, low half) of what went out, in either mode."""
    found, high = [], 0
    for where, value in world.take():
        if where == 0x830:
            found.append((value >> 32, value & 0xFFFFFFFF))
        elif where == 0x310:
            high = value
        elif where == 0x300:
            found.append((high >> 24, value))
    return found


# --- sending ---------------------------------------------------------------------


def test_fixed_to_own_cpus(world: World) -> None:
    for cpu in CELL:
        assert world.icr(FIXED | ASSERT | VECTOR, IDS[cpu]) == "done"
        assert sent(world) == [(IDS[cpu], FIXED | ASSERT | VECTOR)]
    assert world.log() == ""


def test_foreign_and_unknown_destinations_are_dropped(world: World) -> None:
    for dest in (0, 1, 3, 0x55, 0xFE):
        assert world.icr(FIXED | ASSERT | VECTOR, dest) == "done"
        assert sent(world) == []
        assert world.log() == f"{OUTSIDE}{dest:x}\n"


def test_shorthands(world: World) -> None:
    low = FIXED | ASSERT | VECTOR
    assert world.icr(low | SELF, 0) == "done"
    # The hardware's own shorthand: the destination is no matter.
    assert sent(world) == [(0, low | SELF)]
    assert world.icr(low | ALL, 0) == "done"
    assert sent(world) == [(IDS[cpu], low) for cpu in CELL]
    assert world.icr(low | OTHERS, 0) == "done"
    assert sent(world) == [(IDS[cpu], low) for cpu in CELL if cpu != 2]


def test_broadcast_stays_in_the_cell(world: World) -> None:
    assert world.icr(FIXED | ASSERT | VECTOR, 0xFFFFFFFF) == "done"
    assert [dest for dest, _ in sent(world)] == [IDS[cpu] for cpu in CELL]


def test_cluster_destinations(world: World) -> None:
    """x2APIC format: cluster 1 has CPUs 4, 5, 6; cluster 0 CPU 2 and three foreign ones."""
    low = FIXED | ASSERT | VECTOR
    assert world.icr(low | LOGICAL, 1 << 16 | 0b101) == "done"
    assert sent(world) == [(0x10, low), (0x12, low)]
    assert world.icr(low | LOGICAL, 0b1111) == "done"
    assert sent(world) == [(2, low)]
    assert OUTSIDE in world.log()


def test_lowest_priority_reaches_one_cpu(world: World) -> None:
    assert world.icr(LOWEST | LOGICAL | ASSERT | VECTOR, 1 << 16 | 0b111) == "done"
    assert sent(world) == [(0x10, FIXED | ASSERT | VECTOR)]


@pytest.mark.parametrize("mode", [SMI, EXTINT, 0x300])
@pytest.mark.parametrize("shorthand", [0, SELF, ALL, OTHERS])
def test_refused_delivery_modes(world: World, mode: int, shorthand: int) -> None:
    assert world.icr(mode | shorthand | VECTOR, 2) == "fatal"
    assert sent(world) == []
    text = world.log()
    assert text.startswith(f"FATAL: Unsupported/invalid APIC delivery mode, ICR.lo={mode | shorthand | VECTOR:x}")
    assert 'cell "cell", CPU 2' in text


@pytest.mark.parametrize("mode", [LOWEST, NMI, INIT_MODE, SIPI])
@pytest.mark.parametrize("shorthand", [SELF, ALL])
def test_shorthands_refused_with_these_modes(world: World, mode: int, shorthand: int) -> None:
    assert world.icr(mode | shorthand | ASSERT, 0) == "fatal"


@pytest.mark.parametrize("bit", [13, 16, 17, *range(20, 32)])
def test_reserved_bits_of_the_icr(world: World, bit: int) -> None:
    assert world.icr(FIXED | VECTOR | 1 << bit, 2) == "fatal"
    assert world.log().startswith("FATAL: Trying to set reserved APIC bits (reg 30,")
    assert sent(world) == []


def test_a63_nmi_ipis_are_dropped_with_a_line(world: World) -> None:
    assert world.icr(NMI | ASSERT, IDS[4]) == "done"
    assert sent(world) == []
    assert world.log() == "Ignoring NMI IPI to CPU 4\n"
    assert world.icr(NMI | ASSERT | OTHERS, 0) == "done"
    assert world.log() == "".join(f"Ignoring NMI IPI to CPU {cpu}\n" for cpu in (4, 5, 6))


def test_icr_counts_as_itself(world: World) -> None:
    world.icr(FIXED | VECTOR, 2)
    assert world.lib.world_stat(2, 11) == 1
    assert world.lib.world_stat(2, 10) == 0


# --- INIT and SIPI ---------------------------------------------------------------

KICK = NMI | ASSERT


def test_init_then_sipi(world: World) -> None:
    assert world.icr(INIT_MODE | ASSERT | LEVEL, IDS[4]) == "done"
    assert sent(world) == [(IDS[4], KICK)]
    assert world.events(4) == [INIT]
    assert world.icr(INIT_MODE | LEVEL, IDS[4]) == "done", "de-assert"
    assert sent(world) == []
    assert world.events(4) == []
    assert world.icr(SIPI | ASSERT | 0x9A, IDS[4]) == "done"
    assert sent(world) == [(IDS[4], KICK)]
    assert world.events(4) == [0x9A]
    assert world.icr(SIPI | ASSERT | 0x9A, IDS[4]) == "done", "Linux sends two"
    assert sent(world) == []
    assert world.events(4) == []


def test_sipi_before_the_target_has_seen_init(world: World) -> None:
    world.icr(INIT_MODE | ASSERT, IDS[5])
    world.icr(SIPI | ASSERT | 8, IDS[5])
    assert world.events(5) == [INIT, 8]


def test_sipi_without_init_is_ignored(world: World) -> None:
    world.icr(SIPI | ASSERT | 8, IDS[5])
    assert sent(world) == []
    assert world.events(5) == []


def test_second_init_voids_the_sipi(world: World) -> None:
    world.icr(INIT_MODE | ASSERT, IDS[5])
    world.icr(SIPI | ASSERT | 8, IDS[5])
    world.icr(INIT_MODE | ASSERT, IDS[5])
    assert world.events(5) == [INIT]


def test_failed_cpus_stay_where_they_are(world: World) -> None:
    world.lib.world_set_failed(5, True)
    for low in (INIT_MODE | ASSERT, SIPI | ASSERT | 8):
        assert world.icr(low, IDS[5]) == "done"
    assert sent(world) == []
    assert world.events(5) == []


def test_init_of_foreign_cpus(world: World) -> None:
    for dest in (0, 1, 3, 0xFE):
        world.icr(INIT_MODE | ASSERT, dest)
        world.icr(SIPI | ASSERT | 8, dest)
    assert sent(world) == []
    assert [world.events(cpu) for cpu in (0, 1, 3, 7)] == [[]] * 4
    world.icr(INIT_MODE | ASSERT | OTHERS, 0)
    assert [world.events(cpu) for cpu in range(8)] == [[], [], [], [], [INIT], [INIT], [INIT], []]


# --- xAPIC hardware --------------------------------------------------------------


def test_xapic_icr_keeps_the_upper_half(xapic: World) -> None:
    """A guest may be between its two writes when something else is sent."""
    assert xapic.xapic_write(0x310, 0x10000000) == "done"
    xapic.take()
    xapic.icr(INIT_MODE | ASSERT, IDS[5])
    assert xapic.take() == [(0x310, 0x11000000), (0x300, KICK), (0x310, 0x10000000)]
    assert xapic.xapic_write(0x300, FIXED | VECTOR) == "done"
    assert sent(xapic) == [(0x10, FIXED | VECTOR)]


def test_xapic_flat_destinations_are_trimmed(xapic: World) -> None:
    low = FIXED | LOGICAL | VECTOR
    xapic.xapic_write(0x310, 0xFF << 24)
    xapic.take()
    assert xapic.xapic_write(0x300, low) == "done"
    assert sent(xapic) == [(0b0111_0100, low)]
    assert f"{OUTSIDE}ff000000" in xapic.log()
    xapic.xapic_write(0x310, 0b1000_1011 << 24)
    xapic.take()
    assert xapic.xapic_write(0x300, low) == "done"
    assert sent(xapic) == []


@pytest.mark.parametrize(("offset", "value", "outcome"), [
    (0x020, 5 << 24, "done"), (0x080, 0x20, "done"), (0x080, 0x100, "fatal"), (0x0B0, 0, "done"),
    (0x0D0, 1 << 26, "done"), (0x0D0, 1 << 24, "fatal"), (0x0E0, 0xFFFFFFFF, "done"), (0x0E0, 0, "fatal"),
    (0x0F0, 0x1FF, "done"), (0x0F0, 0x400, "fatal"), (0x280, 0, "done"), (0x320, 0x20030, "done"),
    (0x350, 0x10700, "done"), (0x350, 0x700, "fatal"), (0x360, 0x400, "done"), (0x360, 0x200, "fatal"),
    (0x320, 0x80000, "fatal"), (0x380, 0xFFFFFFFF, "done"), (0x3E0, 0xB, "done"), (0x3E0, 4, "fatal"),
    (0x030, 0, "done"), (0x390, 1, "done"), (0x000, 0, "fatal"), (0x084, 0, "fatal"), (0x3F0, 0, "fatal"),
    (0x540, 0, "fatal"), (0xFF0, 0, "fatal"),
])  # fmt: skip
def test_xapic_registers(xapic: World, offset: int, value: int, outcome: str) -> None:
    assert xapic.xapic_write(offset, value) == outcome
    written = [offset, value] if outcome == "done" and offset not in (0x020, 0x030, 0x390) else []
    assert [x for pair in xapic.take() for x in pair] == written
    assert xapic.lib.world_stat(2, 5) == 1


def test_a52_masked_extint(xapic: World) -> None:
    assert xapic.xapic_write(0x350, 0x10700) == "done"
    assert xapic.xapic_write(0x350, 0x00700) == "fatal"
    assert xapic.log().startswith("FATAL: Setting invalid LVT delivery mode (reg 35, value 00000700)")


def test_root_may_connect_the_pic(xapic: World) -> None:
    xapic.become(0)
    assert xapic.xapic_write(0x350, 0x00700) == "done"
    assert xapic.xapic_write(0x370, 0x00700) == "fatal"


@pytest.mark.parametrize("size", [1, 2, 8])
def test_xapic_takes_four_bytes_only(xapic: World, size: int) -> None:
    assert xapic.xapic_write(0x80, 0, size) == "fatal"
    assert xapic.log().startswith("FATAL: Unhandled APIC access, offset 128, is_write: 1")


def test_xapic_page_in_x2apic_mode(x2: World) -> None:
    assert x2.xapic_write(0x80, 0) == "fatal"
    assert x2.log().startswith("FATAL: xAPIC access in x2APIC mode")


# --- x2APIC registers on xAPIC hardware (abi.md 7.3, decisions.md 21) ------------


def test_x2apic_msrs_are_translated(xapic: World) -> None:
    assert xapic.rdmsr(0x802) == 2
    xapic.become(4)
    assert xapic.rdmsr(0x802) == 0x10
    assert xapic.rdmsr(0x80D) == 1 << 16 | 1
    xapic.lib.world_apic[0x30], xapic.lib.world_apic[0x31] = 0x4031, 0x12000000
    assert xapic.rdmsr(0x830) == 0x12 << 32 | 0x4031
    assert xapic.wrmsr(0x80F, 0x1FF) == "done"
    assert xapic.wrmsr(0x80B, 0) == "done"
    assert xapic.take() == [(0xF0, 0x1FF), (0xB0, 0)]
    assert xapic.wrmsr(0x83F, 0x77) == "done"
    assert sent(xapic) == [(0, SELF | ASSERT | 0x77)]


# This APIC has six LVT entries: no CMCI (0x82f).
READABLE = {0x802, 0x803, 0x808, 0x80A, 0x80D, *range(0x80F, 0x829), 0x830, *range(0x832, 0x83A), 0x83E}
WRITABLE = {0x808, 0x80B, 0x80F, 0x828, 0x830, *range(0x832, 0x839), 0x83E, 0x83F}


def test_x2apic_msrs_that_exist(xapic: World) -> None:
    assert {msr for msr in range(0x800, 0x840) if xapic.rdmsr(msr) != "gp"} == READABLE
    assert {msr for msr in range(0x800, 0x840) if xapic.wrmsr(msr, 0) != "gp"} == WRITABLE


def test_values_that_a_register_cannot_hold(xapic: World) -> None:
    assert xapic.wrmsr(0x80B, 1) == "gp"
    assert xapic.wrmsr(0x808, 1 << 32) == "gp"
    assert xapic.wrmsr(0x83F, 0x100) == "gp"
    assert xapic.wrmsr(0x80F, 0x400) == "fatal"


# --- set-up ----------------------------------------------------------------------


def test_apic_ids(world: World) -> None:
    assert [world.lib.world_apic_to_cpu(apic_id) for apic_id in IDS] == list(range(8))
    assert world.lib.world_apic_to_cpu(0x20) == world.lib.world_apic_to_cpu(0xFFFFFFFF) == 0xFFFFFFFF


@pytest.mark.parametrize(("ids", "error"), [((0, 1, 2, 2, 4, 5, 6, 7), -16), ((0, 1, 255, 3, 4, 5, 6, 7), -34)])
def test_bad_apic_ids(hostlib: Any, ids: tuple[int, ...], error: int) -> None:
    from apic_world import CDEF, SOURCES

    lib = hostlib(SOURCES, CDEF).lib
    assert lib.world_init(True, list(ids), 0) == error


@pytest.mark.parametrize(("wanted", "x2apic", "error"), [
    (0, False, 0), (0, True, 0), (1, False, 0), (1, True, -5), (2, True, 0), (2, False, -5),
])  # fmt: skip
def test_configured_mode(hostlib: Any, wanted: int, x2apic: bool, error: int) -> None:
    from apic_world import CDEF, SOURCES

    mod = hostlib(SOURCES, CDEF)
    mod.lib.world_set_apic_mode(wanted)
    assert mod.lib.world_init(x2apic, list(IDS), 0) == error
    line = mod.ffi.string(mod.lib.fake_log).decode()
    assert line == f"Using {'x2APIC' if x2apic else 'xAPIC'}\n"


def test_reset_of_the_local_apic(world: World) -> None:
    """abi.md 7.1, decisions.md 7."""
    apic = world.lib.world_apic
    for reg in (0x32, 0x33, 0x34, 0x35, 0x36, 0x37):
        apic[reg] = 0x40000 | reg if reg == 0x32 else reg
    apic[8], apic[0x38], apic[0x3E], apic[0x20] = 0x20, 1000, 0xB, 1 << 5
    world.lib.apic_clear()
    assert [apic[reg] for reg in (0x32, 0x33, 0x34, 0x35, 0x36, 0x37)] == [
        0x10000 | reg for reg in (0x32, 0x33, 0x34, 0x35, 0x36, 0x37)
    ]
    assert (apic[8], apic[0xF], apic[0x38], apic[0x3E]) == (0, 0xFF, 0, 3)
    assert world.lib.world_accepted == 1
