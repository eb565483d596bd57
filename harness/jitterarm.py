# SPDX-License-Identifier: GPL-2.0-only
"""Jitter, exit costs and exit budgets on ARM64, with counted time.

::

    python -m harness.jitterarm [FOLDER]

measures both GICs, leaves in FOLDER/gicv3 and FOLDER/gicv2 what
`python -m harness.report.jitter FOLDER/gicv3` makes a page of, and prints the table
of docs/exits-arm64.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness import artifacts as builds
from harness import jitterdata, results, unattended
from harness.image import Artifacts
from harness.jitterdata import (
    Budget,
    Cost,
    GuestClock,
    JitterRun,
    Kind,
    Place,
    Series,
)
from harness.jitterrun import (
    NS,
    cost_of,
    exits_of_tick,
    lives,
    management,
    now,
    operations,
    versions,
)
from harness.provision import DEFAULT_KERNEL
from harness.targets import TARGETS, Target
from harness.unattended import Result, Step

TICKS = 30
#: A program's memory holds no more of them.
SAMPLES = 200
#: Of the best existing hypervisor of this kind: GICv3, GICv2.
REFERENCES: Mapping[str, tuple[str, int, int]] = {
    "hypercall": ("hypercall", 124, 124),
    "psci-version": ("PSCI_VERSION", 142, 142),
    "gicd-typer-read": ("GICD_TYPER read", 287, 275),
    "gicd-isenabler-write": ("GICD_ISENABLER write", 924, 907),
    "sgi-self": ("SGI to self until the handler", 1460, 1543),
    "sgi-other": ("SGI to another CPU until the handler", 1466, 1549),
    "timer": ("timer expiry to handler", 207, 217),
}
#: What ours may need of them.
SHARE = 0.8
#: Exits of one tick of gic-demo, exactly: the timer's interrupt, which its list register ends.
TICK_BUDGET = {"total": 1, "virt_irq": 1}
OPERATIONS = ("enable", "create", "start", "destroy", "disable")


def target(version: int) -> Target:
    """With counted time, and a GIC of that version."""
    wall = TARGETS[f"arm64-gicv{version}"]
    return replace(wall.counted(), name=f"{wall.name}-icount")


# --- the scenario


def _gic_demo(seconds: float) -> list[Step]:
    name = "gic-demo"
    return [
        {"do": "create", "config": name},
        {"do": "load", "cell": name, "path": name},
        {"do": "start", "cell": name},
        {"do": "sleep", "seconds": seconds},
        {"do": "shutdown", "cell": name},
        {"do": "stats", "cell": name},
        {"do": "destroy", "cell": name},
    ]


def steps(root_config: str, samples: int = SAMPLES) -> list[Step]:
    """gic-demo for two lengths of time, exit-bench, management."""
    name = "test-jitter"
    return [
        {"do": "module"},
        {"do": "enable", "config": root_config},
        *_gic_demo(0.1 * TICKS),
        *_gic_demo(0.3 * TICKS),
        {"do": "create", "config": name},
        {"do": "load", "cell": name, "path": "exit-bench", "words": f"samples={samples}"},
        {"do": "start", "cell": name},
        {"do": "wait", "cell": name, "state": "shut down", "seconds": 120},
        {"do": "destroy", "cell": name},
        *management(root_config, "gic-demo"),
    ]


# --- what came of it


def _costs(samples: Mapping[tuple[str, str], Sequence[int]], version: int) -> list[Cost]:
    """In instructions; what the clock itself takes is subtracted."""
    empty = min(samples["empty", "cost"])
    made = []
    for name, (title, *references) in REFERENCES.items():
        reference = references[0 if version == 3 else 1]
        series = Series.of(
            name, title, Place.CELL, Kind.COST, [ticks - empty for ticks in samples[name, "cost"]]
        )
        made.append(cost_of(series, reference, SHARE))
    return made


def _budget(result: Result, ticks: Sequence[Sequence[int]]) -> Budget:
    _, number, spent = exits_of_tick(result, ticks)
    return Budget("gic-demo", "tick", number, dict(TICK_BUDGET), spent)


def measure(artifacts: Artifacts, kernel: str, folder: Path, version: int) -> JitterRun:
    """Boot, three cells, the figures; `folder` keeps the streams and them."""
    on = target(version)
    result = unattended.run(on, kernel, artifacts, steps(on.root_config), folder)
    ticks = lives(result, "Initializing the timer...")
    run = JitterRun(
        commit=results.commit(),
        date=now(),
        target=on.name,
        versions=versions(kernel, on),
        clock=GuestClock("icount", NS),
        series=(Series.of("gic-demo", "gic-demo, 10 Hz", Place.CELL, Kind.JITTER, ticks[1]),),
        costs=tuple(_costs(result.series, version)),
        operations=tuple(operations(result.steps, dict.fromkeys(OPERATIONS))),
        budgets=(_budget(result, ticks),),
    )
    run.write(folder / jitterdata.FILE)
    return run


def table(three: JitterRun, two: JitterRun) -> str:
    """Medians of both GICs beside what is asked for, in Markdown."""
    lines = [
        "| Instructions of the guest per exit | GICv3 | at most | GICv2 | at most |",
        "|---|---:|---:|---:|---:|",
    ]
    for third, second in zip(three.costs, two.costs, strict=True):
        lines.append(
            f"| {third.title} | {third.median:g} | {third.limit} "
            f"| {second.median:g} | {second.limit} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Measure both GICs and print the table."""
    folder = Path(arguments[0]) if arguments else results.results_root() / "jitter-arm64"
    artifacts = builds.build(DEFAULT_KERNEL, "arm64")
    three, two = (
        measure(artifacts, DEFAULT_KERNEL, folder / f"gicv{version}", version) for version in (3, 2)
    )
    print(table(three, two))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
