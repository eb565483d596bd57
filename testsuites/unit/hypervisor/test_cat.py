# SPDX-License-Identifier: GPL-2.0-only
"""Cache allocation (bugs.md A58, abi.md 1.6): masks contiguous, never empty, disjoint unless shared."""

from __future__ import annotations

import errno
import random
from typing import Any

import pytest

SOURCES = ["hypervisor/arch/x86/vmx/cat.c", "hypervisor/arch/x86/vmx/cat_mask.c", "cat_world.c", "printk.c"]
CDEF = """
u32 cat_mask_make(u32 start, u32 size, unsigned int ways);
u32 cat_root_mask(u32 own, u32 taken);
extern unsigned int world_ways, world_classes;
extern bool world_cdp;
extern u64 world_masks[16], world_pqr;
extern char fake_log[65536];
void fake_log_clear(void);
int world_create(unsigned int n, unsigned int count, u32 start, u32 size, unsigned int type, unsigned int flags);
void world_destroy(unsigned int n);
u32 world_mask(unsigned int n);
u32 world_class(unsigned int n);
void world_load(unsigned int n);
void cat_leave(void);
"""
L3, SHARED = 3, 1


@pytest.fixture
def mod(hostlib: Any) -> Any:
    return hostlib(SOURCES, CDEF)


class Machine:
    def __init__(self, mod: Any, ways: int = 10, classes: int = 4) -> None:
        self.mod, self.lib = mod, mod.lib
        self.lib.world_ways, self.lib.world_classes = ways, classes
        self.lib.world_masks[0] = (1 << ways) - 1
        assert self.lib.world_create(0, 0, 0, 0, 0, 0) == 0

    def create(self, n: int, mask: int, flags: int = 0) -> int:
        start = (mask & -mask).bit_length() - 1
        return int(self.lib.world_create(n, 1, start, mask.bit_count(), L3, flags))

    def masks(self, *cells: int) -> list[int]:
        return [self.lib.world_mask(n) for n in cells]

    def log(self) -> str:
        text = self.mod.ffi.string(self.lib.fake_log).decode()
        self.lib.fake_log_clear()
        return str(text)


def _runs(mask: int) -> list[int]:
    """The runs of ones, from the lowest bit."""
    found, start = [], 0
    for bit in range(33):
        if not mask >> bit & 1:
            if bit > start:
                found.append((1 << bit) - (1 << start))
            start = bit + 1
    return found


def test_root_keeps_the_longest_run(mod: Any) -> None:
    rng = random.Random(58)
    cases = [(rng.getrandbits(32), rng.getrandbits(32)) for _ in range(5000)]
    cases += [(2**32 - 1, 0), (0, 0), (2**32 - 1, 2**32 - 1), (2**31, 0), (0x80000001, 0), (2**32 - 1, 2**31)]
    for own, taken in cases:
        runs = _runs(own & ~taken)
        best = max(runs, key=int.bit_count) if runs else 0
        assert mod.lib.cat_root_mask(own, taken) == best, (hex(own), hex(taken))


def test_masks_from_records(mod: Any) -> None:
    top = 2**32 - 1
    for ways in range(1, 33):
        for start in (*range(34), top):
            for size in (*range(34), top):
                fits = size > 0 and start + size <= ways
                want = ((1 << size) - 1) << start if fits else 0
                assert mod.lib.cat_mask_make(start, size, ways) == want, (ways, start, size)


def test_sequences_of_the_reports(mod: Any) -> None:
    """Root 3FF; a cell with 1F0; another with 3FC; and each alone."""
    machine = Machine(mod)
    assert "CAT: Using COS 0 with bitmask 000003ff for cell 0\n" in machine.log()
    assert machine.create(1, 0x1F0) == 0
    assert machine.masks(0, 1) == [0x00F, 0x1F0]
    assert machine.log() == (
        "CAT: Shrunk root cell bitmask to f\nCAT: Using COS 1 with bitmask 000001f0 for cell 1\n"
    )
    assert machine.create(2, 0x3FC) == -errno.EINVAL  # ways of cell 1
    assert machine.masks(0, 1) == [0x00F, 0x1F0]
    machine.lib.world_destroy(1)
    assert "CAT: Extended root cell bitmask to 3ff\n" in machine.log()
    assert machine.create(2, 0x3FC) == 0
    assert machine.masks(0, 2) == [0x003, 0x3FC]
    machine.lib.world_destroy(2)
    assert machine.masks(0) == [0x3FF]


def test_the_top_way_is_usable(mod: Any) -> None:
    machine = Machine(mod, ways=32)
    assert machine.create(1, 1 << 31) == 0
    assert machine.masks(0, 1) == [0x7FFFFFFF, 0x80000000]


def test_whatever_the_order_nothing_is_left_behind(mod: Any) -> None:
    rng = random.Random(3454)
    machine = Machine(mod, ways=12, classes=5)
    whole, alive = 0xFFF, dict[int, tuple[int, int]]()
    for _ in range(2000):
        n = rng.randrange(1, 5)
        if n in alive:
            machine.lib.world_destroy(n)
            del alive[n]
        else:
            start = rng.randrange(12)
            mask = ((1 << rng.randrange(1, 13 - start)) - 1) << start
            flags = rng.choice((0, 0, SHARED))
            before = machine.masks(0)
            if machine.create(n, mask, flags) == 0:
                alive[n] = mask, flags
            else:
                assert machine.masks(0) == before
        root = machine.lib.world_mask(0)
        assert len(_runs(root)) == 1
        assert root & ~whole == 0
        for mask, flags in alive.values():
            assert flags == SHARED or mask & root == 0
        classes = [machine.lib.world_class(n) for n in alive]
        assert 0 not in classes
        assert len(set(classes)) == len(classes)
        if not alive:
            assert root == whole


@pytest.mark.parametrize(
    ("record", "error"),
    [
        ((2, 0, 4, L3, 0), errno.EINVAL), ((1, 0, 4, 1, 0), errno.EINVAL), ((1, 0, 4, 2, 0), errno.EINVAL),
        ((1, 0, 0, L3, 0), errno.EINVAL), ((1, 9, 2, L3, 0), errno.EINVAL), ((1, 10, 1, L3, 0), errno.EINVAL),
        ((1, 2**32 - 1, 2, L3, 0), errno.EINVAL), ((1, 0, 10, L3, 0), errno.EINVAL),  # nothing left for root
    ],
)  # fmt: skip
def test_records_that_are_refused(mod: Any, record: tuple[int, ...], error: int) -> None:
    machine = Machine(mod)
    assert machine.lib.world_create(1, *record) == -error
    assert machine.masks(0) == [0x3FF]


def test_no_class_left(mod: Any) -> None:
    machine = Machine(mod, classes=3)
    assert [machine.create(n, 1 << n) for n in (1, 2, 3)] == [0, 0, -errno.EBUSY]
    machine.lib.world_destroy(1)
    assert machine.create(3, 1) == 0
    assert machine.lib.world_class(3) == 1


def test_registers(mod: Any) -> None:
    """Each CPU writes its class' mask (it may be on another package), and keeps Linux' RMID."""
    machine = Machine(mod)
    machine.lib.world_pqr = 0x15
    assert machine.create(1, 0x3F0) == 0
    assert machine.lib.world_create(2, 0, 0, 0, 0, 0) == 0  # names no ways: root's class
    machine.lib.world_load(1)
    assert (machine.lib.world_masks[1], machine.lib.world_pqr) == (0x3F0, 1 << 32 | 0x15)
    for n in (2, 0):
        machine.lib.world_load(n)
        assert (machine.lib.world_masks[0], machine.lib.world_pqr) == (0x00F, 0x15)
    machine.lib.cat_leave()
    assert (machine.lib.world_masks[0], machine.lib.world_pqr) == (0x3FF, 0x15)


@pytest.mark.parametrize("cdp", [False, True])
def test_machines_without(mod: Any, cdp: bool) -> None:
    mod.lib.world_ways, mod.lib.world_cdp = 10 if cdp else 0, cdp
    assert mod.lib.world_create(0, 0, 0, 0, 0, 0) == 0
    assert mod.lib.world_create(1, 1, 0, 100, L3, 0) == 0  # ignored
    mod.lib.world_load(1)
    mod.lib.cat_leave()
    assert (list(mod.lib.world_masks), mod.lib.world_pqr) == ([0] * 16, 0)
    assert ("WARNING: CAT: not used" in mod.ffi.string(mod.lib.fake_log).decode()) == cdp
