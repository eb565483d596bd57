# SPDX-License-Identifier: GPL-2.0-only
"""The agent and its channel on a pseudo-terminal of this host."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import CommandTimeout
from harness.guest import agent
from harness.guest.framed import AgentRefused, FramedChannel
from harness.streams import Stream


@pytest.fixture
def channel() -> Iterator[FramedChannel]:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-sS", agent.__file__, os.ttyname(theirs)], start_new_session=True
    )
    stream = Stream("pty")
    stream.attach(ours)

    def read() -> None:
        while True:
            try:
                stream.feed(os.read(ours, 65536))
            except OSError:
                return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    made = FramedChannel(stream)
    made.wait_ready(10)
    yield made
    process.kill()
    process.wait()
    os.close(theirs)
    # Nobody has the terminal open any more: its reader ends. Were it still there, it would
    # take the next test's bytes, which has a terminal of the same number.
    reader.join(10)
    os.close(ours)


def test_status_output_and_errors(channel: FramedChannel) -> None:
    result = channel.run("echo out; echo err >&2; exit 7")
    assert (result.status, result.stdout, result.stderr) == (7, b"out\n", b"err\n")
    assert channel.run("kill -9 $$").status == 137
    assert channel.run("cat", stdin=bytes(range(256))).stdout == bytes(range(256))


def test_a_command_that_hangs(channel: FramedChannel) -> None:
    began = time.monotonic()
    with pytest.raises(CommandTimeout, match="said"):
        channel.run("echo said; sleep 55 & sleep 55", timeout=0.3)
    assert time.monotonic() - began < 10
    assert channel.run("echo after").output == "after\n"


def test_the_agent_answers_while_a_request_is_stuck(
    channel: FramedChannel, tmp_path: Path
) -> None:
    """A request that never ends (nobody writes to the FIFO) does not take the agent along."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(CommandTimeout):
        channel.ask("get", 0.3, {"path": str(fifo)})
    assert channel.ping(5) < 5
    assert channel.run("echo works").output == "works\n"


def test_errors_carry_their_errno(channel: FramedChannel) -> None:
    with pytest.raises(AgentRefused) as raised:
        channel.get("/nonexistent/file")
    assert raised.value.errno == 2
    with pytest.raises(AgentRefused, match="no operation"):
        channel.ask("fly", 5)


@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 300_000])
def test_files(channel: FramedChannel, size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    target = tmp_path / "a" / "b"
    channel.put(data, str(target), 0o600)
    assert channel.get(str(target)) == data
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(target.parent.iterdir()) == [target]


def test_a_program_that_does_not_exist(channel: FramedChannel) -> None:
    result = channel.run(["/no/such/program"])
    assert (result.status, result.stdout) == (127, b"")
    assert b"No such file" in result.stderr
