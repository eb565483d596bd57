# SPDX-License-Identifier: GPL-2.0-only
"""Runs with several workers: nothing is shared, nothing is left, nothing is lost.

Each test runs pytest on tests of its own, which start real machines.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest

from harness.deadlines import scaled
from harness.results import REPOSITORY
from harness.targets import Target
from testsuites.system.test_harness import IN_FOREGROUND

#: Seconds within which nothing of a run may be left, however it ended.
GONE = 10.0

TESTS = """
import time
from pathlib import Path
import pytest

HERE = Path(__file__).parent

def hold(linux, name):
    argv = linux.machine.argv
    private = [word for word in argv if "/jailhouse-" in word]
    port = linux.machine.ssh_port() if linux.machine.spec.nics else "of nothing"
    text = " ".join(private) + f"\\nport {port}\\n"
    (HERE / f"part-{name}").write_text(text)
    (HERE / f"part-{name}").rename(HERE / f"held-{name}")

def test_one(linux):
    hold(linux, "one")
    time.sleep(300)

def test_two(linux):
    hold(linux, "two")
    time.sleep(300)

def test_good(): pass

@pytest.fixture
def broken(linux):
    hold(linux, "broken")
    raise KeyError("fixture")

def test_broken(broken): pass
"""


class Run:
    """A run of pytest on TESTS, with its processes."""

    def __init__(self, folder: Path, target: Target, *arguments: str) -> None:
        self.folder = folder
        (folder / "test_inner.py").write_text(TESTS)
        (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
        self._log = folder / "output"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*IN_FOREGROUND, sys.executable, "-m", "pytest", "-p", "harness.plugin",
                 "-p", "no:cacheprovider", "--target", target.name,
                 # Else it removes what older runs left, and the more these did the longer it takes.
                 "--basetemp", str(folder / "tmp"), "-q", *arguments, "test_inner.py"],
                cwd=folder, stdout=log, stderr=log, start_new_session=True,
                env={
                    **os.environ, "JAILHOUSE_RESULTS": str(folder / "results"),
                    "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tools'}",
                    "PYTHONFAULTHANDLER": "1",
                },
            )  # fmt: skip

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def held(self, *names: str) -> list[str]:
        """What the tests of these names say of their machines, once they have them."""
        limit = time.monotonic() + scaled(90)
        paths = [self.folder / f"held-{name}" for name in names]
        while not all(path.exists() for path in paths):
            assert time.monotonic() < limit, self.output
            assert self.process.poll() is None or "broken" in names, self.output
            time.sleep(0.05)
        return [path.read_text() for path in paths]

    def everything(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def gone(self) -> int:
        """Wait for its end; the exit status. What does not end says where every thread is."""
        try:
            return self.process.wait(GONE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(GONE)
            raise AssertionError(f"still there after {GONE} s:\n{self.output}") from None

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def runs(tmp_path: Path, target: Target) -> Iterator[list[Run]]:
    started: list[Run] = []
    yield started
    for run in started:
        run.end()


def begin(runs: list[Run], tmp_path: Path, target: Target, tests: str, workers: str = "2") -> Run:
    runs.append(Run(tmp_path, target, "-n", workers, "-k", tests))
    return runs[-1]


def private_folders(words: str) -> set[str]:
    return set(re.findall(r"/[^\s,=]*/jailhouse-[^/,\s]+", words))


def assert_gone(processes: list[psutil.Process], folders: set[str]) -> None:
    began = time.monotonic()
    _, alive = psutil.wait_procs(processes, timeout=GONE)
    assert not alive, [process.cmdline() for process in alive]
    while any(Path(folder).exists() for folder in folders):
        assert time.monotonic() - began < GONE, folders
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_ended_run_leaves_nothing(
    runs: list[Run], tmp_path: Path, target: Target, number: signal.Signals
) -> None:
    """Two workers with a machine each; they share no path and no port."""
    run = begin(runs, tmp_path, target, "one or two")
    one, two = run.held("one", "two")
    folders = private_folders(one) | private_folders(two)
    assert len(folders) == 2, (one, two)
    if target.machine.nics:
        assert one.splitlines()[1] != two.splitlines()[1]
    processes = run.everything()
    assert sum("supervise.py" in " ".join(process.cmdline()) for process in processes) == 2
    run.process.send_signal(number)
    assert_gone(processes, folders)
    assert run.gone() != 0


def test_a_failing_fixture_leaves_nothing(
    runs: list[Run], tmp_path: Path, target: Target
) -> None:
    run = begin(runs, tmp_path, target, "broken", "1")
    (words,) = run.held("broken")
    processes = run.everything()
    assert run.process.wait(scaled(30)) == 11, run.output
    assert_gone(processes, private_folders(words))
    assert "KeyError" in run.output


def test_a_killed_worker(runs: list[Run], tmp_path: Path, target: Target) -> None:
    """Its machine is gone, its test is the harness's failure, and all reports count the same."""
    run = begin(runs, tmp_path, target, "one or good", "1")
    (words,) = run.held("one")
    supervisor = next(p for p in run.everything() if "supervise.py" in " ".join(p.cmdline()))
    worker = supervisor.parent()
    assert worker is not None
    assert worker.pid != run.process.pid
    machine = [supervisor, *supervisor.children()]
    worker.kill()
    assert_gone(machine, private_folders(words))
    assert run.process.wait(scaled(60)) == 11, run.output
    assert re.search(r"1 failed, 1 passed", run.output), run.output
    latest = tmp_path / "results" / "latest"
    (suite,) = ElementTree.parse(latest / "junit.xml").getroot().iter("testsuite")
    counts = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors")}
    assert counts["tests"] == 2
    assert counts["failures"] + counts["errors"] == 1
    found = [json.loads(path.read_text()) for path in (latest / "allure").glob("*-result.json")]
    assert sorted(result["status"] for result in found) == ["broken", "passed"]
