# SPDX-License-Identifier: GPL-2.0-only
"""Jitter, exit costs and exit budgets with counted time: exact, on any host."""

from __future__ import annotations

from collections.abc import Callable

from harness import cache, jitterbaseline, jitterrun, rootbudgets
from harness.jitterdata import JitterRun, Place
from harness.results import REPOSITORY
from testsuites.jitter.measured import Measured

#: What a repeated run must leave byte for byte, whatever the host did meanwhile.
STREAMS = (
    "hypervisor-console.log", "inmate-console.log", "root-console.log", "command-channel.log",
    "records.log",
)  # fmt: skip


def test_the_image_does_not_say_where_it_was_built(measured: Measured) -> None:
    """The size of a module moves all that Linux does later, and with it every figure."""
    built = measured.artifacts
    assert built.driver is not None
    for path in (*built.firmware, built.driver, *built.inmates, *built.configs):
        content = path.read_bytes()
        for place in (REPOSITORY, cache.cache_root().resolve()):
            assert str(place).encode() not in content, f"{path} names {place}"


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
    root = [budget for budget in measured.run.budgets if budget.scenario == rootbudgets.SCENARIO]
    assert len(root) == 1 + len(rootbudgets.EVENTS)
    assert len(measured.run.budgets) == len(root) + 2 + len(jitterrun.EVENTS)
    for budget in measured.run.budgets:
        assert budget.seen == budget.allowed, f"{budget.scenario}, {budget.event}"
