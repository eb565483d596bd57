# SPDX-License-Identifier: GPL-2.0-only
"""Nothing outlives the process that asked, however that one ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import supervise

COMMAND = [sys.executable, "-I", "-S", supervise.__file__]


def start(directory: Path, *argv: str) -> tuple[subprocess.Popen[bytes], int]:
    process = subprocess.Popen(
        [*COMMAND, str(directory), "--", *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def gone(pid: int, seconds: float = 10) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.01)
                continue
        return True
    return False


def test_end_of_the_asking_process(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir()
    process, pid = start(private, "sleep", "100")
    assert process.stdin is not None
    process.stdin.close()
    assert gone(pid)
    assert process.wait(10) == 1
    assert not private.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_end_of_the_supervisor(tmp_path: Path, number: signal.Signals) -> None:
    process, pid = start(tmp_path, "sleep", "100")
    process.send_signal(number)
    process.wait(10)
    assert gone(pid)


def test_no_sigterm_is_lost(tmp_path: Path) -> None:
    """Python takes no notice of a signal that comes just before select() blocks.

    Of 600 such signals 19 were lost before `wake_on_signals()`, none after.
    """
    for attempt in range(60):
        process, _ = start(tmp_path, "sleep", "100")
        time.sleep(attempt * 4e-6)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGKILL
        assert process.stdin is not None
        process.stdin.close()


def test_sigkill_of_the_asking_process(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen({[*COMMAND, str(tmp_path / 'x'), '--', 'sleep', '100']!r},"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "print(p.stdout.readline().decode().strip(), flush=True)\n"
        "time.sleep(100)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as asking:
        assert asking.stdout is not None
        pid = int(asking.stdout.readline())
        asking.kill()
    assert gone(pid)


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", 137)])
def test_exit_code(tmp_path: Path, script: str, code: int) -> None:
    process, _ = start(tmp_path, "sh", "-c", script)
    assert process.wait(10) == code


def test_standard_input_never_ends(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [*COMMAND, "--stdin", str(fifo), str(tmp_path / "x"), "--",
         "sh", "-c", 'read a; read b; echo "$a $b" >&2; exit 7'],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    fifo.write_text("one\n")
    time.sleep(0.2)
    assert process.poll() is None
    fifo.write_text("two\n")
    assert process.wait(10) == 7
    assert process.stderr is not None
    assert process.stderr.read() == b"one two\n"
