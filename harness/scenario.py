# SPDX-License-Identifier: GPL-2.0-only
"""The main job: a cell beside Linux, from enable to disable.

`demo`, `bench` and `soak` run these steps; each measures how long it took.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness import jitter
from harness.deadlines import Deadline, scaled
from harness.errors import DeadlineExpired, ProductFailure
from harness.jitter import Jitter
from harness.targets import Target
from harness.verbs import Jailhouse, JailhouseError, Pools

Tell = Callable[[str], None]


@dataclass
class Measures:
    """Seconds by step, exits by reason, pages, jitter."""

    seconds: dict[str, float] = field(default_factory=dict)
    exits_per_tick: dict[str, float] = field(default_factory=dict)
    pools_enabled: Pools | None = None
    pools_with_cell: Pools | None = None
    jitter: Jitter = field(default_factory=lambda: Jitter(()))

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[step] = time.monotonic() - began


class Scenario:
    """Enable, the timer demo with its (refused and) accepted shutdown, disable."""

    def __init__(self, jailhouse: Jailhouse, target: Target, tell: Tell) -> None:
        self.jailhouse = jailhouse
        self.root_config = target.root_config
        self.program = target.programs.timer
        self.tell = tell
        self.measures = Measures()

    def run(self, ticks: int) -> Measures:
        """All steps; ProductFailure at the first that goes wrong."""
        self.jailhouse.load_module()
        self.enable()
        self.start_timer_demo()
        self.watch(ticks)
        self.stop_timer_demo()
        self.disable()
        return self.measures

    def enable(self) -> None:
        mark = self.jailhouse.uart.end
        with self.measures.timed("enable"):
            self.jailhouse.enable(self.root_config)
        self.jailhouse.uart.expect(r"^Activating hypervisor$", 10, since=mark)
        self.measures.pools_enabled = self.jailhouse.pools()
        cpus = self.jailhouse.cell(0).cpus
        self.tell(f"hypervisor enabled; Linux goes on as root cell on CPUs {cpus}")

    def start_timer_demo(self) -> None:
        self.mark = self.jailhouse.uart.end
        with self.measures.timed("create, load, start"):
            self.jailhouse.create(self.program.name)
            self.jailhouse.load(self.program.name, self.program.name)
            self.jailhouse.start(self.program.name)
        self.measures.pools_with_cell = self.jailhouse.pools()
        for cell in self.jailhouse.cells():
            self.tell(f"cell {cell.id} {cell.name}: {cell.state}, CPUs {cell.cpus}")

    def watch(self, ticks: int) -> None:
        """Wait for ticks of the demo's timer, then read its jitter and exits."""
        before = self._tick_count(1)
        counters = self.jailhouse.stats(self.program.name)
        began = self._tick_count(ticks, tell=True)
        after = self.jailhouse.stats(self.program.name)
        passed = max(1, began - before)
        self.measures.exits_per_tick = {
            name: (after[name] - counters[name]) / passed for name in sorted(after)
        }
        self.measures.jitter = self._jitter()

    def _jitter(self) -> Jitter:
        return jitter.parse(self.jailhouse.uart.text(self.mark))

    def _tick_count(self, wanted: int, tell: bool = False) -> int:
        deadline = Deadline.after(scaled(20 + wanted))
        reported = 0
        while True:
            uart = self.jailhouse.uart
            seen = uart.end
            count = self._jitter().count
            if tell and count - reported >= 10:
                reported = count
                self.tell(f"{self.program.name}: {self._jitter().summary()}")
            if count >= wanted:
                return count
            if deadline.expired:
                raise DeadlineExpired(
                    f"{count} of {wanted} ticks in {deadline.seconds:.0f} s; last lines:\n"
                    f"{uart.tail()}\n{self.jailhouse.linux.machine.describe()}"
                )
            uart.wait(seen, min(1.0, deadline.remaining()))

    def stop_timer_demo(self) -> None:
        name = self.program.name
        if self.program.locks:
            with self.measures.timed("shutdown, refused"):
                self._refused(lambda: self.jailhouse.shutdown(name), "shutdown")
            self.tell("first shutdown refused by the cell, as it should be")
        with self.measures.timed("shutdown"):
            self.jailhouse.shutdown(name)
        state = self.jailhouse.state(name)
        if state != "shut down":
            raise ProductFailure(f"{name} is {state!r} after its shutdown")
        with self.measures.timed("destroy"):
            self.jailhouse.destroy(name)
        if self.jailhouse.pools() != self.measures.pools_enabled:
            raise ProductFailure(
                f"pages left behind: {self.jailhouse.pools()} after destroy, "
                f"{self.measures.pools_enabled} before create"
            )
        which = "second one" if self.program.locks else "shutdown"
        self.tell(f"{which} accepted; cell destroyed, all pages and CPUs given back")

    def disable(self) -> None:
        with self.measures.timed("disable"):
            self.jailhouse.disable()
        self.jailhouse.linux.check_health()
        self.tell("hypervisor disabled; Linux has the machine back")

    def _refused(self, action: Callable[[], None], what: str) -> None:
        try:
            action()
        except JailhouseError as error:
            if error.name != "EPERM":
                raise
            return
        raise ProductFailure(f"the first {what} of a locked cell was not refused")
