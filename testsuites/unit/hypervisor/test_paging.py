# SPDX-License-Identifier: GPL-2.0-only
"""The page-table engine against a dictionary: contents, canonical form, failure without effect."""

from __future__ import annotations

import errno
import random
from typing import Any

import pytest

SOURCES = ["hypervisor/core/paging.c", "hypervisor/core/page_pool.c", "hypervisor/lib/bitmap.c",
           "hypervisor/lib/string.c", "hypervisor/arch/x86/paging.c", "memory.c", "printk.c"]
CDEF = """
struct page_pool { void *base; unsigned long pages; unsigned long used; unsigned long *bitmap; bool zero; };
extern struct page_pool mem_pool;
struct page_table { const void *format; u64 *root; };
const void *fake_format_init(unsigned int huge_levels);
int page_table_init(struct page_table *pt, const void *format);
void page_table_free(struct page_table *pt);
int fake_map(struct page_table *pt, u64 virt, u64 phys, u64 size, unsigned int attrs);
int page_table_unmap(struct page_table *pt, u64 virt, u64 size);
void fake_read(const struct page_table *pt, u64 virt, u64 pages, u64 *out);
void fake_pool_init(struct page_pool *pool, unsigned long pages);
void *page_alloc(struct page_pool *pool, unsigned int num);
void page_free(struct page_pool *pool, void *first, unsigned int num);
"""
PAGE, HUGE, GIANT = 1 << 12, 1 << 21, 1 << 30
READ, WRITE, EXECUTE, DEVICE, NO_HUGE = 1, 2, 4, 8, 16
NOTHING = 2**64 - 1
BASE = 0x40000000
WINDOW = 3 * HUGE // PAGE  # pages that the random test plays with


class Tables:
    """One table, and what is expected in its window."""

    def __init__(self, mod: Any, pool_pages: int = 600, huge_levels: int = 1) -> None:
        self.lib, self.ffi = mod.lib, mod.ffi
        self.pool = self.ffi.addressof(self.lib, "mem_pool")
        self.lib.fake_pool_init(self.pool, pool_pages)
        self.pool.zero = True
        self.format = self.lib.fake_format_init(huge_levels)
        self.pt = self.ffi.new("struct page_table *")
        assert self.lib.page_table_init(self.pt, self.format) == 0
        self.model: dict[int, int] = {}

    def map(self, virt: int, phys: int, size: int, attrs: int) -> int:
        err = int(self.lib.fake_map(self.pt, virt, phys, size, attrs))
        if not err:
            for offset in range(0, size, PAGE):
                self.model[virt + offset] = (phys + offset) | attrs
        return err

    def unmap(self, virt: int, size: int) -> int:
        err = int(self.lib.page_table_unmap(self.pt, virt, size))
        if not err:
            for offset in range(0, size, PAGE):
                self.model.pop(virt + offset, None)
        return err

    def contents(self, virt: int, pages: int) -> list[int]:
        out = self.ffi.new("u64[]", pages)
        self.lib.fake_read(self.pt, virt, pages, out)
        return list(out)

    def check(self, virt: int = BASE, pages: int = WINDOW) -> None:
        expected = [self.model.get(virt + n * PAGE, NOTHING) for n in range(pages)]
        assert self.contents(virt, pages) == expected

    def canonical_tables(self) -> int:
        """Tables that the contents need at best, for huge pages of 2 MiB: the definition, not the code."""
        pages = set(self.model)
        small = 0
        for start in {v & ~(HUGE - 1) for v in pages}:
            entries = [self.model.get(start + n * PAGE) for n in range(512)]
            first = entries[0]
            uniform = (
                first is not None and not first & NO_HUGE and (first & ~0xFFF) % HUGE == 0
                and entries == [first + n * PAGE for n in range(512)]
            )
            small += not uniform
        return 1 + len({v >> 39 for v in pages}) + len({v >> 30 for v in pages}) + small


@pytest.fixture
def mod(hostlib: Any) -> Any:
    return hostlib(SOURCES, CDEF, headers=["core/paging.h"])


def random_change(tables: Tables, dice: random.Random) -> int:
    size = dice.choice([1, 1, 2, 5, 100, 511, 512, 513, 1024]) * PAGE
    virt = BASE + dice.randrange(0, WINDOW * PAGE - size + PAGE, dice.choice([PAGE, HUGE]))
    size = min(size, BASE + WINDOW * PAGE - virt)
    if dice.random() < 0.4:
        return tables.unmap(virt, size)
    phys = dice.choice([virt, virt, dice.randrange(0, 1 << 40, PAGE)])
    attrs = dice.choice([READ, READ | WRITE, READ | WRITE | EXECUTE, READ | DEVICE, READ | NO_HUGE])
    return tables.map(virt, phys, size, attrs)


@pytest.mark.parametrize("seed", range(4))
def test_random_changes(mod: Any, seed: int) -> None:
    tables, dice = Tables(mod), random.Random(seed)
    for _ in range(100):
        assert random_change(tables, dice) == 0
        tables.check()
        assert tables.pool.used == tables.canonical_tables()
    assert tables.unmap(BASE, WINDOW * PAGE) == 0
    assert tables.pool.used == 1
    tables.lib.page_table_free(tables.pt)
    assert tables.pool.used == 0


@pytest.mark.parametrize("seed", range(4))
def test_no_memory_changes_nothing(mod: Any, seed: int) -> None:
    """Each change is tried with 0, 1, 2 ... free pages until it works (bugs.md A13)."""
    tables, dice = Tables(mod, pool_pages=64), random.Random(seed)
    refused = 0
    for _ in range(60):
        step = random.Random(dice.random())
        state = step.getstate()
        for free in range(32):
            taken = []
            while tables.pool.pages - tables.pool.used > free:
                taken.append(tables.lib.page_alloc(tables.pool, 1))
            before = tables.pool.used
            step.setstate(state)
            err = random_change(tables, step)
            if err:
                assert err == -errno.ENOMEM
                assert tables.pool.used == before
                refused += 1
            tables.check()
            for page in taken:
                tables.lib.page_free(tables.pool, page, 1)
            if not err:
                break
        else:
            pytest.fail("32 pages are not enough for one change")
        assert tables.pool.used == tables.canonical_tables()
    assert refused > 5


def test_giant_pages_split_and_merge(mod: Any) -> None:
    tables = Tables(mod, huge_levels=2)
    assert tables.lib.fake_map(tables.pt, 4 * GIANT, 4 * GIANT, GIANT, READ | WRITE) == 0
    assert tables.pool.used == 2
    assert tables.lib.page_table_unmap(tables.pt, 4 * GIANT + HUGE + PAGE, PAGE) == 0
    assert tables.pool.used == 4
    assert tables.contents(4 * GIANT + HUGE, 3) == [
        (4 * GIANT + HUGE) | 3, NOTHING, (4 * GIANT + HUGE + 2 * PAGE) | 3]
    assert tables.lib.fake_map(tables.pt, 4 * GIANT + HUGE + PAGE, 4 * GIANT + HUGE + PAGE, PAGE, READ | WRITE) == 0
    assert tables.pool.used == 2


def test_take_and_return_is_exact(mod: Any) -> None:
    """What create and destroy do to the root cell (decisions.md 14)."""
    tables = Tables(mod)
    assert tables.lib.fake_map(tables.pt, 0, 0, GIANT, READ | WRITE | EXECUTE) == 0
    before = tables.pool.used
    for start, size in ((0x3EF00000, 0x100000), (0x3A600000, 0x4900000), (0x1000, 0x1000)):
        assert tables.lib.page_table_unmap(tables.pt, start, size) == 0
        assert tables.lib.fake_map(tables.pt, start, start, size, READ | WRITE | EXECUTE) == 0
        assert tables.pool.used == before


def test_last_page_of_the_address_space(mod: Any) -> None:
    tables = Tables(mod)
    top = (1 << 64) - PAGE
    assert tables.map(top, 0x1000, PAGE, READ) == 0
    assert tables.contents(top, 1) == [0x1000 | READ]
    assert tables.unmap(top, PAGE) == 0
    assert tables.pool.used == 1


def test_empty_range(mod: Any) -> None:
    tables = Tables(mod)
    assert tables.map(BASE, BASE, 0, READ) == 0
    assert tables.unmap(BASE, 0) == 0
    assert tables.pool.used == 1
