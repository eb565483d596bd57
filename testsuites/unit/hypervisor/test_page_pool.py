# SPDX-License-Identifier: GPL-2.0-only
"""The page pools against a model, with alignment and exhaustion (bugs.md A13)."""

from __future__ import annotations

import random
from typing import Any

import pytest

SOURCES = ["hypervisor/core/page_pool.c", "hypervisor/lib/bitmap.c", "hypervisor/lib/string.c", "memory.c",
           "hypervisor/arch/x86/paging.c", "hypervisor/core/paging.c", "printk.c"]
CDEF = """
struct page_pool { void *base; unsigned long pages; unsigned long used; unsigned long *bitmap; bool zero; };
extern struct page_pool mem_pool, remap_pool;
void *page_alloc(struct page_pool *pool, unsigned int num);
void *page_alloc_aligned(struct page_pool *pool, unsigned int num);
void page_free(struct page_pool *pool, void *first, unsigned int num);
void page_pools_report(const char *when);
void fake_pool_init(struct page_pool *pool, unsigned long pages);
extern char fake_log[];
"""
PAGE = 4096


@pytest.fixture
def pools(hostlib: Any) -> Any:
    return hostlib(SOURCES, CDEF, headers=["core/page_pool.h"])


def test_random_allocations(pools: Any) -> None:
    lib, ffi, dice = pools.lib, pools.ffi, random.Random(3)
    pool = ffi.addressof(lib, "mem_pool")
    lib.fake_pool_init(pool, 300)
    base = int(ffi.cast("uintptr_t", pool.base))
    live: dict[int, int] = {}
    free = set(range(300))
    for _ in range(3000):
        if live and dice.random() < 0.45:
            first = dice.choice(sorted(live))
            num = live.pop(first)
            lib.page_free(pool, ffi.cast("void *", base + first * PAGE), num)
            free |= set(range(first, first + num))
        else:
            num, aligned = dice.randint(1, 20), dice.random() < 0.5
            step = 1 << (num - 1).bit_length() if aligned else 1
            fits = any(set(range(s, s + num)) <= free for s in range(0, 300 - num + 1, step))
            where = (lib.page_alloc_aligned if aligned else lib.page_alloc)(pool, num)
            assert (where != ffi.NULL) == fits
            if where == ffi.NULL:
                continue
            first = (int(ffi.cast("uintptr_t", where)) - base) // PAGE
            taken = set(range(first, first + num))
            assert taken <= free
            assert first % step == 0
            assert not any(ffi.buffer(where, num * PAGE)[:]), "not zeroed"
            ffi.memmove(where, b"\xff" * (num * PAGE), num * PAGE)
            free -= taken
            live[first] = num
        assert pool.used == 300 - len(free)


def test_nothing(pools: Any) -> None:
    lib, ffi = pools.lib, pools.ffi
    pool = ffi.addressof(lib, "mem_pool")
    lib.fake_pool_init(pool, 4)
    assert lib.page_alloc(pool, 0) == ffi.NULL
    assert lib.page_alloc(pool, 5) == ffi.NULL
    assert lib.page_alloc(pool, 2**32 - 1) == ffi.NULL
    lib.page_free(pool, ffi.NULL, 1)
    assert pool.used == 0


def test_report(pools: Any) -> None:
    lib, ffi = pools.lib, pools.ffi
    lib.fake_pool_init(ffi.addressof(lib, "mem_pool"), 10)
    lib.fake_pool_init(ffi.addressof(lib, "remap_pool"), 20)
    lib.page_alloc(ffi.addressof(lib, "mem_pool"), 3)
    lib.page_pools_report(b"after late setup")
    assert ffi.string(lib.fake_log) == b"Page pool usage after late setup: mem 3/10, remap 0/20\n"
