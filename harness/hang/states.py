# SPDX-License-Identifier: GPL-2.0-only
"""Names for what a machine is doing while somebody waits for it: pure functions of samples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from harness.hang.program import Place

#: Exits a second from which on a CPU does little else (a busy timer causes a thousand).
STORM = 3000.0
#: Linux' functions that wait for a lock, and those that lead there.
_LOCKS = re.compile(
    r"(native_|pv_|__pv_)?queued_(spin|read|write)_lock|_raw_(spin|read|write)_lock|osq_lock"
    r"|(__)?(ww_|rt_)?mutex_lock|rwsem_|(__)?down(_|$)|percpu_down|rtmutex_|rt_spin_lock"
)
#: What stands between a lock and the one that wants it, or between a task and its sleep.
_PLUMBING = re.compile(
    r"(__)?schedule|__switch_to|io_schedule|preempt_schedule|(kvm|pv)_wait|__x86_|__raw_callee_save"
)


class Mode(StrEnum):
    """What kind of code a CPU executes."""

    HYPERVISOR = "hypervisor"
    LINUX = "linux"
    USER = "user mode"
    INMATE = "inmate"
    FIRMWARE = "unknown code"


class Kind(StrEnum):
    """States a report names, the most telling first."""

    DEAD = "emulator dead"
    TRIPLE_FAULT = "triple fault"
    SILENT_EMULATOR = "emulator does not answer"
    SPINNING = "spinning"
    STORM = "exit storm"
    DEADLOCK = "deadlock in Linux"
    SILENT_INMATE = "silent inmate"
    HALTED = "all halted"
    NOTHING = "no hang recognised"


@dataclass
class CpuSample:
    """One CPU at one moment."""

    number: int
    mode: Mode
    halted: bool
    #: Innermost first; in the hypervisor, its own frames.
    frames: list[Place]
    #: What the guest was doing when it came to the hypervisor.
    guest_frames: list[Place] = field(default_factory=list)
    cell: str = ""
    root: bool = True
    cell_state: str = ""
    failed: bool = False
    suspended: bool = False
    #: Exits so far by reason; empty while no hypervisor owns the CPU.
    exits: dict[str, int] = field(default_factory=dict)
    task: str = ""

    @property
    def place(self) -> Place | None:
        """Where it is, in a function of its own (not in one that was inlined)."""
        for place in self.frames:
            if not place.symbol.endswith("(inlined)"):
                return place
        return None


@dataclass
class Sample:
    """All CPUs at one moment. `at`: seconds that the machine has run since the first one."""

    at: float
    cpus: list[CpuSample]


@dataclass(frozen=True)
class Blocked:
    """A task that sleeps uninterruptibly, first and last time we looked."""

    title: str
    frames: tuple[Place, ...]


@dataclass(frozen=True)
class CpuState:
    """What one CPU did all the time."""

    number: int
    kind: Kind | None
    text: str


@dataclass(frozen=True)
class State:
    """The state of a machine, in one line, and each CPU's."""

    kind: Kind
    text: str
    cpus: tuple[CpuState, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}" if self.text else str(self.kind)


def judge(samples: Sequence[Sample], blocked: Sequence[Blocked]) -> State:
    """Name the state of a machine whose emulator answers."""
    series = [
        [cpu for sample in samples for cpu in sample.cpus if cpu.number == number]
        for number in sorted({cpu.number for sample in samples for cpu in sample.cpus})
    ]
    seconds = samples[-1].at - samples[0].at if samples else 0.0
    cpus = tuple(_cpu_state(one, seconds) for one in series)
    for kind in (Kind.SPINNING, Kind.STORM):
        found = [f"CPU {cpu.number} {cpu.text}" for cpu in cpus if cpu.kind is kind]
        if found:
            return State(kind, "; ".join(found), cpus)
    locked = [f"CPU {cpu.number} {cpu.text}" for cpu in cpus if cpu.kind is Kind.DEADLOCK]
    locked += [_waits(task) for task in blocked if _wants_lock(task.frames)]
    if locked:
        return State(Kind.DEADLOCK, "; ".join(locked), cpus)
    silent = [f"{cpu.text} (CPU {cpu.number})" for cpu in cpus if cpu.kind is Kind.SILENT_INMATE]
    if silent:
        return State(Kind.SILENT_INMATE, "; ".join(silent), cpus)
    if cpus and all(cpu.kind is Kind.HALTED for cpu in cpus):
        return State(Kind.HALTED, f"{len(cpus)} CPUs wait for an interrupt", cpus)
    return State(Kind.NOTHING, "; ".join(f"CPU {cpu.number} {cpu.text}" for cpu in cpus), cpus)


def _cpu_state(samples: Sequence[CpuSample], seconds: float) -> CpuState:
    last = samples[-1]
    kind, text = _what(samples, seconds)
    if last.failed:
        return CpuState(last.number, None, f"parked for a violation (cell {last.cell!r})")
    return CpuState(last.number, kind, text)


def _what(samples: Sequence[CpuSample], seconds: float) -> tuple[Kind | None, str]:
    last = samples[-1]
    rate, reason = _exits(samples, seconds)
    if rate >= STORM:
        guest = last.guest_frames[0].source if last.guest_frames else _where(last)
        return Kind.STORM, f"leaves the guest {rate:.0f} times a second ({reason}) at {guest}"
    if all(one.mode is Mode.HYPERVISOR for one in samples):
        if all(one.suspended for one in samples):
            return None, "suspended by the hypervisor's management"
        if all(one.halted for one in samples):
            return None, "waits in the hypervisor to be started"
        return Kind.SPINNING, f"at {_where(last)} in the hypervisor"
    if not last.root:
        return _inmate(samples)
    return _linux(samples)


def _inmate(samples: Sequence[CpuSample]) -> tuple[Kind | None, str]:
    last = samples[-1]
    if not last.cell_state.startswith("running"):
        return None, f"belongs to cell {last.cell!r} ({last.cell_state})"
    if all(one.halted for one in samples):
        return Kind.SILENT_INMATE, f"cell {last.cell!r} is halted at {_where(last)}"
    if _steady(samples):
        return Kind.SILENT_INMATE, f"cell {last.cell!r} stays at {_where(last)}"
    return None, f"runs cell {last.cell!r} ({last.cell_state})"


def _linux(samples: Sequence[CpuSample]) -> tuple[Kind | None, str]:
    last = samples[-1]
    if all(one.halted or _idle(one) for one in samples):
        return Kind.HALTED, "is idle" if _idle(last) else "is halted"
    if all(one.mode is Mode.LINUX and _wants_lock(one.frames) for one in samples):
        return Kind.DEADLOCK, f"spins on a lock wanted by {_wanter(last.frames)}"
    if _steady(samples) and last.mode is Mode.LINUX:
        return None, f"stays in {_where(last)} of Linux"
    return None, f"runs {last.mode}"


def _idle(cpu: CpuSample) -> bool:
    """In Linux' idle loop, whether it has just woken up or not."""
    return any(place.symbol == "do_idle" for place in cpu.frames)


def _where(cpu: CpuSample) -> str:
    place = cpu.place
    if place is None:
        return "an unknown place"
    return f"{place.source} ({place.symbol})" if place.file else place.name


def _steady(samples: Sequence[CpuSample]) -> bool:
    """In the same function, however deep, all the time."""
    common = set.intersection(*(_functions(one) for one in samples))
    return bool(common) and all(one.mode is samples[0].mode for one in samples)


def _functions(cpu: CpuSample) -> set[str]:
    return {place.symbol for place in cpu.frames[:2] if place.symbol}


def _exits(samples: Sequence[CpuSample], seconds: float) -> tuple[float, str]:
    """Exits a second between the first and the last sample, and their main reason."""
    first, last = samples[0].exits, samples[-1].exits
    grown = {name: last[name] - first.get(name, 0) for name in last if name != "total"}
    total = last.get("total", 0) - first.get("total", 0)
    if seconds <= 0 or total <= 0:
        return 0.0, ""
    reason = max(grown, key=lambda name: grown[name])
    return total / seconds, reason


def _wants_lock(frames: Sequence[Place]) -> bool:
    for place in frames:
        if _LOCKS.match(place.symbol):
            return True
        if not _PLUMBING.match(place.symbol):
            return False
    return False


def _wanter(frames: Sequence[Place]) -> str:
    for place in frames:
        if not _LOCKS.match(place.symbol) and not _PLUMBING.match(place.symbol):
            return f"{place.name} [{place.where}]"
    return "an unknown function"


def _waits(task: Blocked) -> str:
    return f"task {task.title} waits for a lock in {_wanter(task.frames)}"
