# SPDX-License-Identifier: GPL-2.0-only
"""`jailhouse cell stats`: a cell's exit counters, live (abi.md 6.11).

Keys: q quits, c shows the CPUs one after the other, a all of them together.
"""

from __future__ import annotations

import contextlib
import curses
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from jailhouse import sysfs

INTERVAL = 1.0
"""Seconds between two refreshes."""

_COLUMNS = f"{'COUNTER':<30}{'SUM':>14}{'PER SEC':>12}"
_KEYS = "q: quit   c: next CPU   a: all CPUs"


@dataclass
class Rates:
    """Turns counters into (sum, per second)."""

    clock: Callable[[], float] = time.monotonic
    _last: dict[str, int] = field(default_factory=dict)
    _when: float = 0.0
    _rows: list[tuple[str, int, int | None]] = field(default_factory=list)

    def restart(self) -> None:
        self._last = {}

    def update(self, counters: dict[str, int]) -> list[tuple[str, int, int | None]]:
        """Rows (name, sum, per second); no rate before there are two samples."""
        now = self.clock()
        elapsed = now - self._when
        self._rows = [
            (
                name,
                value,
                round((value - self._last[name]) / elapsed)
                if name in self._last and elapsed > 0
                else None,
            )
            for name, value in counters.items()
        ]
        self._last, self._when = dict(counters), now
        return self._rows


@dataclass
class View:
    """What is shown: all CPUs (None) or one of the cell's."""

    cell: sysfs.Cell
    cpu: int | None = None

    def next_cpu(self, cpus: list[int]) -> None:
        """From all to the first, from each to the next, from the last to the first."""
        later = [cpu for cpu in cpus if self.cpu is not None and cpu > self.cpu]
        self.cpu = (later or cpus or [None])[0]  # type: ignore[list-item]

    @property
    def title(self) -> str:
        title = f"Statistics for {self.cell.name} cell"
        return title if self.cpu is None else f"{title}, CPU {self.cpu}"


def lines(view: View, rows: list[tuple[str, int, int | None]]) -> list[str]:
    """The screen as text."""
    shown = [view.title, "", _COLUMNS]
    for name, total, rate in rows:
        shown.append(f"{name:<30}{total:>14}{'' if rate is None else rate:>12}")
    return [*shown, "", _KEYS]


def _draw(screen: curses.window, text: list[str]) -> None:
    height, width = screen.getmaxyx()
    screen.erase()
    for number, line in enumerate(text[:height]):
        # The last cell of the last line can't be written.
        style = curses.A_REVERSE if number == 2 else curses.A_NORMAL
        screen.addnstr(number, 0, line, width - 1, style)
    screen.refresh()


def _loop(screen: curses.window, view: View) -> None:
    with contextlib.suppress(curses.error):
        curses.curs_set(0)  # not every terminal can hide its cursor
    rates = Rates()
    deadline = 0.0
    while True:
        if time.monotonic() >= deadline:
            if view.cpu is not None and view.cpu not in sysfs.statistics_cpus(view.cell.id):
                view.cpu = None
                rates.restart()
            _draw(screen, lines(view, rates.update(sysfs.statistics(view.cell.id, view.cpu))))
            deadline = time.monotonic() + INTERVAL
        screen.timeout(max(int((deadline - time.monotonic()) * 1000), 1))
        key = screen.getch()
        if key in (ord("q"), ord("Q")):
            return
        if key in (ord("c"), ord("C")):
            view.next_cpu(sysfs.statistics_cpus(view.cell.id))
        elif key in (ord("a"), ord("A")):
            view.cpu = None
        if key != curses.ERR:
            rates.restart()
            deadline = 0.0


def run(selector: int | str) -> int:
    cell = sysfs.find(selector)
    if cell is None:
        print(f"no such cell: {selector}", file=sys.stderr)
        return 1
    try:
        curses.wrapper(_loop, View(cell))
    except KeyboardInterrupt:
        return 0
    except curses.error as error:
        print(f"cell stats needs a terminal: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f'cell "{cell.name}" is gone: {error.strerror}', file=sys.stderr)
        return 1
    return 0
