# SPDX-License-Identifier: GPL-2.0-only
"""Reads apic-demo's contract: one line a tick with its jitter."""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass

TICK = re.compile(
    r"Timer fired, jitter:\s*(\d+) ns, min:\s*(\d+) ns, max:\s*(\d+) ns", re.MULTILINE
)


@dataclass(frozen=True)
class Jitter:
    """Jitter of all ticks seen, in nanoseconds."""

    ticks: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.ticks)

    @property
    def minimum(self) -> int:
        return min(self.ticks)

    @property
    def median(self) -> int:
        return int(statistics.median(self.ticks))

    @property
    def maximum(self) -> int:
        return max(self.ticks)

    def summary(self) -> str:
        """One line for people, in microseconds."""
        return (
            f"{self.count} ticks, jitter min {self.minimum / 1000:.1f} us, "
            f"median {self.median / 1000:.1f} us, max {self.maximum / 1000:.1f} us"
        )


def parse(text: str) -> Jitter:
    """Every complete tick line of a console."""
    return Jitter(tuple(int(found[1]) for found in TICK.finditer(text)))
