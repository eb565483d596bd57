# SPDX-License-Identifier: GPL-2.0-only
"""The registry of trapped ranges (core/mmio.c), alone and with a change going on (bugs.md A11)."""

from __future__ import annotations

import random
from typing import Any

import pytest

SOURCES = ["hypervisor/core/mmio.c", "hypervisor/core/page_pool.c", "hypervisor/lib/bitmap.c",
           "hypervisor/lib/string.c", "mmio_wrapper.c", "percpu.c", "io.c", "printk.c", "memory.c",
           "hypervisor/core/paging.c", "hypervisor/arch/x86/paging.c", "hypervisor/arch/x86/svm/npt.c"]
CDEF = """
void fake_cell_init(unsigned int max);
void fake_register(u64 start, u64 size, long number);
void fake_unregister(u64 start);
u64 fake_read_at(u64 address, unsigned int size);
unsigned long fake_race(unsigned long rounds);
extern u64 fake_last_address;
extern char fake_log[];
struct mmio_access { u64 address; u64 value; unsigned int size; bool is_write; };
void mmio_perform(void *base, struct mmio_access *access);
"""
UNHANDLED = 2**64 - 1


@pytest.fixture
def mod(hostlib: Any) -> Any:
    return hostlib(SOURCES, CDEF, headers=["core/mmio.h"])


def answer(number: int) -> int:
    return 0xD00D0000 + number


def test_against_a_model(mod: Any) -> None:
    lib, dice = mod.lib, random.Random(11)
    lib.fake_cell_init(16)
    regions: dict[int, tuple[int, int]] = {}
    for number in range(1, 600):
        start, size = dice.randrange(0, 0x400, 4), dice.choice([4, 8, 0x20, 0x100])
        free = all(start + size <= s or s + z <= start for s, (z, _) in regions.items())
        if dice.random() < 0.5 and len(regions) < 16:
            lib.fake_register(start, size, number)
            if free:
                regions[start] = (size, number)
        elif regions:
            gone = dice.choice([dice.choice(sorted(regions)), start])
            lib.fake_unregister(gone)
            regions.pop(gone, None)
        for _ in range(20):
            at, width = dice.randrange(0x500), dice.choice([1, 2, 4, 8])
            expected = [(n, at - s) for s, (z, n) in regions.items() if s <= at and at + width <= s + z]
            assert lib.fake_read_at(at, width) == (answer(expected[0][0]) if expected else UNHANDLED)
            if expected:
                assert lib.fake_last_address == expected[0][1]


def test_overflow_and_overlap_warn(mod: Any) -> None:
    mod.lib.fake_cell_init(2)
    mod.lib.fake_register(0x1000, 0x1000, 1)
    mod.lib.fake_register(0x1FFF, 0x10, 2)
    assert b"overlaps another" in mod.ffi.string(mod.lib.fake_log)
    mod.lib.fake_register(0x2000, 0x10, 3)
    mod.lib.fake_register(0x3000, 0x10, 4)
    assert mod.ffi.string(mod.lib.fake_log).endswith(b"WARNING: Overflow during MMIO region registration!\n")
    assert mod.lib.fake_read_at(0x3000, 4) == UNHANDLED


@pytest.mark.parametrize("start", [0, 2**64 - 0x1000])
def test_ends_of_the_address_space(mod: Any, start: int) -> None:
    """A region up to the very end would wrap in arithmetic: it is refused, not mishandled."""
    mod.lib.fake_cell_init(2)
    mod.lib.fake_register(start, 0xFFF, 1)
    assert mod.lib.fake_read_at(start, 4) == answer(1)
    assert mod.lib.fake_read_at(start + 0xFFE, 2) == UNHANDLED
    assert mod.lib.fake_read_at(2**64 - 1, 8) == UNHANDLED


def test_lookup_while_regions_come_and_go(mod: Any) -> None:
    mod.lib.fake_cell_init(4)
    assert mod.lib.fake_race(100_000) == 0


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_perform(mod: Any, size: int) -> None:
    memory = mod.ffi.new("u8[16]", bytes(range(16)))
    access = mod.ffi.new("struct mmio_access *", {"address": 8, "size": size})
    mod.lib.mmio_perform(memory, access)
    assert access.value == int.from_bytes(bytes(range(8, 8 + size)), "little")
    access.value, access.is_write = 0x1122334455667788, True
    mod.lib.mmio_perform(memory, access)
    assert bytes(memory)[8:] == bytes([0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11])[:size] + bytes(range(8 + size, 16))
