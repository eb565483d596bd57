# SPDX-License-Identifier: GPL-2.0-only
"""Soak goes on where it was interrupted, and records what each run was."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness import soak
from harness.results import REPOSITORY

PLAN = soak.Plan(("amd-tcg",), "6.1", 1, False, commit="c1")
TEST = "testsuites/unit/harness/test_frames.py"


def test_cut_records_are_skipped(tmp_path: Path) -> None:
    record = tmp_path / "soak.jsonl"
    assert soak.read(record) == []
    record.write_text(json.dumps({"commit": "x"}) + '\n{"commit": "cu')
    assert soak.read(record) == [{"commit": "x"}]


def test_records_of_others_do_not_count() -> None:
    plan = soak.Plan(("amd-tcg",), "6.1", 1, False, commit="c1")
    entry: soak.Entry = {
        "commit": "c1", "target": "amd-tcg", "kernel": "6.1", "loaded": False,
        "part": "core", "tests": ["a"],
    }  # fmt: skip
    core = soak.Part("core", ("a",), 1)
    assert plan.same(entry, core)
    for key, value in (("commit", "c2"), ("kernel", "6.12"), ("loaded", True), ("part", "bugs")):
        assert not plan.same({**entry, key: value}, core), key
    assert not plan.same(entry, replace(core, tests=("b",)))


def test_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(plan: soak.Plan, part: soak.Part) -> soak.Entry:
        if len(ran) == 2:
            ran.append("interrupted")
            raise KeyboardInterrupt
        ran.append(part.name)
        return {
            "commit": plan.commit, "target": plan.target, "kernel": plan.kernel,
            "loaded": plan.loaded, "part": part.name, "tests": list(part.tests),
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
    for path in (*soak.CORE, *soak.BUGS, *soak.SUITE):
        assert (REPOSITORY / path).exists(), path


def test_what_is_repeated() -> None:
    """Core and bugs; of targets with a share that; with --suite all."""

    def parts(*targets: str, suite: bool = False) -> list[tuple[str, int]]:
        plan = replace(PLAN, targets=targets, suite=suite)
        return [(part.name, part.runs) for part in plan.parts(10, [])]

    assert parts("amd-tcg") == [("core", 10), ("bugs", 1)]
    assert parts("arm64-gicv3", "arm64-gicv2") == [("share", 10), ("bugs", 1)]
    assert parts("amd-tcg", suite=True) == [("suite", 10)]


def test_the_command_names_every_target() -> None:
    plan = replace(PLAN, targets=("arm64-gicv3", "arm64-gicv2"))
    share, bugs = (soak.command(plan, part) for part in plan.parts(10, []))
    for name in plan.targets:
        assert share[share.index(name) - 1] == "--target"
    assert ("--soak" in share, "--soak" in bugs) == (False, True)
