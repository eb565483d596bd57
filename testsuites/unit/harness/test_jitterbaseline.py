# SPDX-License-Identifier: GPL-2.0-only
"""The gate on jitter: what it compares with, what it says, and that it never just passes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness import jitterbaseline, jitterdata, jitterrun
from harness.errors import ProductFailure
from harness.image import Artifacts
from harness.jitterbaseline import Baseline
from harness.jitterdata import GuestClock, JitterRun, Kind, Place, Series, Versions
from harness.unattended import parse_records

EXAMPLE = Path(__file__).parents[2] / "jitter" / "example.json"


@pytest.fixture
def run() -> JitterRun:
    return replace(jitterdata.read(EXAMPLE), comparison=None)


@pytest.fixture
def folder(tmp_path: Path, run: JitterRun, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(jitterbaseline, "pack", lambda: b"sources")
    jitterbaseline.write(run, tmp_path)
    return tmp_path


def never(artifacts: Artifacts) -> JitterRun:
    raise AssertionError("measured without need")


def slower(run: JitterRun, by: int) -> JitterRun:
    """One series whose every sample takes `by` instructions more."""
    old = next(s for s in run.series if s.name == "tick-msr" and s.kind is Kind.COST)
    more = [sample + by * jitterrun.NS for sample in old.samples]
    return jitterrun.replaced(run, [Series.of(old.name, old.title, old.place, old.kind, more)])


def test_the_same_figures_pass(run: JitterRun, folder: Path) -> None:
    comparison = jitterbaseline.gate(run, "6.1", never, folder).comparison
    assert comparison is not None
    assert (comparison.against, comparison.same) == ("stored", True)
    jitterbaseline.check(comparison)


@pytest.mark.parametrize("by", [1, -1])
def test_one_instruction_either_way_fails_and_says_how_to_accept_it(
    run: JitterRun, folder: Path, by: int
) -> None:
    comparison = jitterbaseline.gate(slower(run, by), "6.1", never, folder).comparison
    assert comparison is not None
    with pytest.raises(ProductFailure) as failure:
        jitterbaseline.check(comparison)
    lines = str(failure.value).splitlines()
    assert f"  tick-msr cost: median: {by:+d} instructions (119 -> {119 + by})" in lines
    assert "--update-baseline" in lines[-1]
    assert len(lines) == 4, "minimum and median of the one series, and nothing else"


def test_what_is_new_or_gone_fails(run: JitterRun, folder: Path) -> None:
    fewer = replace(run, costs=run.costs[1:])
    comparison = jitterbaseline.gate(fewer, "6.1", never, folder).comparison
    assert comparison is not None
    with pytest.raises(ProductFailure, match=r"exit hypercall: median: was 126.*is None"):
        jitterbaseline.check(comparison)


@pytest.mark.parametrize(
    "today",
    [
        {"versions": Versions("6.12", "QEMU 10.0.3", "gcc (Debian 12.2.0-14+deb12u1) 12.2.0")},
        {"clock": GuestClock("icount", 8)},
    ],
)
def test_other_versions_are_compared_with_the_baseline_built_anew(
    run: JitterRun, folder: Path, monkeypatch: pytest.MonkeyPatch, today: dict[str, object]
) -> None:
    monkeypatch.setattr(jitterbaseline, "build", lambda kernel, where: Artifacts())
    now = replace(slower(run, 7), **today)  # type: ignore[arg-type]
    measured = []

    def measure(artifacts: Artifacts) -> JitterRun:
        measured.append(artifacts)
        return replace(run, **today)  # type: ignore[arg-type]

    comparison = jitterbaseline.gate(now, "6.12", measure, folder).comparison
    assert comparison is not None
    assert (comparison.against, len(measured)) == ("rebuilt", 1)
    assert " is " in comparison.why
    assert " was " in comparison.why
    with pytest.raises(ProductFailure, match=r"tick-msr cost: median: \+7 instructions"):
        jitterbaseline.check(comparison)


def test_it_never_passes_without_a_comparison(run: JitterRun, tmp_path: Path) -> None:
    with pytest.raises(ProductFailure, match=r"no baseline at .*--update-baseline"):
        jitterbaseline.gate(run, "6.1", never, tmp_path)
    nothing = jitterbaseline.compare(
        replace(run, series=(), costs=()), Baseline("x", run.versions, run.clock, {}), "stored"
    )
    with pytest.raises(ProductFailure, match="nothing was compared"):
        jitterbaseline.check(nothing)
    jitterbaseline.write(run, tmp_path)
    (tmp_path / jitterbaseline.SOURCES).unlink()
    with pytest.raises(ProductFailure, match="cannot be built anew"):
        jitterbaseline.build("6.1", tmp_path)


def test_the_sources_are_the_same_bytes_each_time() -> None:
    first = jitterbaseline.pack()
    assert first == jitterbaseline.pack()
    assert first.startswith(b"\xfd7zXZ")


def test_bare_figures_are_no_part_of_it(run: JitterRun) -> None:
    names = [figure.name for figure in jitterrun.figures(run)]
    cells = [series for series in run.series if series.place is Place.CELL]
    costs = [cost for cost in run.costs if cost.place is Place.CELL]
    assert len(names) == 2 * (len(cells) + len(costs)) == len(set(names))


def test_exits_that_do_not_divide_are_a_failure() -> None:
    assert jitterrun.per_event({"msr_other": 60, "pio": 0}, 30) == {"msr_other": 2}
    with pytest.raises(ProductFailure, match=r"61 exits \(msr_other\) in 30 events"):
        jitterrun.per_event({"msr_other": 61}, 30)


def test_records_of_programs() -> None:
    text = "tick-msr jitter 16 32\ntick-msr cost 5\ntick-msr jitter 48\nEND tick\n"
    assert parse_records(text) == {("tick-msr", "jitter"): [16, 32, 48], ("tick-msr", "cost"): [5]}
    for line in ("LOST IPIs", "BAD command line", "x y -5"):
        with pytest.raises(ProductFailure, match="not a record"):
            parse_records(line + "\n")
