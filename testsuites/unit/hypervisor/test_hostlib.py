# SPDX-License-Identifier: GPL-2.0-only
"""The frame itself: compiled code runs under the sanitizers, state is fresh, layouts are checked."""

from __future__ import annotations

import os
from typing import Any

import pytest

IO = """
extern u32 (*fake_port_read)(u16 port, unsigned int size);
u64 fake_mmio_load(const void *address, unsigned int size);
void fake_mmio_store(void *address, unsigned int size, u64 value);
"""


def test_runs_with_sanitizer_in_front() -> None:
    assert "libasan" in os.environ["LD_PRELOAD"]


def test_calls_c_and_back(hostlib: Any) -> None:
    mod = hostlib(["io.c"], IO)
    cell = mod.ffi.new("u64 *", 0x1122334455667788)
    assert mod.lib.fake_mmio_load(cell, 2) == 0x7788
    mod.lib.fake_mmio_store(cell, 4, 0)
    assert cell[0] == 0x1122334400000000


def test_statics_are_fresh(hostlib: Any) -> None:
    first, second = hostlib(["io.c"], IO), hostlib(["io.c"], IO)
    keep = first.ffi.callback("u32(u16, unsigned int)", lambda port, size: 7)
    first.lib.fake_port_read = keep
    assert second.lib.fake_port_read == second.ffi.NULL


def test_wrong_layout_does_not_compile(hostlib: Any) -> None:
    with pytest.raises(AssertionError, match="size of page_pool"):
        hostlib(["io.c"], IO + "struct page_pool { int only; };", headers=["core/page_pool.h"])
