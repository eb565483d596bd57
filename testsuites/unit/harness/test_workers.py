# SPDX-License-Identifier: GPL-2.0-only
"""How many machines a host carries."""

from __future__ import annotations

import pytest

from harness.plugin.workers import MACHINE_MEMORY, machines_at_once

GIB = 1 << 30


@pytest.mark.parametrize(
    ("cores", "free", "machines"),
    [
        (1, 64 * GIB, 1),
        (2, 64 * GIB, 3),
        (4, 64 * GIB, 6),
        (4, 2 * MACHINE_MEMORY + 1, 2),
        (2, 0, 1),
    ],
)
def test_cores_and_memory_limit_them(cores: int, free: int, machines: int) -> None:
    assert machines_at_once(cores, free) == machines
