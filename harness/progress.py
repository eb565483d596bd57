# SPDX-License-Identifier: GPL-2.0-only
"""Progress lines for people: elapsed time, then what happens."""

from __future__ import annotations

import sys
import time


class Progress:
    """Prints one line a step, with the seconds since the start."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def __call__(self, text: str) -> None:
        print(f"[{time.monotonic() - self.began:6.1f} s] {text}", flush=True)

    def quote(self, lines: str) -> None:
        """What a console said, set apart."""
        for line in lines.splitlines():
            print(f"             | {line}", flush=True)


def fail(text: str) -> None:
    """An error line."""
    print(text, file=sys.stderr, flush=True)
