# SPDX-License-Identifier: GPL-2.0-only
"""Runs of pytest whose exit code and record say whose fault it is. No machine."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.probes import svm_possible_in_kvm
from harness.results import OUTER_RUN, REPOSITORY, commit, folder_name, new_run

TESTS = """
import os, pytest
from harness.errors import HostStarved, NetworkLost, HarnessFailure, Unsupported

def test_good(): pass
def test_assert(): assert 1 == 2
def test_pytest_fail(): pytest.fail("so")
def test_network(): raise NetworkLost("gone")
def test_bug_in_test(): raise TypeError("oops")
def test_harness(): raise HarnessFailure("broken")
def test_starved(): raise HostStarved("no CPU")
def test_skip(): pytest.skip("not today")
def test_unsupported(): raise Unsupported("no feature")
def test_crash(): os._exit(3)

@pytest.fixture
def bad_fixture(): raise KeyError("x")
def test_fixture(bad_fixture): pass
"""


#: Runs of pytest inside this one.
pytest_plugins = ["pytester"]


@pytest.fixture
def inner(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, Path]]:
    """Run chosen tests in this process; exit code, output and results folder."""
    results = pytester.path / "results"
    monkeypatch.setenv("JAILHOUSE_RESULTS", str(results))
    pytester.makepyfile(test_x=TESTS)

    def do(*arguments: str) -> tuple[int, str, Path]:
        done = pytester.runpytest_inprocess(
            "-p", "harness.plugin", "-p", "no:cacheprovider", "-p", "no:xdist", "-q", *arguments
        )
        return int(done.ret), f"{done.stdout}{done.stderr}", results / "latest"

    return do


def run(tmp_path: Path, *arguments: str) -> tuple[int, str, Path]:
    """The same in a process of its own."""
    (tmp_path / "test_x.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    environment = {
        **os.environ,
        "JAILHOUSE_RESULTS": str(tmp_path / "results"),
        "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tools'}",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "harness.plugin", "-p", "no:cacheprovider",
         "-q", str(tmp_path / "test_x.py"), *arguments],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr, tmp_path / "results" / "latest"


@pytest.mark.parametrize(
    ("tests", "code"),
    [
        ("good", 0),
        ("good or assert", 1),
        ("pytest_fail", 1),
        ("network", 1),
        ("bug_in_test", 11),
        ("test_harness", 11),
        ("test_fixture", 11),
        ("starved", 12),
        ("skip", 14),
        ("unsupported", 14),
        ("assert or test_harness or starved", 1),
        ("test_harness or starved or skip", 11),
        ("starved or skip", 12),
    ],
)
def test_exit_code(inner: Callable[..., tuple[int, str, Path]], tests: str, code: int) -> None:
    status, output, latest = inner("-k", tests)
    assert status == code, output
    record = json.loads((latest / "run.json").read_text())
    assert record["exit"] == code
    assert record["commit"].split("-")[0] == commit().split("-")[0]
    cases = ElementTree.parse(latest / "junit.xml").getroot().iter("testcase")
    assert len(list(cases)) >= 1


def test_workers(tmp_path: Path) -> None:
    """A crashed worker is the harness's failure; verdicts of workers count."""
    status, output, _ = run(tmp_path, "-n", "2", "-k", "crash")
    assert status == 11, output
    status, output, _ = run(tmp_path, "-n", "2", "-k", "good or network")
    assert status == 1, output


def test_unlisted_skip_is_named(inner: Callable[..., tuple[int, str, Path]]) -> None:
    _, output, _ = inner("-k", "skip")
    assert "was skipped on host without being listed in testsuites/expected/host.toml" in output
    assert "not today" in output


def test_a_named_target_runs_or_ends_the_run(inner: Callable[..., tuple[int, str, Path]]) -> None:
    status, output, _ = inner("-k", "good", "--target", "amd-kvm")
    if svm_possible_in_kvm().possible:
        assert status == 0, output
        return
    assert status == 14, output
    assert "amd-kvm can not run here" in output
    assert "CPUID 0x80000001" in output or "/dev/kvm" in output


def test_runs_do_not_share_folders(inner: Callable[..., tuple[int, str, Path]]) -> None:
    inner("-k", "good")
    _, _, latest = inner("-k", "good")
    runs = [path for path in latest.parent.iterdir() if not path.is_symlink()]
    assert len(runs) == 2


def test_a_run_inside_another_leaves_latest_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAILHOUSE_RESULTS", str(tmp_path))
    monkeypatch.delenv(OUTER_RUN, raising=False)
    outer = new_run()
    monkeypatch.setenv(OUTER_RUN, str(outer))
    inner = new_run()
    assert inner != outer
    assert (tmp_path / "latest").resolve() == outer
    monkeypatch.setenv(OUTER_RUN, str(tmp_path / "elsewhere" / "run"))
    assert new_run() == (tmp_path / "latest").resolve() != outer


def test_the_newest_of_a_kind_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A demo after a run of tests takes nothing from the report of that run."""
    monkeypatch.setenv("JAILHOUSE_RESULTS", str(tmp_path))
    monkeypatch.delenv(OUTER_RUN, raising=False)
    tests, demo = new_run(), new_run("demo")
    links = {name: (tmp_path / name).resolve() for name in ("latest", "latest-run", "latest-demo")}
    assert links == {"latest": demo, "latest-run": tests, "latest-demo": demo}


def test_folder_names() -> None:
    names = {
        folder_name(f"testsuites/system/test_a.py::test_b[{'x' * 200}{number}]")
        for number in range(3)
    }
    assert len(names) == 3
    assert all(len(name) < 130 and "/" not in name for name in names)
