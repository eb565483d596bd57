# SPDX-License-Identifier: GPL-2.0-only
"""What a jitter run measured, as data: one `jitter.json` in the run's folder.

`testsuites/jitter/example.json` is a small complete one. Times are nanoseconds
of guest time, costs are instructions (with counted time one instruction takes
`clock.ns_per_instruction`, so either can be had from the other). Every list is in
the order in which things were measured. A figure that was not measured is absent
or null, never 0::

    JitterRun
      versions, clock      what the figures are only comparable within
      series[]             every sample of every inmate: jitter of ticks, and what
                           the one exit of a tick cost; in a cell and on bare metal
      costs[]              exit-bench: instructions of each kind of exit
      operations[]         instructions of enable, create, start, destroy, disable
      budgets[]            exits by reason, per event of a scenario
      comparison           with the baseline, figure by figure
      wall                 statistics on a target with the host's clock, or null

A history is a folder of these files, one a commit (`history_path`), without the
samples of its series. Every measurement of a commit is kept in `results/jitter-history`.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

FORMAT = 1
#: Name of the file in a run's results folder.
FILE = "jitter.json"
#: Name of the history in the folder of all runs.
HISTORY = "jitter-history"


class Place(StrEnum):
    """Where a program ran."""

    CELL = "cell"
    BARE = "bare"


class Kind(StrEnum):
    """What a sample is: how late a tick was, or how long its one event took."""

    JITTER = "jitter"
    COST = "cost"


@dataclass(frozen=True)
class Versions:
    """What changes figures although nobody changed the product."""

    kernel: str
    emulator: str
    compiler: str


@dataclass(frozen=True)
class GuestClock:
    """`kind` is "icount" or "wall"; `ns_per_instruction` is null for the latter."""

    kind: str
    ns_per_instruction: int | None


@dataclass(frozen=True)
class Series:
    """One inmate's samples in nanoseconds, in the order in which they were taken.

    `samples` is empty in a history, the figures beside it are always there.
    """

    #: As in "apic-demo" or "tick-msr": the same name in a cell and on bare metal.
    name: str
    title: str
    place: Place
    kind: Kind
    samples: tuple[int, ...]
    count: int
    minimum: int
    median: float
    maximum: int

    @staticmethod
    def of(name: str, title: str, place: Place, kind: Kind, samples: list[int]) -> Series:
        """A series with its figures; ValueError if there is no sample."""
        if not samples:
            raise ValueError(f"series {name} ({place}): no samples")
        return Series(
            name, title, place, kind, tuple(samples), len(samples),
            min(samples), statistics.median(samples), max(samples),
        )  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """Instructions of one kind of exit, seen by the guest (its own loop subtracted).

    `reference` is what the best existing hypervisor of this kind needs, `limit` what
    ours may need; both null where there is no such figure (bare metal).
    """

    name: str
    title: str
    place: Place
    count: int
    minimum: int
    median: float
    maximum: int
    reference: int | None = None
    limit: int | None = None

    @property
    def within_limit(self) -> bool | None:
        return None if self.limit is None else self.median <= self.limit


@dataclass(frozen=True)
class Operation:
    """Instructions of one management operation, all of the machine's CPUs together."""

    name: str
    instructions: int
    reference: int | None = None
    limit: int | None = None

    @property
    def within_limit(self) -> bool | None:
        return None if self.limit is None else self.instructions <= self.limit


@dataclass(frozen=True)
class Budget:
    """Exits of one event (a tick, a create, ...) by reason; reasons without exits are absent.

    `allowed` is what testsuites/jitter/budgets.toml says, `seen` what was counted
    during `events` events.
    """

    scenario: str
    event: str
    events: int
    allowed: dict[str, int]
    seen: dict[str, int]

    @property
    def kept(self) -> bool:
        return self.allowed == self.seen


@dataclass(frozen=True)
class Finding:
    """One figure beside its baseline."""

    figure: str
    unit: str
    baseline: float | None
    today: float | None

    @property
    def difference(self) -> float | None:
        if self.baseline is None or self.today is None:
            return None
        return self.today - self.baseline


@dataclass(frozen=True)
class Comparison:
    """`against` is "stored" (figures in the repository) or "rebuilt" (the baseline's
    sources built and run with today's tools, because `why`)."""

    commit: str
    against: str
    why: str
    findings: tuple[Finding, ...]

    @property
    def same(self) -> bool:
        return all(found.baseline == found.today for found in self.findings)


@dataclass(frozen=True)
class Arm:
    """One side of a comparison on the host's clock: a median for each run, in ns."""

    name: str
    run_medians: tuple[float, ...]
    median: float
    #: 95 % interval of the median.
    low: float
    high: float


@dataclass(frozen=True)
class Wall:
    """Interleaved runs on a target that runs on the host's clock. Never a gate.

    `control` is a second arm of the same binaries as `first` (A/A): what differs
    between these two is noise. `verdict` is one sentence.
    """

    target: str
    first: Arm
    control: Arm
    second: Arm
    absolute_floor_ns: float
    relative_floor: float
    verdict: str


@dataclass(frozen=True)
class JitterRun:
    """Everything that one run measured."""

    commit: str
    #: ISO 8601, UTC.
    date: str
    target: str
    versions: Versions
    clock: GuestClock
    series: tuple[Series, ...] = ()
    costs: tuple[Cost, ...] = ()
    operations: tuple[Operation, ...] = ()
    budgets: tuple[Budget, ...] = ()
    comparison: Comparison | None = None
    wall: Wall | None = None
    format: int = field(default=FORMAT)

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(asdict(self)))

    def without_samples(self) -> JitterRun:
        """What a history keeps."""
        return replace(self, series=tuple(replace(series, samples=()) for series in self.series))


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=1, default=list) + "\n"


class FormatError(Exception):
    """A file that is no jitter run of this format."""


def read(path: Path) -> JitterRun:
    """A run from its file; FormatError names the file and what is wrong with it."""
    try:
        data = json.loads(path.read_text())
        if data["format"] != FORMAT:
            raise FormatError(f"{path}: format {data['format']}, this reads {FORMAT}")
        return _run(data)
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path}: {type(error).__name__}: {error}") from error


def _run(data: dict[str, Any]) -> JitterRun:
    comparison, wall = data["comparison"], data["wall"]
    return JitterRun(
        commit=data["commit"],
        date=data["date"],
        target=data["target"],
        versions=Versions(**data["versions"]),
        clock=GuestClock(**data["clock"]),
        series=tuple(map(_series, data["series"])),
        costs=tuple(Cost(**entry | {"place": Place(entry["place"])}) for entry in data["costs"]),
        operations=tuple(Operation(**entry) for entry in data["operations"]),
        budgets=tuple(Budget(**entry) for entry in data["budgets"]),
        comparison=None if comparison is None else _comparison(comparison),
        wall=None if wall is None else _wall(wall),
    )


def _series(entry: dict[str, Any]) -> Series:
    typed = {
        "place": Place(entry["place"]),
        "kind": Kind(entry["kind"]),
        "samples": tuple(entry["samples"]),
    }
    return Series(**entry | typed)


def _comparison(entry: dict[str, Any]) -> Comparison:
    return Comparison(
        **entry | {"findings": tuple(Finding(**found) for found in entry["findings"])}
    )


def _wall(entry: dict[str, Any]) -> Wall:
    arms = {
        name: Arm(**entry[name] | {"run_medians": tuple(entry[name]["run_medians"])})
        for name in ("first", "control", "second")
    }
    return Wall(**entry | arms)


def keep(folder: Path, run: JitterRun) -> None:
    """Add a run to a history, unless what was measured is no commit."""
    if not run.commit.endswith("-dirty") and run.commit != "no-git":
        run.without_samples().write(history_path(folder, run))


def history_path(folder: Path, run: JitterRun) -> Path:
    """Where a run's file goes in a history: one a commit, the newest replaces."""
    return folder / f"{run.commit}.json"


def read_history(*folders: Path) -> list[JitterRun]:
    """Every commit's run, oldest first; where several folders have one, the last one's."""
    runs = {run.commit: run for folder in folders for run in map(read, folder.glob("*.json"))}
    return sorted(runs.values(), key=lambda run: (run.date, run.commit))
