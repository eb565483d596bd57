# SPDX-License-Identifier: GPL-2.0-only
"""Instruction fetch through page tables that a guest wrote."""

from __future__ import annotations

from typing import Any

import pytest
from apic_world import World

PG, PAE, LMA, L, D, LA57 = 1 << 31, 1 << 5, 1 << 10, 1 << 9, 1 << 10, 1 << 12
CODE = bytes(range(0x40, 0x4F))
PRESENT, HUGE = 1, 0x80


@pytest.fixture
def world(hostlib: Any) -> World:
    return World(hostlib)


def put(world: World, address: int, data: bytes) -> None:
    world.ffi.memmove(world.lib.world_memory + address, data, len(data))


def entry(world: World, address: int, value: int, size: int = 8) -> None:
    put(world, address, value.to_bytes(size, "little"))


def fetch(world: World, rip: int, base: int = 0, **state: int) -> bytes:
    s = world.ffi.new("struct vcpu_state *", {"rip": rip, "cs_base": base, **state})
    out = world.ffi.new("u8[15]")
    count = world.lib.vcpu_fetch(s, out)
    return bytes(out)[:count]


LONG = {"cr0": PG | 1, "cr3": 0x1000, "cr4": PAE, "efer": LMA, "cs_attr": L}


def test_without_paging(world: World) -> None:
    put(world, 0x12345, CODE)
    assert fetch(world, 0x345, 0x12000) == CODE
    put(world, 0x345, CODE)
    assert fetch(world, 0x1345, 0xFFFFF000, cs_attr=D) == CODE, "linear addresses wrap at 4 GiB"


def test_end_of_memory(world: World) -> None:
    put(world, 0xFFFF9, CODE[:7])
    assert fetch(world, 0xFFFF9, cs_attr=D) == CODE[:7]
    assert fetch(world, 0x100000, cs_attr=D) == b""


def long_tables(world: World, linear: int, pages: list[int]) -> None:
    """Four levels at 0x1000, 0x2000, 0x3000, 0x4000 for consecutive pages."""
    for n, (table, shift) in enumerate(((0x1000, 39), (0x2000, 30), (0x3000, 21))):
        entry(world, table + (linear >> shift & 0x1FF) * 8, (0x2000 + n * 0x1000) | PRESENT)
    for n, page in enumerate(pages):
        entry(world, 0x4000 + ((linear >> 12 & 0x1FF) + n) * 8, page | PRESENT | 1 << 63)


@pytest.mark.parametrize("linear", [0x7F1234567000, 0xFFFFFFFF81000000])
def test_four_levels(world: World, linear: int) -> None:
    long_tables(world, linear, [0x8000])
    put(world, 0x8100, CODE)
    assert fetch(world, linear + 0x100, **LONG) == CODE


@pytest.mark.parametrize("split", range(1, 15))
def test_a20_across_pages(world: World, split: int) -> None:
    long_tables(world, 0x400000, [0x9000, 0x6000])
    put(world, 0xA000 - split, CODE[:split])
    put(world, 0x6000, CODE[split:])
    assert fetch(world, 0x401000 - split, **LONG) == CODE


def test_second_page_missing(world: World) -> None:
    long_tables(world, 0x400000, [0x9000])
    put(world, 0x9FFC, CODE[:4])
    assert fetch(world, 0x400FFC, **LONG) == CODE[:4]


def test_huge_pages(world: World) -> None:
    entry(world, 0x1000, 0x2000 | PRESENT)
    entry(world, 0x2000, 0x3000 | PRESENT)
    entry(world, 0x3000, 0x000000 | PRESENT | HUGE)
    put(world, 0x54321, CODE)
    assert fetch(world, 0x54321, **LONG) == CODE
    entry(world, 0x2000, PRESENT | HUGE)
    assert fetch(world, 0x54321, **LONG) == CODE


def test_five_levels(world: World) -> None:
    entry(world, 0x5000, 0x1000 | PRESENT)
    long_tables(world, 0x400000, [0x8000])
    put(world, 0x8000, CODE)
    assert fetch(world, 0x400000, **{**LONG, "cr3": 0x5000, "cr4": PAE | LA57}) == CODE


def test_pae(world: World) -> None:
    entry(world, 0x1020 + 3 * 8, 0x2000 | PRESENT)
    entry(world, 0x2000 + 5 * 8, 0x3000 | PRESENT)
    entry(world, 0x3000 + 7 * 8, 0x8000 | PRESENT)
    put(world, 0x8010, CODE)
    linear = 3 << 30 | 5 << 21 | 7 << 12 | 0x10
    assert fetch(world, linear, cr0=PG | 1, cr3=0x1020, cr4=PAE, cs_attr=D) == CODE


def test_two_levels(world: World) -> None:
    entry(world, 0x1000 + 0x300 * 4, 0x2000 | PRESENT, 4)
    entry(world, 0x2000 + 0x3FF * 4, 0x8000 | PRESENT, 4)
    put(world, 0x8FF0, CODE)
    linear = 0x300 << 22 | 0x3FF << 12 | 0xFF0
    assert fetch(world, linear, cr0=PG | 1, cr3=0x1000, cs_attr=D) == CODE
    entry(world, 0x1000, PRESENT | HUGE, 4)
    assert fetch(world, 0x8FF0, cr0=PG | 1, cr3=0x1000, cr4=1 << 4, cs_attr=D) == CODE


def test_tables_that_point_at_themselves_or_nowhere(world: World) -> None:
    entry(world, 0x1000, 0x1000 | PRESENT)
    assert fetch(world, 0, **LONG)[:8] == (0x1000 | PRESENT).to_bytes(8, "little")
    entry(world, 0x1000, 0xFFFFFFFFFF000 | PRESENT)
    assert fetch(world, 0, **LONG) == b""
    assert fetch(world, 0, **{**LONG, "cr3": 0xFFFFFFFFFFFFFFFF}) == b""


def test_any_bytes_as_tables(world: World) -> None:
    """No table content may lead anywhere but to the cell's memory (sanitizers watch)."""
    import random

    source = random.Random(1)
    world.ffi.memmove(world.lib.world_memory, source.randbytes(0x100000), 0x100000)
    for _ in range(3000):
        fetch(
            world, source.getrandbits(64), source.getrandbits(32), cr0=PG | 1, cr3=source.getrandbits(20),
            cr4=source.choice([0, PAE, PAE | LA57]), efer=source.choice([0, LMA]), cs_attr=source.choice([0, L, D]),
        )  # fmt: skip


def peeks(world: World, rip: int, expected: bytes, **state: int) -> int:
    """How often memory was looked up for a fetch of what is expected there."""
    before = world.lib.world_peeks()
    assert fetch(world, rip, **{**LONG, **state}) == expected
    return int(world.lib.world_peeks()) - before


WALK, AGAIN = 5, 0


def test_the_same_way_is_not_walked_twice(world: World) -> None:
    long_tables(world, 0x400000, [0x9000, 0x6000])
    put(world, 0x9000, CODE * 2)
    assert peeks(world, 0x400000, CODE) == WALK
    assert peeks(world, 0x400000, CODE) == AGAIN
    assert peeks(world, 0x40000F, CODE) == AGAIN
    put(world, 0x900F, CODE[::-1])
    assert peeks(world, 0x40000F, CODE[::-1]) == AGAIN, "the code is read, not remembered"
    assert peeks(world, 0x401000, bytes(15)) == WALK, "another page"
    assert peeks(world, 0x400000, CODE) == WALK


@pytest.mark.parametrize("table", [0x1000, 0x2000, 0x3000, 0x4000])
def test_a_changed_entry_of_any_level_is_noticed(world: World, table: int) -> None:
    linear = 0x123456789000
    long_tables(world, linear, [0x9000])
    put(world, 0x9000, CODE)
    assert peeks(world, linear, CODE) == WALK
    shift = 12 + 9 * (4 - table // 0x1000)
    entry(world, table + (linear >> shift & 0x1FF) * 8, 0xC000 | PRESENT)
    entry(world, 0xC000 + (linear >> max(shift - 9, 12) & 0x1FF) * 8, 0)
    there = b"" if table < 0x4000 else bytes(15)
    assert peeks(world, linear, there) == (table // 0x1000 + 1)
    long_tables(world, linear, [0x9000])
    assert peeks(world, linear, CODE) == WALK


def test_what_else_makes_it_another_way(world: World) -> None:
    long_tables(world, 0x400000, [0x9000, 0x6000])
    put(world, 0x9000, CODE)
    put(world, 0x9FF8, CODE[:8])
    put(world, 0x6000, CODE[8:])
    entry(world, 0x5000, 0x2000 | PRESENT)
    assert peeks(world, 0x400000, CODE) == WALK
    assert peeks(world, 0x400000, CODE, cr3=0x5000) == WALK
    assert peeks(world, 0x400000, CODE, cr3=0x5000) == AGAIN
    world.lib.page_table_generation += 1
    assert peeks(world, 0x400000, CODE, cr3=0x5000) == WALK
    # Across two pages: the windows show the second one's entries, none is kept.
    assert peeks(world, 0x400FF8, CODE) == 2 * WALK
    assert peeks(world, 0x400FF8, CODE) == 2 * WALK
    assert peeks(world, 0x400000, CODE) == WALK
    # Without paging, and back.
    put(world, 0x400000 & 0xFFFFF, CODE[::-1])
    assert fetch(world, 0x0, cs_attr=D) == CODE[::-1]
    assert peeks(world, 0x400000, CODE) == WALK


def test_another_cell_on_the_cpu(world: World) -> None:
    long_tables(world, 0x400000, [0x9000])
    put(world, 0x9000, CODE)
    assert peeks(world, 0x400000, CODE) == WALK
    world.lib.world_other_tables(True)
    assert peeks(world, 0x400000, CODE) == WALK
    assert peeks(world, 0x400000, CODE) == AGAIN
