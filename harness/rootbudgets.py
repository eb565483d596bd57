# SPDX-License-Identifier: GPL-2.0-only
"""How many exits the root cell's own events cost, by reason: a tick, an IPI, a disk read.

A run of its own with counted time (`harness/guest/rootevents.py` is what counts): disk and
network are loaded there, which a run that is to be the same every time does without.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median_low
from typing import Any

from harness import jitterrun, unattended
from harness.image import Artifacts
from harness.jitterdata import Budget
from harness.results import REPOSITORY
from harness.unattended import Step

SCENARIO = "root"
#: How many of each in a window: the fewer, the more windows have nothing else in them.
EVENTS = {"tick": 2, "ipi": 2, "disk_read": 2, "packet_sent": 2, "system_call": 2}
IDLE_SECONDS = 5
#: How often an idle Linux wakes up is its own affair; what it wakes up for is its local APIC.
IDLE_MAY = frozenset({"xapic"})
IDLE = "idle, local APIC aside"

#: The CPUs of `harness/guest/rootevents.py`: nobody balances load with them.
ISOLATED = "isolcpus=1,2"

_COUNTER = REPOSITORY / "harness" / "guest" / "rootevents.py"

Counts = Mapping[str, int]


def steps(root_config: str) -> list[Step]:
    return [
        {"do": "module"},
        {"do": "enable", "config": root_config},
        {"do": "root_idle", "seconds": IDLE_SECONDS},
        {"do": "root_events", "events": EVENTS},
        {"do": "disable"},
    ]


def measure(
    artifacts: Artifacts, kernel: str, folder: Path, allowed: Mapping[str, Counts]
) -> list[Budget]:
    """Boot, count, power off; `folder` keeps the streams."""
    on = jitterrun.target()
    machine = replace(
        on.machine, kernel_parameters=(*on.machine.kernel_parameters, ISOLATED)
    )
    on = replace(on, machine=machine)
    files = {"usr/lib/jailhouse/rootevents.py": _COUNTER}
    result = unattended.run(on, kernel, artifacts, steps(on.root_config), folder, files=files)
    return evaluate(result.steps, allowed)


def evaluate(record: Iterable[dict[str, Any]], allowed: Mapping[str, Counts]) -> list[Budget]:
    """The record of a finished run as data."""
    made = []
    for line in record:
        if line["step"]["do"] == "root_idle":
            seen = {name: n for name, n in line["exits"].items() if n and name not in IDLE_MAY}
            made.append(_budget(IDLE, IDLE_SECONDS, allowed, seen))
        for window in line.get("windows", ()):
            name, count = window["event"], window["events"]
            seen = _each(_usual(window["with"]), _usual(window["without"]), count)
            made.append(_budget(name, count, allowed, seen))
    return made


def _budget(
    event: str, count: int, allowed: Mapping[str, Counts], seen: Mapping[str, int]
) -> Budget:
    return Budget(SCENARIO, event, count, dict(allowed.get(event, {})), dict(seen))


def _usual(windows: Sequence[Counts]) -> Counts:
    """Whatever happens besides happens in few of them."""
    return {reason: median_low(window[reason] for window in windows) for reason in windows[0]}


def _each(with_events: Counts, without: Counts, events: int) -> dict[str, int]:
    """Exits of one event; a count that does not divide is told as it is, under its own name."""
    made = {}
    for reason, count in with_events.items():
        spent = count - without[reason]
        if spent % events:
            made[f"{reason} of {events} events"] = spent
        elif spent:
            made[reason] = spent // events
    return made
