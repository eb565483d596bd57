# SPDX-License-Identifier: GPL-2.0-only
"""Nothing outlives a run: however it ends, processes and private folders are gone."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.deadlines import scaled
from harness.machine import Role
from harness.results import REPOSITORY
from harness.targets import Target

#: Words by which an emulator's command line is known.
EMULATORS = {"-nodefaults", "-rc"}
#: What a shell starts in the background ignores Ctrl-C, and so would all of ours.
IN_FOREGROUND = ("env", "--default-signal=INT")


class Command:
    """`python -m harness ...` with its own results folder."""

    def __init__(self, tmp_path: Path, *arguments: str) -> None:
        self.results = tmp_path / "results"
        self._log = tmp_path / "output"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*IN_FOREGROUND, sys.executable, "-u", "-m", "harness", *arguments],
                cwd=REPOSITORY,
                env={**os.environ, "JAILHOUSE_RESULTS": str(self.results)},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for(self, pattern: str, timeout: float) -> None:
        limit = time.monotonic() + scaled(timeout)
        while not re.search(pattern, self.output):
            assert self.process.poll() is None, self.output
            assert time.monotonic() < limit, self.output
            time.sleep(0.05)

    def started(self) -> tuple[list[psutil.Process], Path]:
        """Supervisor and emulator, and the private folder, of the running command."""
        limit = time.monotonic() + scaled(20)
        while time.monotonic() < limit:
            children, words = [], []
            # One that has just ended (a compiler, ldconfig) has no command line any more.
            with contextlib.suppress(psutil.Error):
                children = psutil.Process(self.process.pid).children(recursive=True)
                words = [child.cmdline() for child in children]
            if len(words) == 2 and "--" in words[0] and EMULATORS & set(words[1]):
                folder = Path(words[0][words[0].index("--") - 1])
                assert folder.is_dir()
                return children, folder
            time.sleep(0.02)
        pytest.fail(f"no machine was started:\n{self.output}")


@pytest.fixture
def demo(tmp_path: Path, target: Target) -> Iterator[Command]:
    command = Command(tmp_path, "demo", "--target", target.name, "--ticks", "100000")
    yield command
    command.process.kill()
    command.process.wait()


def assert_gone(processes: list[psutil.Process], folder: Path) -> None:
    _, alive = psutil.wait_procs(processes, timeout=scaled(10))
    assert not alive
    limit = time.monotonic() + scaled(5)
    while folder.exists() and time.monotonic() < limit:
        time.sleep(0.05)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("number", "moment", "code", "says"),
    [
        (signal.SIGINT, "-demo: running", 130, "interrupted"),
        (signal.SIGINT, "booting Linux", 130, "interrupted"),
        (signal.SIGTERM, "booting Linux", 143, ""),
        (signal.SIGKILL, "booting Linux", -signal.SIGKILL, ""),
    ],
)
def test_an_ended_demo_leaves_nothing(
    demo: Command, number: signal.Signals, moment: str, code: int, says: str
) -> None:
    demo.wait_for(moment, 60)
    processes, folder = demo.started()
    demo.process.send_signal(number)
    assert demo.process.wait(scaled(20)) == code, demo.output
    assert says in demo.output
    assert "Traceback" not in demo.output
    assert_gone(processes, folder)


def test_a_killed_emulator_ends_the_demo(demo: Command) -> None:
    demo.wait_for("booting Linux", 60)
    processes, _ = demo.started()
    time.sleep(1)
    processes[1].kill()
    assert demo.process.wait(scaled(30)) == 1, demo.output
    assert "harness failure: the emulator was killed by signal 9" in demo.output


def test_demo(tmp_path: Path, target: Target) -> None:
    """The main job, as people run it: ends by itself, shows its jitter, leaves nothing."""
    command = Command(tmp_path, "demo", "--target", target.name)
    command.wait_for(f"{target.programs.timer.name}: running", 60)
    processes, folder = command.started()
    assert command.process.wait(scaled(60)) == 0, command.output
    assert_gone(processes, folder)
    for line in (
        rf"hypervisor enabled; Linux goes on as root cell on CPUs 0-{target.machine.cpus - 1}",
        r"first shutdown refused" if target.programs.timer.locks else "shutdown accepted",
        r"accepted; cell destroyed",
        r"machine powered off",
        r"\d+ ticks, jitter min [\d.]+ us, median [\d.]+ us, max [\d.]+ us",
    ):
        assert re.search(line, command.output), command.output


@pytest.mark.needs("network")
@pytest.mark.slow
def test_a_killed_pytest_leaves_nothing(tmp_path: Path, target: Target) -> None:
    """SIGKILL to pytest in the middle of a test on a machine."""
    environment = {**os.environ, "JAILHOUSE_RESULTS": str(tmp_path / "results")}
    with (tmp_path / "output").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
             "--target", target.name, "-k", "root_cell_dead", "testsuites/system/test_channels.py"],
            cwd=REPOSITORY, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        limit = time.monotonic() + scaled(60)
        channel = list[Path]()
        while not channel and time.monotonic() < limit:
            time.sleep(0.2)
            found = (tmp_path / "results").glob("*/machines/*/command-channel.log")
            channel = [path for path in found if path.stat().st_size]
        assert channel, (tmp_path / "output").read_text()
        children = psutil.Process(process.pid).children(recursive=True)
        words = next(c.cmdline() for c in children if "supervise.py" in " ".join(c.cmdline()))
        folder = Path(words[words.index("--") - 1])
    finally:
        process.kill()
        process.wait()
    assert_gone(children, folder)


def test_results_of_a_test(request: pytest.FixtureRequest, linux, folder) -> None:  # type: ignore[no-untyped-def]
    """Streams by role, steps, and the way to run it again."""
    tty = linux.machine.spec.serial(Role.ROOT_CONSOLE).tty
    linux.run(f"echo evidence > /dev/{tty}")
    linux.root_console.expect("evidence", 10)
    names = {path.name for path in folder.path.iterdir()}
    roles = {port.name + ".log" for port in linux.machine.spec.serials}
    assert roles | {"transcript.log", "rerun.txt", "machine.txt"} <= names
    assert "evidence" in (folder.path / "root-console.log").read_text()
    assert f"evidence > /dev/{tty}" in (folder.path / "transcript.log").read_text()
    assert request.node.nodeid in (folder.path / "rerun.txt").read_text()
    machine = Path((folder.path / "machine.txt").read_text().split()[0])
    assert EMULATORS & set((machine / "machine.sh").read_text().split())
    assert (machine / "root-console.log").stat().st_size > 0
