# SPDX-License-Identifier: GPL-2.0-only
"""Descriptors of EL2 and stage 2 (arch/arm64/paging.c; DDI 0487, D8.3), and VTCR_EL2 by address width."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

SOURCES = ["hypervisor/core/paging.c", "hypervisor/core/page_pool.c", "hypervisor/lib/bitmap.c",
           "hypervisor/lib/string.c", "hypervisor/arch/arm64/paging.c", "memory.c", "printk.c", "arm64.c"]
CDEF = """
struct page_pool { void *base; unsigned long pages; unsigned long used; unsigned long *bitmap; bool zero; };
extern struct page_pool mem_pool;
struct page_table { const void *format; u64 *root; };
const void *stage2_init(unsigned int bits);
extern u64 stage2_vtcr;
extern unsigned int stage2_bits;
int page_table_init(struct page_table *pt, const void *format);
void page_table_free(struct page_table *pt);
int fake_map(struct page_table *pt, u64 virt, u64 phys, u64 size, unsigned int attrs);
int page_table_unmap(struct page_table *pt, u64 virt, u64 size);
void fake_read(const struct page_table *pt, u64 virt, u64 pages, u64 *out);
void fake_pool_init(struct page_pool *pool, unsigned long pages);
"""
PAGE, HUGE = 1 << 12, 1 << 21
READ, WRITE, EXECUTE, DEVICE, NO_HUGE = 1, 2, 4, 8, 16


@pytest.fixture
def mod(hostlib: Any) -> Any:
    return hostlib(SOURCES, CDEF, arch="arm64")


def table(mod: Any, bits: int) -> Any:
    pool = mod.ffi.addressof(mod.lib, "mem_pool")
    mod.lib.fake_pool_init(pool, 64)
    pool.zero = True
    pt = mod.ffi.new("struct page_table *")
    assert mod.lib.page_table_init(pt, mod.lib.stage2_init(bits)) == 0
    return pt


# bits of the machine: bits that cells get, T0SZ, SL0, PS, pages of the root table
WIDTHS = {
    36: (36, 28, 1, 1, 2),
    40: (40, 24, 1, 2, 2),
    42: (40, 24, 1, 3, 2),
    44: (44, 20, 2, 4, 1),
    48: (48, 16, 2, 5, 1),
}


@pytest.mark.parametrize("bits", WIDTHS)
def test_widths(mod: Any, bits: int) -> None:
    table(mod, bits)
    usable, t0sz, sl0, ps, pages = WIDTHS[bits]
    vtcr = mod.lib.stage2_vtcr
    assert mod.lib.stage2_bits == usable
    assert (vtcr & 0x3F, vtcr >> 6 & 3, vtcr >> 16 & 7) == (t0sz, sl0, ps)
    assert mod.lib.mem_pool.used == pages


def entry(mod: Any, pt: Any, virt: int, shifts: list[int]) -> tuple[int, int]:
    """The descriptor that translates virt, and the size it covers."""
    base = mod.ffi.cast("u64 *", pt.root)
    for number, shift in enumerate(shifts):
        value = base[(virt >> shift) & 511]
        if number == len(shifts) - 1 or value & 3 != 3:
            return int(value), 1 << shift
        base = mod.ffi.cast("u64 *", value & 0xFFFFFFFFF000)
    raise AssertionError


@pytest.mark.parametrize(("write", "execute", "device"), [*product([0, WRITE], [0, EXECUTE], [0, DEVICE])])
def test_leaves(mod: Any, write: int, execute: int, device: int) -> None:
    pt, attrs = table(mod, 48), READ | write | execute | device
    assert mod.lib.fake_map(pt, 0x40000000, 0x80000000, HUGE, attrs) == 0
    assert mod.lib.fake_map(pt, 0x50000000, 0x90001000, PAGE, attrs) == 0
    block, size = entry(mod, pt, 0x40000000, [39, 30, 21, 12])
    page, _ = entry(mod, pt, 0x50000000, [39, 30, 21, 12])
    assert size == HUGE
    assert (block & 3, page & 3) == (1, 3)
    for value, phys in ((block, 0x80000000), (page, 0x90001000)):
        assert value & 0xFFFFFFFFF000 == phys
        assert value >> 2 & 0xF == (1 if device else 0xF)  # nGnRE, or write-back
        assert value >> 6 & 3 == (3 if write else 1)
        assert value >> 8 & 3 == (0 if device else 3)
        assert value >> 10 & 1 == 1  # the access flag
        assert value >> 54 & 1 == (0 if execute else 1)


def test_write_only(mod: Any) -> None:
    pt = table(mod, 48)
    assert mod.lib.fake_map(pt, 0x40000000, 0x80000000, HUGE, WRITE) == 0
    value, _ = entry(mod, pt, 0x40000000, [39, 30, 21, 12])
    assert value >> 6 & 3 == 2


@pytest.mark.parametrize("bits", [40, 48])
def test_attributes_survive_split_and_merge(mod: Any, bits: int) -> None:
    pt, out = table(mod, bits), mod.ffi.new("u64[512]")
    empty = mod.lib.mem_pool.used
    for attrs in (READ | WRITE | EXECUTE, READ, READ | WRITE | DEVICE):
        assert mod.lib.fake_map(pt, 0x7FC00000, 0x40000000, HUGE, attrs) == 0
        whole = mod.lib.mem_pool.used
        assert mod.lib.page_table_unmap(pt, 0x7FC05000, PAGE) == 0
        assert mod.lib.mem_pool.used == whole + 1
        mod.lib.fake_read(pt, 0x7FC00000, 512, out)
        for n in range(512):
            expected = 2**64 - 1 if n == 5 else 0x40000000 + n * PAGE | attrs
            assert out[n] == expected
        assert mod.lib.fake_map(pt, 0x7FC05000, 0x40005000, PAGE, attrs) == 0
        assert mod.lib.mem_pool.used == whole
        assert mod.lib.page_table_unmap(pt, 0x7FC00000, HUGE) == 0
        assert mod.lib.mem_pool.used == empty


def test_both_root_tables_of_40_bits(mod: Any) -> None:
    """Addresses from 512 GiB on are in the second of two concatenated tables (D8.2.2)."""
    pt = table(mod, 40)
    assert mod.lib.fake_map(pt, 0x8000000000, 0x8000000000, HUGE, READ) == 0
    assert (pt.root[511], pt.root[512] & 3) == (0, 3)
