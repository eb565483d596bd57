# SPDX-License-Identifier: GPL-2.0-only
"""Bounds on waits. Every wait of the harness has one; seconds everywhere.

Limits are written for an idle host with two cores and scaled by a factor that
is measured once in the controlling process and handed to its workers in the
environment.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

_SCALE_VARIABLE = "JAILHOUSE_DEADLINE_SCALE"
#: Seconds the calibration loop takes on the host the limits were written for.
_NOMINAL = 0.060
#: Load that comes later must not expire waits at once, nor make them endless.
FLOOR, CEILING = 2.0, 8.0


def calibrate() -> float:
    """Measure this host once; returns the factor and exports it to children."""
    known = os.environ.get(_SCALE_VARIABLE)
    if known is not None:
        return float(known)
    factor = max(FLOOR, min(CEILING, _measure() / _NOMINAL))
    os.environ[_SCALE_VARIABLE] = f"{factor:.2f}"
    return factor


def _measure() -> float:
    began = time.monotonic()
    total = 0
    for number in range(1_000_000):
        total += number & 7
    return time.monotonic() - began


def scaled(seconds: float) -> float:
    """A limit written for an idle host, on this one."""
    return seconds * float(os.environ.get(_SCALE_VARIABLE, "1"))


@dataclass(frozen=True)
class Deadline:
    """A point in time by which something has to have happened."""

    began: float
    seconds: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic(), seconds)

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.began + self.seconds - time.monotonic())

    def elapsed(self) -> float:
        return time.monotonic() - self.began

    @property
    def expired(self) -> bool:
        return self.remaining() == 0.0
