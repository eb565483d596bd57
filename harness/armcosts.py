# SPDX-License-Identifier: GPL-2.0-only
"""What exits cost on ARM64, with counted time: exit-bench of `inmates/tests/arm64`.

::

    python -m harness.armcosts [FOLDER]

prints a table in Markdown (docs/exits-arm64.md has one); FOLDER keeps the streams.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import artifacts as builds
from harness import results, unattended
from harness.engines.qemu import ICOUNT_SHIFT
from harness.image import Artifacts
from harness.provision import DEFAULT_KERNEL
from harness.targets import TARGETS, Target
from harness.unattended import Step

SAMPLES = 200
#: Nanoseconds that an instruction takes.
NS = 1 << ICOUNT_SHIFT
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


@dataclass(frozen=True)
class ArmCost:
    """Instructions of one kind of exit, the clock's own subtracted."""

    name: str
    title: str
    minimum: int
    median: float
    maximum: int
    reference: int

    @property
    def limit(self) -> int:
        return int(self.reference * SHARE)

    @property
    def within_limit(self) -> bool:
        return self.median <= self.limit


def target(version: int) -> Target:
    """With counted time, and a GIC of that version."""
    wall = TARGETS[f"arm64-gicv{version}"]
    return replace(wall.counted(), name=f"{wall.name} (counted)")


def steps(root_config: str, samples: int = SAMPLES) -> list[Step]:
    name = "test-jitter"
    return [
        {"do": "module"},
        {"do": "enable", "config": root_config},
        {"do": "create", "config": name},
        {"do": "load", "cell": name, "path": "exit-bench", "words": f"samples={samples}"},
        {"do": "start", "cell": name},
        {"do": "wait", "cell": name, "state": "shut down", "seconds": 120},
        {"do": "stats", "cell": name},
        {"do": "destroy", "cell": name},
        {"do": "disable"},
    ]


def evaluate(samples: Mapping[tuple[str, str], Sequence[int]], version: int) -> list[ArmCost]:
    empty = min(samples["empty", "cost"])
    made = []
    for name, (title, *references) in REFERENCES.items():
        # Timer and SGIs end at the first reading of the clock: only half of "empty" is in them.
        values = [(ticks - empty) / NS for ticks in samples[name, "cost"]]
        made.append(
            ArmCost(
                name, title, int(min(values)), statistics.median(values), int(max(values)),
                references[0 if version == 3 else 1],
            )
        )  # fmt: skip
    return made


def measure(artifacts: Artifacts, kernel: str, folder: Path, version: int) -> list[ArmCost]:
    """Boot, one cell with two CPUs, the figures."""
    on = target(version)
    result = unattended.run(on, kernel, artifacts, steps(on.root_config), folder)
    assert result.steps
    return evaluate(result.series, version)


def table(costs: Mapping[int, Sequence[ArmCost]]) -> str:
    """Medians of both GICs beside what is asked for, in Markdown."""
    lines = [
        "| Instructions of the guest per exit | GICv3 | at most | GICv2 | at most |",
        "|---|---:|---:|---:|---:|",
    ]
    for three, two in zip(costs[3], costs[2], strict=True):
        lines.append(
            f"| {three.title} | {three.median:g} | {three.limit} | {two.median:g} | {two.limit} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Measure both GICs and print the table."""
    folder = Path(arguments[0]) if arguments else results.results_root() / "armcosts"
    artifacts = builds.build(DEFAULT_KERNEL, "arm64")
    costs = {
        version: measure(artifacts, DEFAULT_KERNEL, folder / f"gicv{version}", version)
        for version in (3, 2)
    }
    print(table(costs))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
