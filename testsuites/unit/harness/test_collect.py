# SPDX-License-Identifier: GPL-2.0-only
"""What a run leaves for Allure, also when a worker dies. No machine, no browser."""

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from allure_commons import model2

from harness.artifacts import build_root
from harness.report import allure, collect, crashed
from harness.results import folder_name
from harness.targets import runnable
from testsuites import nested

TESTS = """
import os, pytest, signal, time
from harness.errors import EmulatorErratum, HarnessFailure, NetworkLost, Unsupported

@pytest.mark.bug("A12")
@pytest.mark.parametrize("number", range(4))
def test_good(number): pass
def test_product(): raise NetworkLost("the network is gone")
def test_harness(): raise HarnessFailure("the image is broken")
def test_assert(): assert 1 == 2
def test_skip(): pytest.skip("not today")
def test_xfail(): pytest.xfail("known")
def test_unsupported(): raise Unsupported("no such device")
def test_erratum(): raise EmulatorErratum("tcg-lost-timer")
def test_killed(): os.kill(os.getpid(), signal.SIGKILL)
@pytest.fixture
def bad(): raise KeyError("x")
def test_fixture(bad): pass
@pytest.mark.parametrize("number", range(4))
def test_more(number): time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What a run in which a worker is killed printed, and its results."""
    return nested.run(tmp_path_factory.mktemp("inner"), TESTS, "-n", "2")


def collected(run: Path) -> dict[str, dict[str, Any]]:
    """Results by test id; every test has one."""
    found: dict[str, dict[str, Any]] = {}
    for path in (run / "allure").glob("*-result.json"):
        result = json.loads(path.read_text())
        name = labels(result)["nodeid"]
        assert name not in found, f"two results of {name}"
        found[name] = result
    return found


def labels(result: dict[str, Any]) -> dict[str, str]:
    return {label["name"]: label["value"] for label in result["labels"]}


def test_terminal_junit_and_allure_count_the_same(ended: tuple[str, Path]) -> None:
    output, run = ended
    summary = output.strip().splitlines()[-1]
    terminal = {word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", summary)}
    results = collected(run)
    statuses = Counter(result["status"] for result in results.values())
    suite = ElementTree.parse(run / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    junit = {key: int(suite.attrib[key]) for key in ("tests", "failures", "errors", "skipped")}

    assert terminal == {"passed": 8, "failed": 4, "skipped": 2, "xfailed": 2, "error": 1}, output
    assert junit == {"tests": 17, "failures": 3, "errors": 2, "skipped": 4}
    assert statuses == {"passed": 8, "failed": 2, "broken": 3, "skipped": 4}
    assert len(results) == junit["tests"] == sum(terminal.values())


def test_the_killed_worker_s_test_is_broken_and_says_so(ended: tuple[str, Path]) -> None:
    result = collected(ended[1])["test_x.py::test_killed"]
    assert result["status"] == "broken"
    assert labels(result)["verdict"] == "harness"
    assert re.search(r"worker 'gw\d+' crashed while running", result["statusDetails"]["message"])


@pytest.mark.parametrize(
    ("test", "status", "verdict"),
    [
        ("test_good[0]", "passed", None),
        ("test_product", "failed", "product"),
        ("test_assert", "failed", "product"),
        ("test_harness", "broken", "harness"),
        ("test_fixture", "broken", "harness"),
        ("test_skip", "skipped", None),
        ("test_unsupported", "skipped", "unsupported"),
        ("test_erratum", "skipped", "erratum"),
    ],
)
def test_verdicts(ended: tuple[str, Path], test: str, status: str, verdict: str | None) -> None:
    result = collected(ended[1])[f"test_x.py::{test}"]
    assert (result["status"], labels(result).get("verdict")) == (status, verdict)


def test_bugs_are_linked_with_their_symptom(ended: tuple[str, Path]) -> None:
    (link,) = collected(ended[1])["test_x.py::test_good[0]"]["links"]
    assert link["url"].endswith("docs/bugs.md#A12")
    assert link["name"].startswith("A12: pages leak at create")


#: As testsuites/unit/hypervisor does it: the tests run elsewhere, reports come back.
ELSEWHERE = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for when, start in (("setup", 100.0), ("call", 100.5), ("teardown", 102.0)):
        bad = when == "call" and item.name == "test_bad"
        item.ihook.pytest_runtest_logreport(report=pytest.TestReport(
            item.nodeid, item.location, {}, "failed" if bad else "passed",
            "first\\nlast line" if bad else None, when, start=start, stop=start + 0.25,
        ))
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_tests_that_run_in_other_processes_have_results(tmp_path: Path, workers: str) -> None:
    (tmp_path / "conftest.py").write_text(ELSEWHERE)
    text = "def test_good(): pass\ndef test_bad(): pass\n"
    output, run = nested.run(tmp_path, text, "-n", workers)
    found = collected(run)
    assert set(found) == {"test_x.py::test_good", "test_x.py::test_bad"}, output
    good, bad = found["test_x.py::test_good"], found["test_x.py::test_bad"]
    assert (good["status"], good["start"], good["stop"]) == ("passed", 100_000, 102_250)
    assert good["fullName"] == "test_x#test_good"
    assert (bad["status"], labels(bad)["verdict"]) == ("failed", "product")
    assert bad["statusDetails"] == {"message": "last line", "trace": "first\nlast line"}


def test_versions_are_written(ended: tuple[str, Path]) -> None:
    text = (ended[1] / "allure" / "environment.properties").read_text()
    facts = dict(line.split(" = ", 1) for line in text.splitlines())
    assert facts["kernel"] == "6.1"
    built = {build_root(target.architecture) / "hypervisor" for target in runnable()}
    assert {name for name in facts if name.endswith(".bin")} == {
        path.name for folder in built for path in folder.glob("jailhouse*.bin")
    }
    assert re.fullmatch(r"\d+\.\d+\.\d+", facts["gcc"])
    assert facts["commit"]


def test_a_result_that_the_dead_worker_wrote_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "allure"
    folder.mkdir()
    name = "testsuites/system/test_x.py::test_y[amd-tcg]"
    left = {"name": "test_y", "status": "passed", "labels": [{"name": "nodeid", "value": name}]}
    (folder / "1-result.json").write_text(json.dumps(left))
    (folder / "2-result.json").write_text(json.dumps(left | {"labels": []}))
    evidence = tmp_path / folder_name(name)
    evidence.mkdir()
    (evidence / "root-console.log").write_text("last words\n")
    report = pytest.TestReport(
        name, (name, None, name), {}, "failed", "worker 'gw0' crashed", "???"  # type: ignore[arg-type]
    )
    crashed.write(folder, tmp_path, report, collect.attach_folder)
    (path,) = crashed.results_of(folder, name)
    result = json.loads(path.read_text())
    assert result["status"] == "broken"
    assert result["titlePath"] == ["testsuites", "system", "test_x.py"]
    (attachment,) = result["attachments"]
    assert attachment["name"] == "console: root cell"
    assert (folder / attachment["source"]).read_text() == "last words\n"
    assert (folder / "2-result.json").exists()


def test_folder_becomes_steps_attachments_and_a_rendered_machine(tmp_path: Path) -> None:
    machine = tmp_path / "machines" / "gw0-amd-tcg-1"
    machine.mkdir(parents=True)
    (machine / "machine.sh").write_text("qemu -smp 4 -append 'quiet lpj=1' -offset -1\n")
    folder = tmp_path / "test"
    folder.mkdir()
    (folder / "machine.txt").write_text(f"{machine}\n{machine}\n")
    (folder / "inmate-console.log").write_text("")
    (folder / "hypervisor-console.log").write_text("Initializing\n")
    (folder / "hang.json").write_text("{}")
    (folder / "hang.txt").write_text("silent inmate\n")
    transcript = folder / "transcript.log"
    transcript.write_text("    1.000 enable\n    3.500 run 'ls' -> 0 in 0.500 s\n    4.000 test failed\n")
    os.utime(transcript, (1000, 1000))
    (folder / "screen.png").write_bytes(b"\x89PNG\r\n")
    attached: list[tuple[str | bytes, str, str, str]] = []
    result = model2.TestResult(start=0, stop=1)
    collect.attach_folder(
        folder, result, lambda *args: attached.append(args)  # type: ignore[arg-type]
    )
    assert [(step.name, step.start, step.stop, step.status) for step in result.steps] == [
        ("enable", 997_000, 997_000, "passed"),
        ("run 'ls' -> 0 in 0.500 s", 999_000, 999_500, "passed"),
        ("test failed", 1_000_000, 1_000_000, "failed"),
    ]
    assert [(name, kind) for _, name, kind, _ in attached] == [
        ("hang report", "text/plain"),
        ("transcript of steps and commands", "text/plain"),
        ("console: hypervisor", "text/plain"),
        ("hang report as data", "application/json"),
        ("screen.png", "image/png"),
        ("machine", "text/plain"),
    ]
    assert attached[-2][0] == b"\x89PNG\r\n"
    assert attached[-1][0] == (
        f"# {machine}\n qemu \\\n  -smp 4 \\\n  -append 'quiet lpj=1' \\\n  -offset -1\n"
    )


def test_a_long_stream_keeps_its_ends_and_says_what_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("".join(f"line {number}\n" for number in range(1000)))
    text = collect.excerpt(path, 400)
    assert text.startswith("line 0\n")
    assert text.endswith("line 999\n")
    left_out = path.stat().st_size - 400
    assert f"[... {left_out} bytes left out; all of it: {path}]" in text
    assert collect.excerpt(path, 100_000) == path.read_text()


def test_pages_lose_what_counts_their_readers() -> None:
    counting = (
        '<body>\n<script async src="https://example.org/gtag/js?id=G-1"></script>\n'
        "    <script>\n window.dataLayer; function gtag(){}\n</script>\n<p>report</p></body>"
    )
    quiet = allure.without_analytics(counting)
    assert "gtag" not in quiet
    assert "<p>report</p>" in quiet
    with pytest.raises(allure.ReportError, match="from the network"):
        allure.without_analytics('<link rel="stylesheet" href="https://example.org/a.css">')


def test_a_run_without_results_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(allure.ReportError, match=str(tmp_path)):
        allure.generate(tmp_path)
