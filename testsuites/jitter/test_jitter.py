# SPDX-License-Identifier: GPL-2.0-only
"""Jitter, exit costs and exit budgets with counted time: exact, on any host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness import artifacts as builds
from harness import jitterbaseline, jitterrun, unattended
from harness.errors import ProductFailure
from harness.jitterbaseline import Baseline
from harness.jitterdata import JitterRun, Kind, Place, Series
from testsuites.jitter.measured import Measured

#: What a repeated run must leave byte for byte, whatever the host did meanwhile.
STREAMS = (
    "hypervisor-console.log", "inmate-console.log", "root-console.log", "command-channel.log",
    "records.log",
)  # fmt: skip
#: Instruction added by a build option -> the inmate's event that must show it.
COSTS = {"SEED_COST_MSR": "msr", "SEED_COST_MMIO": "mmio", "SEED_COST_HYPERCALL": "hypercall",
         "SEED_COST_IPI": "ipi"}  # fmt: skip


def test_the_baseline_is_met_exactly(measured: Measured) -> None:
    assert measured.run.comparison is not None
    jitterbaseline.check(measured.run.comparison)


def test_two_runs_are_the_same(measured: Measured, again: Callable[[str], JitterRun]) -> None:
    second = again("again")
    in_cell = [series for series in measured.run.series if series.place is Place.CELL]
    assert list(second.series) == in_cell
    assert second.operations == measured.run.operations
    for name in STREAMS:
        first = (measured.streams / name).read_bytes()
        assert (measured.folder / "again" / name).read_bytes() == first, name
    assert (measured.streams / "records.log").stat().st_size > 0


def test_exits_cost_what_they_may(measured: Measured) -> None:
    judged = [cost for cost in measured.run.costs if cost.limit is not None]
    assert {cost.name for cost in judged} == set(jitterrun.REFERENCES)
    over = [f"{c.name}: {c.median:g} > {c.limit}" for c in judged if not c.within_limit]
    assert not over, over


def test_every_exit_is_in_the_budget(measured: Measured) -> None:
    assert len(measured.run.budgets) == 2 + len(jitterrun.EVENTS)
    for budget in measured.run.budgets:
        assert budget.seen == budget.allowed, f"{budget.scenario}, {budget.event}"


def test_one_instruction_more_fails_the_gate(measured: Measured) -> None:
    """One boot: for each of four hypervisors, enable, ticks with its event, disable."""
    firmware = {event: _variant(word) for word, event in COSTS.items()}
    steps: list[unattended.Step] = [{"do": "module"}]
    for event in firmware:
        steps += [
            {"do": "firmware", "path": f"/usr/lib/jailhouse/{event}.bin"},
            {"do": "enable", "config": jitterrun.target().root_config},
            *jitterrun.tick_steps("none", 5),
            *jitterrun.tick_steps(event, jitterrun.TICKS),
            {"do": "disable"},
        ]
    result = unattended.run(
        jitterrun.target(), measured.kernel, measured.artifacts, steps,
        measured.folder / "one-more",
        files={f"usr/lib/jailhouse/{event}.bin": path for event, path in firmware.items()},
    )  # fmt: skip
    series = jitterrun.tick_series(result.series, Place.CELL)
    for event in firmware:
        _check_gate_fails(measured.run, event, series)


def _variant(word: str) -> Path:
    (path,) = builds.hypervisor_variant([word]).glob("hypervisor/jailhouse-amd.bin")
    return path


def _check_gate_fails(run: JitterRun, event: str, series: list[Series]) -> None:
    name = f"tick-{event}"
    baseline = Baseline.of(run)
    cost = [one for one in series if (one.name, one.kind) == (name, Kind.COST)]
    changed = jitterrun.replaced(run, cost)
    comparison = jitterbaseline.compare(changed, baseline, "stored")
    with pytest.raises(ProductFailure) as failure:
        jitterbaseline.check(comparison)
    text = str(failure.value)
    assert f"{name} cost: median: +1 instructions" in text
    assert f"{name} cost: minimum: +1 instructions" in text
    assert "--update-baseline" in text
