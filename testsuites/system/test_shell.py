# SPDX-License-Identifier: GPL-2.0-only
"""Hands on: the shell in a real tmux session, gdb in the hypervisor, a failed test's machine kept."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from harness import gdb
from harness.deadlines import Deadline, scaled
from harness.hang.attach import builds
from harness.results import REPOSITORY
from harness.supervised import spawn
from harness.targets import Target
from harness.verbs import Jailhouse

FAILING = """
def test_that_waits_in_vain(linux):
    linux.root_console.expect("what nobody says", 0.2)
"""


class Tmux:
    """A tmux server of our own with one window of 200 by 50.

    In the foreground and under a supervisor: it ends with us, however we end, and
    what runs in its window is hung up on.
    """

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        private = folder / "tmux"
        private.mkdir()
        self._argv = ["tmux", "-S", str(private / "socket"), "-f", "/dev/null"]
        self._server = spawn([*self._argv, "-D"], private, folder / "tmux.log")
        deadline = Deadline.after(scaled(10))
        while self.do("show-options", "-s", "exit-empty") != "exit-empty off\n":
            assert not deadline.expired, (folder / "tmux.log").read_text()
            time.sleep(0.05)
        words = ["new-session", "-d", "-x", "200", "-y", "50"]
        for key, value in environment.items():
            words += ["-e", f"{key}={value}"]
        self.do(*words, *command)

    def do(self, *words: str) -> str:
        done = subprocess.run(
            [*self._argv, *words],
            capture_output=True, text=True, check=False, timeout=20, cwd=REPOSITORY,
        )  # fmt: skip
        return done.stdout

    def screen(self, pane: int = 0) -> str:
        return self.do("capture-pane", "-p", "-J", "-S", "-200", "-t", f":0.{pane}")

    def panes(self) -> list[str]:
        return self.do("list-panes", "-t", ":0", "-F", "#{pane_title}").split("\n")[:-1]

    def type(self, line: str) -> None:
        self.do("send-keys", "-t", ":0.0", "-l", line)
        self.do("send-keys", "-t", ":0.0", "Enter")

    def wait(self, pattern: str, timeout: float, pane: int = 0) -> re.Match[str]:
        deadline = Deadline.after(scaled(timeout))
        while not deadline.expired:
            found = re.search(pattern, self.screen(pane), re.MULTILINE)
            if found is not None:
                return found
            time.sleep(0.1)
        pytest.fail(f"no {pattern!r} in pane {pane}:\n{self.screen(pane)}")

    def ended(self, timeout: float) -> bool:
        deadline = Deadline.after(scaled(timeout))
        while self.do("list-sessions") and not deadline.expired:
            time.sleep(0.1)
        return not self.do("list-sessions")

    def end(self) -> None:
        self.do("kill-server")
        self._server.end(5)


@pytest.fixture
def tmux(tmp_path: Path, target: Target) -> Iterator[Tmux]:
    command = [sys.executable, "-m", "harness", "shell", "--target", target.name, "--enabled",
               "--cell", "apic-demo", "--gdb"]  # fmt: skip
    environment = {"JAILHOUSE_RESULTS": str(tmp_path / "results"), "TERM": "screen"}
    made = Tmux(command, environment, tmp_path)
    yield made
    made.end()


@pytest.mark.needs("gdb")
@pytest.mark.architectures("x86", reason="the shell's example is apic-demo")
def test_shell_in_tmux(tmux: Tmux) -> None:
    """Consoles in panes, a prompt with statuses, words with a dot, and an end."""
    tmux.wait(r"cell apic-demo is running", 60)
    gdb_line = tmux.wait(r"gdb -q .*jailhouse\S*\.elf", 20)[0]
    assert "target remote" in gdb_line
    tmux.wait(r"^guest# *$", 10)
    assert [title for title in tmux.panes() if "console" in title] == [
        "hypervisor-console", "root-console", "inmate-console"]  # fmt: skip
    tmux.wait(r"Timer fired, jitter:", 20, pane=1)
    tmux.type("echo $((6 * 7)) cells; cat /sys/devices/jailhouse/enabled; exit 3")
    tmux.wait(r"^42 cells\n1\n\[status 3\]$", 20)
    tmux.type(".hang")
    tmux.wait(r"cell 'apic-demo', running/locked", 20)
    tmux.type(".log hypervisor-console")
    tmux.wait(r"^Timer fired, jitter:", 10)
    tmux.type(".nonsense")
    tmux.wait(r"^\.nonsense is not known; \.help lists what is$", 10)
    tmux.type(".quit")
    assert tmux.ended(20)


@pytest.mark.needs("gdb")
@pytest.mark.architectures("x86", reason="the host's gdb knows no other processors")
def test_gdb_in_the_hypervisor(jailhouse: Jailhouse) -> None:
    """A breakpoint in a function of the hypervisor is hit, and its name and line are shown."""
    linux = jailhouse.linux
    words = gdb.command(linux.machine, builds(linux), "break x86_handle_hypercall", "continue",
                        "backtrace", "delete", batch=True)  # fmt: skip
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    )
    try:
        # Its counters of all CPUs are a hypercall each. Again and again: gdb takes its time.
        linux.succeed(
            "touch /tmp/poke; (while [ -e /tmp/poke ]; do"
            " cat /sys/devices/jailhouse/cells/0/statistics/vmexits_total; sleep 0.2; done)"
            " > /dev/null 2>&1 &"
        )
        output = process.communicate(timeout=scaled(30))[0]
    finally:
        process.kill()
        process.wait()
    assert re.search(r"Breakpoint 1, x86_handle_hypercall \(regs=.*\n?.* at \S*hypervisor/arch/x86/", output), output
    assert re.search(r"^#2 .*svm_handle_exit", output, re.MULTILINE), output
    linux.succeed("rm /tmp/poke")


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    path = tmp_path / "test_inner.py"
    path.write_text(FAILING)
    return path


def _pytest(path: Path, target: Target, *words: str) -> list[str]:
    plugins = ("harness.plugin", "harness.hang.hooks", "harness.keep")
    return ["-m", "pytest", "-c", str(REPOSITORY / "pyproject.toml"), "-p", "no:cacheprovider",
            *(word for name in plugins for word in ("-p", name)),
            "--target", target.name, *words, str(path)]  # fmt: skip


def test_keep_on_failure(failing: Path, tmp_path: Path, target: Target) -> None:
    """The failed test's machine answers until one leaves it; its hang report is beside the test."""
    environment = {**os.environ, "JAILHOUSE_RESULTS": str(tmp_path / "results")}
    environment.pop("CI", None)
    child = pexpect.spawn(
        sys.executable, _pytest(failing, target, "--keep-on-failure"), cwd=str(REPOSITORY),
        env=environment, encoding="utf-8", timeout=scaled(60), dimensions=(50, 200),
    )  # fmt: skip
    try:
        child.expect("failed in call: (DeadlineExpired|HostStarved)")
        child.expect("hang report: (all halted|no hang recognised)")
        child.expect("guest# ")
        child.sendline("echo $((6 * 7)) still here")
        child.expect("42 still here")
        child.sendline(".quit")
        child.expect("1 failed")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 1
    finally:
        child.close(force=True)
    (folder,) = (tmp_path / "results" / "latest").glob("*test_that_waits_in_vain*")
    waited = r"waited for: (DeadlineExpired|HostStarved): root-console: no 'what nobody says'"
    assert re.search(waited, (folder / "hang.txt").read_text())


@pytest.mark.parametrize(
    ("words", "environment", "says"),
    [(("-n", "2"), {}, "leave out -n"), ((), {"CI": "true"}, "not in CI")],
)
def test_keep_on_failure_is_refused(
    failing: Path, tmp_path: Path, words: tuple[str, ...], environment: dict[str, str], says: str
) -> None:
    environment = {"JAILHOUSE_RESULTS": str(tmp_path / "results"), **environment}
    clean = {key: value for key, value in os.environ.items() if key not in ("CI",) and not key.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(REPOSITORY / "pyproject.toml"), "-p", "harness.plugin",
         "-p", "harness.keep", "--keep-on-failure", *words, str(failing)],
        cwd=REPOSITORY, env={**clean, **environment}, capture_output=True, text=True, check=False,
        timeout=scaled(60),
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    assert says in done.stderr
