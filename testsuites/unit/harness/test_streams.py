# SPDX-License-Identifier: GPL-2.0-only
"""Streams: nothing is lost, nobody is blocked, matching sees what arrived."""

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from harness.errors import ChannelClosed, DeadlineExpired
from harness.streams import Drain, Stream, connected


class Guest:
    """The emulator's side of a port: it opens both FIFOs for reading and writing."""

    def __init__(self, base: Path) -> None:
        self._output = os.open(base.with_suffix(".out"), os.O_RDWR)
        self._input = os.open(base.with_suffix(".in"), os.O_RDWR)

    def sendall(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._output, data) :]

    def recv(self, size: int) -> bytes:
        return os.read(self._input, size)

    def close(self) -> None:
        os.close(self._output)
        os.close(self._input)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[tuple[Stream, Guest, Drain]]:
    stream = Stream("console")
    stream.record(tmp_path / "console.log")
    drain = Drain({tmp_path / "port": stream})
    guest = Guest(tmp_path / "port")
    drain.opened()
    yield stream, guest, drain
    drain.close()
    with contextlib.suppress(OSError):
        guest.close()


def test_unread_output_blocks_nobody(port, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    stream, guest, drain = port
    data = bytes(range(256)) * 4096 * 10
    guest.sendall(data)
    drain.close()
    assert stream.since(0) == data
    assert (tmp_path / "console.log").read_bytes() == data


def test_expect_and_its_limits(port) -> None:  # type: ignore[no-untyped-def]
    stream, guest, _ = port
    guest.sendall(b"one 1\r\ntwo 2\r\n")
    assert stream.expect(r"^two (\d)$", 5)[1] == "2"
    mark = stream.end
    with pytest.raises(DeadlineExpired, match="two 2"):
        stream.expect("two", 0.1, since=mark)
    threading.Timer(0.2, lambda: guest.sendall(b"two 3\n")).start()
    assert stream.expect(r"two (\d)", 5, since=mark)[1] == "3"


def test_pexpect_interface(port) -> None:  # type: ignore[no-untyped-def]
    stream, guest, _ = port
    spawn = stream.spawn(timeout=5)
    guest.sendall(b"login: ")
    spawn.expect(rb"login: ")
    spawn.sendline("root")
    assert guest.recv(100) == b"root\n"
    guest.sendall(b"echo\r\n# ")
    assert spawn.expect([b"nothing", b"# "]) == 1
    assert spawn.before == b"echo\r\n"
    with pytest.raises(pexpect.TIMEOUT):
        spawn.expect(b"never", timeout=0.1)


def test_a_closed_port_ends_waits(port) -> None:  # type: ignore[no-untyped-def]
    stream, guest, _ = port
    guest.sendall(b"last words")
    threading.Timer(0.2, guest.close).start()
    began = time.monotonic()
    with pytest.raises(ChannelClosed, match="last words"):
        stream.expect("more", 30)
    assert time.monotonic() - began < 10


def test_files_of_tests_are_parts(port, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    stream, guest, _ = port
    guest.sendall(b"before ")
    stream.wait(0, 5)
    stream.record(tmp_path / "test.log")
    guest.sendall(b"during")
    stream.expect("during", 5)
    stream.unrecord(tmp_path / "test.log")
    guest.sendall(b" after")
    stream.expect("after", 5)
    assert (tmp_path / "test.log").read_bytes() == b"during"
    assert (tmp_path / "console.log").read_bytes() == b"before during after"


def test_lines(port) -> None:  # type: ignore[no-untyped-def]
    stream, guest, _ = port
    guest.sendall(b"tick 1\r\ntock\r\ntick 2\r\ntick")
    assert stream.expect_lines("^tick", 2, 5) == ["tick 1", "tick 2"]
    with pytest.raises(DeadlineExpired, match="2 of 3"):
        stream.expect_lines("^tick", 3, 0.1)
    guest.sendall(b" 3\r\n")
    assert stream.expect_lines("^tick", 3, 5)[2] == "tick 3"


def test_a_late_reader_does_not_stop_the_guest(port) -> None:  # type: ignore[no-untyped-def]
    """The interpreter is busy elsewhere: the FIFO takes half a million single bytes."""
    stream, guest, _ = port
    with stream._changed:  # the drain cannot feed meanwhile
        began = time.monotonic()
        for _ in range(500_000):
            guest.sendall(b"x")
        assert time.monotonic() - began < 30
    assert stream.wait(499_999, 10)


def test_ports_on_sockets() -> None:
    stream = Stream("console")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        emulator = socket.create_connection(listener.getsockname())
        drain = Drain({}, [connected(stream, listener.accept()[0])])
    try:
        emulator.sendall(b"first\r\n")
        stream.expect("first", 5)
        stream.send(b"answer")
        assert emulator.recv(100) == b"answer"
        # A killed emulator resets its connections.
        emulator.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        emulator.close()
        assert stream.wait(stream.end, 5)
        assert stream.closed
    finally:
        drain.close()
