# SPDX-License-Identifier: GPL-2.0-only
"""Soak goes on where it was interrupted, and records what each run was."""

import json
from pathlib import Path

import pytest

from harness import soak
from harness.results import REPOSITORY

PLAN = soak.Plan("amd-tcg", "6.1", 1, False, "c1")
TEST = "testsuites/unit/harness/test_frames.py"


def test_cut_records_are_skipped(tmp_path: Path) -> None:
    record = tmp_path / "soak.jsonl"
    assert soak.read(record) == []
    record.write_text(json.dumps({"commit": "x"}) + '\n{"commit": "cu')
    assert soak.read(record) == [{"commit": "x"}]


def test_records_of_others_do_not_count() -> None:
    plan = soak.Plan("amd-tcg", "6.1", 1, False, "c1")
    entry: soak.Entry = {
        "commit": "c1", "target": "amd-tcg", "kernel": "6.1", "loaded": False,
        "part": "core", "tests": ["a"],
    }  # fmt: skip
    assert plan.same(entry, "core", ("a",))
    for key, value in (("commit", "c2"), ("kernel", "6.12"), ("loaded", True), ("part", "bugs")):
        assert not plan.same({**entry, key: value}, "core", ("a",)), key
    assert not plan.same(entry, "core", ("b",))


def test_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(plan: soak.Plan, part: str, tests: tuple[str, ...]) -> soak.Entry:
        if len(ran) == 2:
            ran.append("interrupted")
            raise KeyboardInterrupt
        ran.append(part)
        return {
            "commit": plan.commit, "target": plan.target, "kernel": plan.kernel,
            "loaded": plan.loaded, "part": part, "tests": list(tests),
            "verdict": "passed", "seconds": 1,
        }  # fmt: skip

    monkeypatch.setenv("JAILHOUSE_RESULTS", str(tmp_path))
    monkeypatch.setattr(soak, "_run", run)
    with pytest.raises(KeyboardInterrupt):
        soak.soak(PLAN, 3, [TEST])
    assert soak.soak(PLAN, 3, [TEST]) == 0
    assert ran == ["chosen", "chosen", "interrupted", "chosen"]
    assert soak.soak(PLAN, 3, [TEST]) == 0
    assert len(ran) == 4


def test_core_scenarios_exist() -> None:
    for path in (*soak.CORE, *soak.BUGS):
        assert (REPOSITORY / path).exists(), path
