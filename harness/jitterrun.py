# SPDX-License-Identifier: GPL-2.0-only
"""Measures a build with counted time: one machine, one boot, every inmate.

The result is a `jitterdata.JitterRun`. What is compared exactly is `figures()`: the
minimum and the median of every series and cost in a cell (the median alone where two CPUs
take part). Maxima are not among them: they are slices that other CPUs take of the one
thread that executes all of them, and move with whatever Linux does; nor are management
operations, most of which is Linux.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import artifacts as builds
from harness import jitter, provision, results, unattended
from harness.engines.qemu import ICOUNT_SHIFT
from harness.errors import ProductFailure
from harness.image import Artifacts
from harness.jitterdata import (
    Budget,
    Cost,
    GuestClock,
    JitterRun,
    Kind,
    Operation,
    Place,
    Series,
    Versions,
)
from harness.machine import Role
from harness.targets import TARGETS, Target
from harness.unattended import Result, Step

TICKS = 30
SAMPLES = 1000
#: Of create and destroy, disable and enable, for the medians of `OPERATIONS`.
ROUNDS = 5
#: Nanoseconds that an instruction takes.
NS = 1 << ICOUNT_SHIFT

#: What ticks of the inmate `tick` do, with a title for people.
EVENTS = {
    "none": "nothing but the tick",
    "msr": "one MSR exit a tick",
    "mmio": "one MMIO exit a tick",
    "hypercall": "one hypercall a tick",
    "ipi": "one IPI to another CPU a tick",
}
#: Figures of the best existing hypervisor, and what ours may need of them.
REFERENCES: Mapping[str, tuple[str, int, float]] = {
    "hypercall": ("hypercall", 162, 0.8),
    "cpuid": ("CPUID", 143, 0.8),
    "x2apic-msr-read": ("x2APIC MSR read, emulated", 127, 0.8),
    "x2apic-msr-write": ("x2APIC MSR write, emulated", 147, 0.8),
    "xapic-mmio-write": ("xAPIC MMIO write", 2501, 0.5),
    "subpage-read": ("sub-page MMIO read", 2935, 0.5),
    "subpage-write": ("sub-page MMIO write", 2935, 0.5),
    "port-write": ("trapped port", 151, 0.8),
    "ipi-self": ("self-IPI to handler", 243, 0.8),
    "ipi-other": ("IPI to another CPU's handler", 247, 0.8),
}
TITLES = {"pat-msr-read": "PAT read", "ipi-send": "IPI, the sender's part"}
OPERATIONS: Mapping[str, int] = {
    "enable": 29_700_000,
    "create": 1_700_000,
    "start": 263_000,
    "destroy": 1_900_000,
    "disable": 150_000,
}
#: What is done to a cell, not to the hypervisor.
CELL_OPERATIONS = frozenset({"create", "start", "destroy"})
#: Exit counters in the order of `include/jailhouse/hypercall.h`.
REASONS = (
    "total", "mmio", "management", "hypercall", "pio", "xapic", "cr", "cpuid", "xsetbv",
    "exception", "msr_other", "msr_x2apic_icr",
)  # fmt: skip


def target() -> Target:
    """The one with counted time."""
    return TARGETS["amd-icount"]


# --- the scenario


def _cell(name: str, inmate: str, words: str) -> list[Step]:
    """A cell's life, from create to destroy."""
    return [
        {"do": "create", "config": name},
        {"do": "load", "cell": name, "path": inmate, "words": words},
        {"do": "start", "cell": name},
        {"do": "wait", "cell": name, "state": "shut down", "seconds": 120},
        {"do": "destroy", "cell": name},
    ]


def tick_steps(event: str, ticks: int, inmate: str = "tick") -> list[Step]:
    """A cell whose ticks do one `event` each."""
    return _cell("test-jitter", inmate, f"event={event} ticks={ticks}")


def _apic_demo(seconds: float) -> list[Step]:
    name = "apic-demo"
    return [
        {"do": "create", "config": name},
        {"do": "load", "cell": name, "path": name},
        {"do": "start", "cell": name},
        {"do": "sleep", "seconds": seconds},
        {"do": "shutdown", "cell": name, "refused": "EPERM"},
        {"do": "shutdown", "cell": name},
        {"do": "stats", "cell": name},
        {"do": "destroy", "cell": name},
    ]


REST: Step = {"do": "sleep", "seconds": 0.3}


def _turns(one: Step, other: Step, count: int) -> list[Step]:
    """Each after a rest: what Linux put off belongs to what came before."""
    return [REST, one, REST, other] * count


def management(root_config: str, cell: str, count: int = ROUNDS) -> list[Step]:
    """A cell that is only created and destroyed, then a hypervisor only disabled and enabled;
    it is disabled in the end."""
    enable: Step = {"do": "enable", "config": root_config}
    disable: Step = {"do": "disable"}
    create: Step = {"do": "create", "config": cell}
    destroy: Step = {"do": "destroy", "cell": cell}
    turns = [*_turns(create, destroy, count), *_turns(disable, enable, count)]
    return [*turns, REST, disable]


def steps(root_config: str, ticks: int = TICKS, samples: int = SAMPLES) -> list[Step]:
    """apic-demo for two lengths of time, ticks with each event, exit-bench, management."""
    return [
        {"do": "module"},
        {"do": "enable", "config": root_config},
        *_apic_demo(0.1 * ticks),
        *_apic_demo(0.3 * ticks),
        *(step for event in EVENTS for step in tick_steps(event, ticks)),
        *_cell("test-jitter", "exit-bench", f"samples={samples}"),
        *management(root_config, "apic-demo"),
    ]


# --- what came of it


@dataclass(frozen=True)
class Figure:
    """One number that is compared exactly, in instructions."""

    name: str
    value: float


#: Two CPUs take part: its minimum is one lucky turn of the CPUs, which moves with Linux.
ACROSS_CPUS = frozenset({"ipi-other"})


def figures(run: JitterRun) -> list[Figure]:
    """What a baseline keeps."""
    made = []
    for series in run.series:
        if series.place is Place.CELL:
            name = f"{series.name} {series.kind}"
            made += [
                Figure(f"{name}: minimum", series.minimum / NS),
                Figure(f"{name}: median", series.median / NS),
            ]
    for cost in run.costs:
        if cost.place is Place.CELL:
            if cost.name not in ACROSS_CPUS:
                made.append(Figure(f"exit {cost.name}: minimum", cost.minimum))
            made.append(Figure(f"exit {cost.name}: median", cost.median))
    return made


def tick_series(samples: Mapping[tuple[str, str], list[int]], place: Place) -> list[Series]:
    """The series of the inmate `tick`; the clock's own cost, seen by "none", is subtracted.

    Without the first tick's jitter: it is still part of the cell's start, where it stands to
    the turns of the other CPUs moves with every byte of the image.
    """
    empty = min(samples.get(("tick-none", "cost"), [0]))
    made = []
    for event, title in EVENTS.items():
        name = f"tick-{event}"
        if (name, "jitter") in samples:
            made.append(Series.of(name, title, place, Kind.JITTER, samples[name, "jitter"][1:]))
        if event != "none" and (name, "cost") in samples:
            cost = [value - empty for value in samples[name, "cost"]]
            made.append(Series.of(name, title, place, Kind.COST, cost))
    return made


def _costs(samples: Mapping[tuple[str, str], list[int]], place: Place) -> list[Cost]:
    empty = min(samples["empty", "cost"])
    made = []
    for (name, kind), ticks in samples.items():
        if kind != "cost" or name == "empty" or name.startswith("tick-"):
            continue
        title, reference, share = REFERENCES.get(name, (TITLES.get(name, name), None, 1.0))
        series = Series.of(name, title, place, Kind.COST, [value - empty for value in ticks])
        made.append(cost_of(series, reference if place is Place.CELL else None, share))
    return made


def cost_of(series: Series, reference: int | None, share: float) -> Cost:
    """The figures of a series in instructions; ours may need `share` of `reference`."""
    return Cost(
        series.name, series.title, series.place, series.count, series.minimum // NS,
        series.median / NS, series.maximum // NS, reference,
        None if reference is None else int(reference * share),
    )  # fmt: skip


def operations(
    record: Sequence[dict[str, object]], references: Mapping[str, int | None]
) -> list[Operation]:
    """The median of each kind, of the first cell only; ours may need half of its reference.

    Linux' part moves by a tenth with free pages and scheduling, hence a median.
    """
    seen: dict[str, list[int]] = {}
    cell = None
    for line in record:
        step = line["step"]
        assert isinstance(step, dict)
        if step["do"] == "create":
            cell = cell or step["config"]
        if step["do"] in CELL_OPERATIONS and cell not in (step.get("config"), step.get("cell")):
            continue
        seen.setdefault(step["do"], []).append(int(str(line["ticks"])) // NS)
    return [
        Operation(
            name,
            int(statistics.median(seen[name])),
            reference,
            None if reference is None else reference // 2,
        )
        for name, reference in references.items()
    ]


def lives(result: Result, begins: str) -> list[list[int]]:
    """A timer demo's jitter, one list for each of its lives; `begins`: its last word before."""
    parts = result.text(Role.HYPERVISOR_CONSOLE).split(begins)[1:]
    return [list(jitter.parse(life).ticks) for life in parts]


def exits_of_tick(
    result: Result, ticks: Sequence[Sequence[int]]
) -> tuple[Mapping[str, int], int, dict[str, int]]:
    """From two lives of different length: exits of the first, and of a tick with their number."""
    exits = [line["exits"] for line in result.steps if line["step"]["do"] == "stats"]
    short, long = exits[:2]
    number = len(ticks[1]) - len(ticks[0])
    if number <= 0:
        raise ProductFailure(f"the timer demo's lives have {[len(life) for life in ticks]} ticks")
    return short, number, per_event({name: long[name] - short[name] for name in long}, number)


def _apic_demo_budgets(
    result: Result, ticks: Sequence[Sequence[int]], allowed: Mapping[str, Mapping[str, int]]
) -> list[Budget]:
    """Exits of a tick, and of the rest of a life."""
    short, number, tick = exits_of_tick(result, ticks)
    rest = {name: short[name] - tick.get(name, 0) * len(ticks[0]) for name in short}
    return [
        Budget("apic-demo", "tick", number, dict(allowed.get("tick", {})), tick),
        Budget("apic-demo", "life without ticks", 1, dict(allowed.get("life", {})),
               per_event(rest, 1)),
    ]  # fmt: skip


def per_event(spent: Mapping[str, int], events: int) -> dict[str, int]:
    """Exits of one event by reason; ProductFailure when they do not divide evenly."""
    made = {}
    for reason, count in spent.items():
        if count % events:
            raise ProductFailure(f"{count} exits ({reason}) in {events} events: not the same each")
        if count:
            made[reason] = count // events
    return made


def _tick_budgets(
    samples: Mapping[tuple[str, str], list[int]], allowed: Mapping[str, Mapping[str, int]]
) -> list[Budget]:
    made = []
    for event in EVENTS:
        name = f"tick-{event}"
        counts = dict(zip(REASONS, samples[name, "exits"], strict=True))
        ticks = len(samples[name, "jitter"])
        budget = dict(allowed.get(event, {}))
        made.append(Budget(name, "tick", ticks, budget, per_event(counts, ticks)))
    return made


Budgets = Mapping[str, Mapping[str, Mapping[str, int]]]


def now() -> str:
    """ISO 8601, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def versions(kernel: str, on: Target | None = None) -> Versions:
    """Of what is used today, by default on `target()`."""
    on = on or target()
    tools = builds.TOOLCHAINS[on.architecture]
    tree = provision.engine(on.engine)
    compiler = [f"{tools.cross}gcc", "--version"]
    done = subprocess.run(compiler, capture_output=True, text=True, check=True)
    release = provision.kernel(kernel, tools.debian)
    return Versions(
        f"{release.release} ({release.root.name})",
        f"QEMU {tree.version_text}",
        done.stdout.splitlines()[0],
    )


def measure(
    artifacts: Artifacts, kernel: str, folder: Path, budgets: Budgets | None = None
) -> JitterRun:
    """Boot, run the scenario, read what it left; the same inmates on the bare machine are
    `measure_bare`."""
    result = unattended.run(target(), kernel, artifacts, steps(target().root_config), folder)
    return evaluate(result, kernel, budgets or {})


def evaluate(result: Result, kernel: str, budgets: Budgets) -> JitterRun:
    """A finished scenario as data."""
    samples = result.series
    ticks = lives(result, "Calibrated APIC frequency")
    demo = Series.of("apic-demo", "apic-demo, 10 Hz", Place.CELL, Kind.JITTER, ticks[1])
    return JitterRun(
        commit=results.commit(),
        date=now(),
        target=target().name,
        versions=versions(kernel),
        clock=GuestClock("icount", NS),
        series=(demo, *tick_series(samples, Place.CELL)),
        costs=tuple(_costs(samples, Place.CELL)),
        operations=tuple(operations(result.steps, OPERATIONS)),
        budgets=(
            *_apic_demo_budgets(result, ticks, budgets.get("apic-demo", {})),
            *_tick_budgets(samples, budgets.get("tick", {})),
        ),
    )


# --- the bare machine


def measure_bare(artifacts: Artifacts, folder: Path) -> tuple[list[Series], list[Cost]]:
    """The same programs without hypervisor, in their multiboot form."""
    programs = unattended.bare_programs(artifacts)
    samples: dict[tuple[str, str], list[int]] = {}
    for event in EVENTS:
        if event != "hypercall":
            words = f"event={event} ticks={TICKS}"
            samples |= _bare(programs / "tick.bin", words, folder / f"tick-{event}").series
    bench = _bare(programs / "exit-bench.bin", f"samples={SAMPLES}", folder / "exit-bench")
    demo = unattended.run_bare(
        target(), programs / "apic-demo.bin", "", folder / "apic-demo", _has_ticks(TICKS)
    )
    ticks = list(jitter.parse(demo.text(Role.HYPERVISOR_CONSOLE)).ticks[:TICKS])
    series = [
        Series.of("apic-demo", "apic-demo, 10 Hz", Place.BARE, Kind.JITTER, ticks),
        *tick_series(samples, Place.BARE),
    ]
    return series, _costs(bench.series, Place.BARE)


def _bare(program: Path, words: str, folder: Path) -> Result:
    return unattended.run_bare(target(), program, words, folder, _has_ended)


def _has_ended(result: Result) -> bool:
    path = result.folder / "records.log"
    return path.exists() and "\nEND " in path.read_text()[-100:]


def _has_ticks(count: int) -> Callable[[Result], bool]:
    def finished(result: Result) -> bool:
        path = result.folder / f"{result.spec.serial(Role.HYPERVISOR_CONSOLE).name}.log"
        if not path.exists():
            return False
        return jitter.parse(result.text(Role.HYPERVISOR_CONSOLE)).count > count

    return finished


def with_bare(run: JitterRun, bare: tuple[Sequence[Series], Sequence[Cost]]) -> JitterRun:
    return replace(run, series=(*run.series, *bare[0]), costs=(*run.costs, *bare[1]))


def replaced(run: JitterRun, series: Sequence[Series]) -> JitterRun:
    """The run with other series of the same names, kinds and places."""
    new = {(one.name, one.kind, one.place): one for one in series}
    return replace(
        run,
        series=tuple(new.get((one.name, one.kind, one.place), one) for one in run.series),
    )
