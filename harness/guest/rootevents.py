# SPDX-License-Identifier: GPL-2.0-only
"""Counts the exits that one event of the root cell costs, for `unattended.py`.

A window begins and ends some time after a tick and is so many ticks long; all that counts
happens on one CPU, which is never idle meanwhile, and on the one that gets its IPIs. An
event's exits are those of a window with events less those of one without. Interrupts of
devices come to the same CPU. Reading a counter costs a hypercall, which is taken off.
Standard library only.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

CPU, OTHER_CPU = 1, 2
#: CONFIG_HZ of Debian's kernels.
TICK_NS = 4_000_000
#: An event has time for all it causes: another CPU answers when the emulator's only thread
#: comes to it.
PERIOD_TICKS = 3
#: Between a tick and the reading of counters: nothing of the tick is left, the next is far.
#: The other CPU may be a slice of the emulator's only thread late with its tick.
SETTLED_NS = 2_000_000
STATISTICS = Path("/sys/devices/jailhouse/cells/0/statistics")
#: Whatever else happens does so in few windows: the median of these counts.
WINDOWS = 15
WARM_UP = 3
DISK = "/dev/sda"
BLOCK = 4096

#: <linux/time.h>: the time of the last tick.
CLOCK_MONOTONIC_COARSE = 6
SYS_MEMBARRIER = 324
GLOBAL_EXPEDITED, REGISTER_GLOBAL_EXPEDITED = 2, 4


class Counters:
    """Exit counters of the two CPUs that events touch."""

    def __init__(self) -> None:
        self._files = [
            (path.name.removeprefix("vmexits_"), os.open(path, os.O_RDONLY))
            for cpu in (CPU, OTHER_CPU)
            for path in sorted((STATISTICS / f"cpu{cpu}").glob("vmexits_*"))
        ]

    def read(self) -> list[int]:
        return [int(os.pread(file, 32, 0)) for _, file in self._files]

    def between(self, before: list[int], after: list[int]) -> dict[str, int]:
        """Sums, without the hypercalls of reading: one for each counter."""
        spent = {name: 0 for name, _ in self._files}
        for (name, _), old, new in zip(self._files, before, after, strict=True):
            spent[name] += new - old
        spent["hypercall"] -= len(self._files)
        spent["total"] -= len(self._files)
        return spent


def _membarrier(command: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(SYS_MEMBARRIER, command, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "membarrier")


def _until(time_ns: int) -> None:
    while time.monotonic_ns() < time_ns:
        pass


def _after_a_tick() -> int:
    """Wait for a tick, and until it is over; the time of the tick."""
    seen = time.clock_gettime_ns(CLOCK_MONOTONIC_COARSE)
    while (now := time.clock_gettime_ns(CLOCK_MONOTONIC_COARSE)) == seen:
        pass
    _until(now + SETTLED_NS)
    return now


@contextmanager
def _child(work: Callable[[], None], cpu: int, idle_class: bool = False) -> Iterator[None]:
    """A process that spins on a CPU after `work`; `idle_class`: only where nobody else wants to."""
    child = os.fork()
    if child == 0:
        os.sched_setaffinity(0, {cpu})
        if idle_class:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        work()
        while True:
            pass
    try:
        time.sleep(0.1)
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _load_drivers() -> None:
    for line in Path("/etc/modules").read_text().split():
        if os.system(f"insmod {line}") != 0:
            raise OSError(f"{line} did not load")
    if os.system("ip link set eth0 up") != 0:
        raise OSError("no eth0")
    deadline = time.monotonic() + 20
    carrier = Path("/sys/class/net/eth0/carrier")
    while carrier.read_text() != "1\n" or not Path(DISK).exists():
        if time.monotonic() > deadline:
            raise OSError("disk and network do not come up")
        time.sleep(0.1)


def _repeat(times: int, window: Callable[[], dict[str, int]]) -> list[dict[str, int]]:
    return [window() for _ in range(times)]


def idle(seconds: int) -> dict[str, int]:
    """Exits of all CPUs while everybody sleeps; not `total`, which is read at another time."""
    os.sched_setaffinity(0, {CPU})
    files = {
        path.name.removeprefix("vmexits_"): path
        for path in sorted(STATISTICS.glob("vmexits_*"))
        if path.name != "vmexits_total"
    }
    before = {name: int(path.read_text()) for name, path in files.items()}
    time.sleep(seconds)
    spent = {name: int(path.read_text()) - before[name] for name, path in files.items()}
    # Of each CPU each counter was asked for once between two readings of one.
    asked = len(files) * len(list(STATISTICS.glob("cpu*")))
    return spent | {"hypercall": spent["hypercall"] - asked}


def _interrupts_to(cpu: int) -> None:
    for path in Path("/proc/irq").glob("*/smp_affinity"):
        try:
            path.write_text(f"{1 << cpu:x}")
        except OSError:
            # Per CPU, or one of the board's own
            continue


class RootEvents:
    """Each `_name` is an event; `measure` counts windows without and with it."""

    def __init__(self) -> None:
        os.sched_setaffinity(0, {CPU})
        _load_drivers()
        _interrupts_to(CPU)
        self._counters = Counters()
        self._disk = os.open(DISK, os.O_RDONLY | os.O_DIRECT)
        self._block = mmap.mmap(-1, BLOCK)
        self._offset = 0
        self._packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._packets.bind(("eth0", 0))

    def measure(self, name: str, events: int) -> dict[str, object]:
        """So many events, one a period. Of ticks themselves: a window with so many more periods."""
        periods = events if name != "tick" else 1
        more = periods if name != "tick" else 1 + events
        with self._around(name):
            event = getattr(self, "_" + name)
            _repeat(WARM_UP, lambda: self._window(event, 1, 1))
            without = _repeat(WINDOWS, lambda: self._window(event, 0, periods))
            with_events = _repeat(WINDOWS, lambda: self._window(event, events, more))
        count = events if name != "tick" else events * PERIOD_TICKS
        return {"event": name, "events": count, "without": without, "with": with_events}

    def _window(self, event: Callable[[], None], events: int, periods: int) -> dict[str, int]:
        begin = _after_a_tick()
        before = self._counters.read()
        for n in range(1, periods + 1):
            if n <= events:
                event()
            _until(begin + n * PERIOD_TICKS * TICK_NS + SETTLED_NS)
        return self._counters.between(before, self._counters.read())

    @contextmanager
    def _around(self, name: str) -> Iterator[None]:
        if name == "ipi":
            with _child(lambda: _membarrier(REGISTER_GLOBAL_EXPEDITED), OTHER_CPU):
                yield
        elif name == "disk_read":
            with _child(lambda: None, CPU, idle_class=True):
                yield
        else:
            yield

    def _ipi(self) -> None:
        _membarrier(GLOBAL_EXPEDITED)

    def _disk_read(self) -> None:
        os.preadv(self._disk, [self._block], self._offset)
        self._offset += BLOCK

    def _packet_sent(self) -> None:
        # To nobody: a local experimental Ethertype (IEEE 802), the least that may be sent.
        self._packets.send(b"\x02\0\0\0\0\1" + b"\x02\0\0\0\0\2" + b"\x88\xb5" + bytes(46))

    def _tick(self) -> None:
        pass

    def _system_call(self) -> None:
        os.getppid()
