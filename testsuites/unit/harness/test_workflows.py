# SPDX-License-Identifier: GPL-2.0-only
"""Continuous integration as far as it can be judged here: what jobs run exists, and no pin is made up."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from harness.provision import KERNEL_SUITES
from harness.quality import pins
from harness.report import summary
from harness.results import REPOSITORY
from harness.targets import TARGETS

WORKFLOWS = REPOSITORY / ".github/workflows"


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(WORKFLOWS / name)
    return loaded


@pytest.fixture(scope="module", params=["ci.yml", "nightly.yml"])
def workflow(request: pytest.FixtureRequest) -> dict[str, Any]:
    return load(request.param)


def steps(workflow: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in workflow["jobs"].items():
        for step in job["steps"]:
            yield name, step


def test_nothing_is_permitted_that_is_not_needed(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert job["permissions"] == {"contents": "read"}, name
        assert job["timeout-minutes"] <= 90, name


def test_every_checkout_has_history_and_keeps_no_credentials(workflow: dict[str, Any]) -> None:
    for name, job in workflow["jobs"].items():
        (checkout,) = [s for s in job["steps"] if s.get("uses", "").startswith("actions/checkout@")]
        assert checkout["with"] == {"fetch-depth": 0, "persist-credentials": False}, name
        trusted = any("safe.directory" in step.get("run", "") for step in job["steps"])
        assert trusted == ("container" in job), name


def test_every_workflow_is_judged() -> None:
    assert {path.name for path in WORKFLOWS.iterdir()} == {"ci.yml", "nightly.yml"}


def test_boards_run_every_night() -> None:
    nightly = load("nightly.yml")
    # YAML 1.1 readers take "on" for true; this one is 1.2.
    assert nightly["on"]["schedule"]
    boards = nightly["jobs"]["boards"]
    assert boards["strategy"]["matrix"]["kernel"] == list(KERNEL_SUITES)
    assert any("make test-boards" in step.get("run", "") for step in boards["steps"])


def test_containers_get_what_the_probe_found() -> None:
    test = load("ci.yml")["jobs"]["test"]
    assert test["container"]["options"] == "${{ needs.probe.outputs.container }}"
    assert test["strategy"]["matrix"]["target"] == "${{ fromJSON(needs.probe.outputs.targets) }}"
    assert test["strategy"]["matrix"]["kernel"] == list(KERNEL_SUITES)
    done = subprocess.run([REPOSITORY / ".ci/probe"], capture_output=True, text=True, check=True)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    usable = os.access("/dev/kvm", os.R_OK | os.W_OK)
    assert found["container"] == ("--device=/dev/kvm" if usable else "")
    assert json.loads(found["targets"]) == [
        name
        for name, target in TARGETS.items()
        if target.judgement().possible and not target.board
    ]


def test_jobs_run_what_people_run() -> None:
    phony = set()
    for line in re.findall(r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE):
        phony |= set(line.split())
    of_run = set(re.findall(r"^(\w[\w-]*)(?: \| (\w+))?\)", (REPOSITORY / "run").read_text(), re.MULTILINE))
    of_run_names = {name for pair in of_run for name in pair if name}
    ran = set()
    for name, step in [*steps(load("ci.yml")), *steps(load("nightly.yml"))]:
        for program, word in re.findall(r"(?:^|\s)(\./run|make) ([\w-]+)", step.get("run", "")):
            assert word in (of_run_names if program == "./run" else phony), f"{name}: {program} {word}"
            ran.add(word)
        # Values of expressions reach scripts through the environment alone.
        assert "${{" not in step.get("run", ""), name
    assert {
        "setup", "test", "check", "kernels", "report", "jitter-report", "summary", "test-boards",
    } <= ran


def test_kernels_are_those_that_guests_run() -> None:
    (kernels,) = re.findall(r"^KERNELS := (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert kernels.split() == list(KERNEL_SUITES)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("      - uses: actions/checkout@v4", pins.Pin("actions/checkout@v4", open=True)),
        ("        uses: a/b@" + "0a" * 20 + " # v1.2", pins.Pin("a/b@" + "0a" * 20, open=False)),
        ("        uses: a/b@" + "0a" * 20, pins.Pin("a/b@" + "0a" * 20, False, "which release is that?")),
        ("        uses: a/b@0123456789ab # v1", pins.Pin("a/b@0123456789ab", True, "a commit has 40 digits")),
        ("    container: debian:12", pins.Pin("debian:12", open=True)),
        ("    container: debian@sha256:" + "0" * 64, None),
        ("      - uses: ./.github/actions/x", None),
        ("      - run: make", None),
    ],
)  # fmt: skip
def test_pins(line: str, expected: pins.Pin | None) -> None:
    assert pins.pin(line) == expected


def test_list_of_pins_names_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ci.yml"
    path.write_text("- uses: a/b@v1\n- run: make\n- uses: a/b@v1\n")
    assert pins.main([str(path)]) == 0
    assert "to be pinned by a maintainer: a/b@v1 (lines 1, 3)" in capsys.readouterr().out
    path.write_text("- uses: a/b@abcdef0\n")
    assert pins.main([str(path)]) == 1
    assert f"{path}:1: a/b@abcdef0: a commit has 40 digits" in capsys.readouterr().out


def test_summary_tells_failures_and_runs_that_did_not_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, ended in (("a", True), ("b", False)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "junit.xml").write_text(
            '<testsuites><testsuite tests="5" failures="1" errors="1" skipped="1" time="90">'
            '<testcase classname="x" name="test_good"/><testcase classname="x" name="test_bad"><failure/>'
            "</testcase></testsuite></testsuites>"
        )
        if ended:
            record = {"targets": ["amd-tcg"], "kernel": "6.1", "verdicts": ["product"]}
            (tmp_path / name / "run.json").write_text(json.dumps(record))
    assert summary.main([str(tmp_path)]) == 0
    table = capsys.readouterr().out
    assert "| a | amd-tcg | 6.1 | 2 | 2 | 1 | 1.5 | product |" in table
    assert "| b | ? | ? | 2 | 2 | 1 | 1.5 | did not end |" in table
    assert table.count("- `x::test_bad`") == 2
    assert summary.main([str(tmp_path / "empty")]) == 1
