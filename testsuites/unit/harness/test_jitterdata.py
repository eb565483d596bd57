# SPDX-License-Identifier: GPL-2.0-only
"""The format of jitter runs: what readers of `jitter.json` rely on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness import jitterdata
from harness.jitterdata import Finding, FormatError, Kind, Place, Series

EXAMPLE = Path(__file__).parents[2] / "jitter" / "example.json"


def test_the_example_is_read_and_written_the_same(tmp_path: Path) -> None:
    run = jitterdata.read(EXAMPLE)
    run.write(tmp_path / "copy.json")
    assert jitterdata.read(tmp_path / "copy.json") == run
    assert json.loads((tmp_path / "copy.json").read_text()) == json.loads(EXAMPLE.read_text())
    assert run.comparison is not None
    assert not run.comparison.same
    assert [found.difference for found in run.comparison.findings] == [0, 1]


def test_figures_of_a_series() -> None:
    series = Series.of("x", "X", Place.CELL, Kind.COST, [3, 1, 2, 10])
    assert (series.count, series.minimum, series.median, series.maximum) == (4, 1, 2.5, 10)
    with pytest.raises(ValueError, match="no samples"):
        Series.of("x", "X", Place.CELL, Kind.COST, [])


def test_a_figure_that_is_new_differs() -> None:
    new = Finding("x", "ns", None, 3)
    assert new.difference is None
    assert new.baseline != new.today


@pytest.mark.parametrize(
    ("text", "message"),
    [("{}", "KeyError: 'format'"), ('{"format": 99}', "format 99, this reads 1"), ("{", "JSON")],
)
def test_other_files_are_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=message) as raised:
        jitterdata.read(path)
    assert "broken.json" in str(raised.value)


def test_a_history_is_one_file_a_commit_oldest_first(tmp_path: Path) -> None:
    run = jitterdata.read(EXAMPLE)
    for commit, date in (("b", "2026-01-02T00:00:00Z"), ("a", "2026-01-01T00:00:00Z")):
        made = replace(run, commit=commit, date=date).without_samples()
        made.write(jitterdata.history_path(tmp_path, made))
    found = jitterdata.read_history(tmp_path)
    assert [entry.commit for entry in found] == ["a", "b"]
    assert found[0].series[0].samples == ()
    assert found[0].series[0].median == run.series[0].median


def test_of_two_histories_the_later_has_the_word(tmp_path: Path) -> None:
    run = jitterdata.read(EXAMPLE)
    for folder, target in (("repository", "old"), ("results", "new")):
        jitterdata.keep(tmp_path / folder, replace(run, commit="a", target=target))
    jitterdata.keep(tmp_path / "repository", replace(run, commit="b"))
    found = jitterdata.read_history(tmp_path / "repository", tmp_path / "results")
    assert {entry.commit: entry.target for entry in found} == {"a": "new", "b": run.target}


@pytest.mark.parametrize("commit", ["4b002fbab01d-dirty", "no-git"])
def test_what_is_no_commit_is_no_history(tmp_path: Path, commit: str) -> None:
    jitterdata.keep(tmp_path, replace(jitterdata.read(EXAMPLE), commit=commit))
    assert jitterdata.read_history(tmp_path) == []
