# SPDX-License-Identifier: GPL-2.0-only
"""The jitter report's files; how it looks is tested in testsuites/report."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness import jitterdata
from harness.jitterdata import JitterRun
from harness.report import jitter
from harness.results import REPOSITORY

EXAMPLE = REPOSITORY / "testsuites/jitter/example.json"


@pytest.fixture
def run() -> JitterRun:
    return jitterdata.read(EXAMPLE)


def test_page_is_complete_in_itself(run: JitterRun, tmp_path: Path) -> None:
    page = jitter.generate(run, [], tmp_path).read_text()
    assert re.findall(r"@[A-Z]+@", page) == []
    outside = set(re.findall(r"""https?://[^\s"'<>]*""", page))
    assert outside == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert json.loads((tmp_path / jitter.DATA).read_text())["run"]["commit"] == run.commit


def test_data_can_not_end_their_element(run: JitterRun) -> None:
    evil = replace(run, target="</script><script>alert(1)</script>")
    page = jitter.page(jitter.record(evil, []))
    assert "alert(1)</script>" not in page
    (data,) = re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert json.loads(data)["run"]["target"] == evil.target


def test_history_is_ordered_and_has_this_run_once(run: JitterRun) -> None:
    older = replace(run, commit="a" * 12, date="2026-01-01T00:00:00Z")
    stale = replace(run, date="2026-02-01T00:00:00Z")
    newer = replace(run, commit="b" * 12, date="2027-01-01T00:00:00Z")
    history = jitter.record(run, [newer, stale, older])["history"]
    assert isinstance(history, list)
    assert [entry["commit"] for entry in history] == ["a" * 12, run.commit, "b" * 12]
    assert all(series["samples"] == () for entry in history for series in entry["series"])


def test_command_takes_the_newest_run_and_records_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: JitterRun
) -> None:
    monkeypatch.setenv("JAILHOUSE_RESULTS", str(tmp_path / "results"))
    run.write(tmp_path / "results/20260101-run/jitter.json")
    history = tmp_path / "history"
    assert jitter.main(["--history", str(history), "--record"]) == 0
    assert (tmp_path / "results/20260101-run" / jitter.PAGE).exists()
    (kept,) = jitterdata.read_history(history)
    assert kept == run.without_samples()


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "no run has a jitter.json"), ("{", "jitter.json: JSONDecodeError"), ('{"format": 99}', "format 99")],
)
def test_nothing_to_report_on_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    content: str | None, says: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("JAILHOUSE_RESULTS", str(tmp_path))
    if content is not None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run/jitter.json").write_text(content)
    assert jitter.main([]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert str(tmp_path) in line
