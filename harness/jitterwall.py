# SPDX-License-Identifier: GPL-2.0-only
"""Jitter on targets that run on the host's clock: statistics, never a gate.

`python -m harness jitter --against BUILD` runs apic-demo with today's build and
with another one in turn, so that what the host does meanwhile meets both. Each run
gives one number, the median of its ticks; what is said rests on these. Today's build
runs twice a round (A/A): what differs between those two is the host.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from harness import artifacts as builds
from harness import jitterdata, jitterrun, results
from harness.errors import HarnessFailure
from harness.image import Artifacts
from harness.jitterdata import Arm, GuestClock, JitterRun, Wall
from harness.progress import Progress
from harness.scenario import Scenario
from harness.session import Lab, Variant
from harness.targets import Target
from harness.verbs import Jailhouse

#: Below these a difference is not worth a word: nanoseconds, and share of the median.
ABSOLUTE_FLOOR_NS = 20_000.0
RELATIVE_FLOOR = 0.10
CONFIDENCE = 0.95
TICKS = 30

ARMS = ("today", "today again", "other")


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Interval that holds the median with `CONFIDENCE`, whatever the distribution.

    Order statistics: the number of values below the median is binomial with 1/2. With
    fewer than six values no pair of them is that certain: then lowest and highest.
    """
    ordered = sorted(values)
    count = len(ordered)
    if count == 0:
        raise ValueError("no values")
    outside, skipped = 0.0, 0
    for below in range(count // 2):
        outside += 2 * math.comb(count, below) / 2**count
        if outside > 1 - CONFIDENCE:
            break
        skipped = below
    return ordered[skipped], ordered[count - 1 - skipped]


def arm(name: str, medians: Sequence[float]) -> Arm:
    """What one side's runs say together."""
    low, high = median_interval(medians)
    return Arm(name, tuple(medians), statistics.median(medians), low, high)


def judge(first: Arm, control: Arm, second: Arm) -> str:
    """One sentence; a difference is one only beyond both floors, the control and the intervals."""
    difference = second.median - first.median
    share = difference / first.median if first.median else 0.0
    text = f"{second.name} is {difference / 1000:+.1f} us ({share:+.1%})"
    noise = abs(control.median - first.median)
    if abs(difference) <= ABSOLUTE_FLOOR_NS or abs(share) <= RELATIVE_FLOOR:
        return f"no difference: {text}, below the floor"
    if abs(difference) <= noise:
        return f"no difference: {text}, the same build twice differs by {noise / 1000:.1f} us"
    if first.low <= second.high and second.low <= first.high:
        return f"no difference: {text}, the intervals overlap"
    return f"different: {text}"


Measure = Callable[[str], float]


def interleaved(measure: Measure, rounds: int, target: str) -> Wall:
    """Each arm once a round, each round in another order; `measure` runs one arm once."""
    found: dict[str, list[float]] = {name: [] for name in ARMS}
    orders = itertools.cycle(itertools.permutations(ARMS))
    for order in itertools.islice(orders, rounds):
        for name in order:
            found[name].append(measure(name))
    first, control, second = (arm(name, found[name]) for name in ARMS)
    return Wall(
        target, first, control, second, ABSOLUTE_FLOOR_NS, RELATIVE_FLOOR,
        judge(first, control, second),
    )  # fmt: skip


def compare(target: Target, kernel: str, other: Path, rounds: int) -> int:
    """Run, print what came of it, keep `jitter.json`."""
    if not list(other.glob("hypervisor/jailhouse*.bin")):
        raise HarnessFailure(f"{other}: no build tree (hypervisor/jailhouse*.bin)")
    progress = Progress()
    run = results.new_run("jitter")
    # Before anything is built: the tree may change while this runs.
    commit = results.commit()
    trees = {
        "today": builds.build(kernel, progress=progress),
        "other": builds.found(other, kernel),
    }

    def measure(name: str) -> float:
        tree = trees["other" if name == "other" else "today"]
        value = _one_run(Lab(target, lambda *_: tree, run, progress=progress), kernel, tree)
        progress(f"{name}: median {value / 1000:.1f} us")
        return value

    wall = interleaved(measure, rounds, target.name)
    record = JitterRun(
        commit=commit,
        date=jitterrun.now(),
        target=target.name,
        versions=jitterrun.versions(kernel),
        clock=GuestClock(target.clock.value, None),
        wall=wall,
    )
    record.write(run / jitterdata.FILE)
    for side in (wall.first, wall.control, wall.second):
        print(
            f"{side.name:<12} median {side.median / 1000:8.1f} us, "
            f"95 % within {side.low / 1000:.1f} to {side.high / 1000:.1f} us"
        )
    print(f"{wall.verdict}\n{run / jitterdata.FILE}")
    return 0


def _one_run(lab: Lab, kernel: str, tree: Artifacts) -> float:
    with lab.booted(Variant(kernel=kernel), tree) as linux:
        scenario = Scenario(Jailhouse(linux), lab.target, lambda text: None)
        return float(scenario.run(TICKS).jitter.median)
