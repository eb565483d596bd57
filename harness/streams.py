# SPDX-License-Identifier: GPL-2.0-only
"""Serial ports as streams: one thread reads all of them, all the time.

Everything that arrives is appended to the stream's files at once and kept in
memory, so nobody has to be expecting for nothing to be lost and for the guest
not to be blocked. Matching works on what is in memory: `Stream.expect()` for
one pattern, `Stream.spawn()` for pexpect's interface. Limits of `expect()` and
`expect_lines()` are scaled to this host (see `deadlines`).

Ports are pairs of FIFOs, not sockets: emulators write byte by byte, and a Unix
socket is full after some 280 such writes, a FIFO after a million. The thread
may therefore be late (a busy host, a slow regular expression that keeps the
interpreter) without the guest's UART having to wait.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pexpect
from pexpect.spawnbase import SpawnBase

from harness.deadlines import Deadline, scaled
from harness.errors import ChannelClosed, DeadlineExpired, HostStarved, Verdict

if TYPE_CHECKING:
    _SpawnBytes = SpawnBase[bytes]
else:  # generic only for type checkers
    _SpawnBytes = SpawnBase

#: Bytes kept in memory of one stream; files keep everything.
KEEP = 64 << 20
#: Longest match of `Stream.expect()`.
WINDOW = 16 << 10
#: Seconds between two looks at the sockets: emulators write byte by byte.
PAUSE = 0.001
#: Bytes a FIFO holds while the thread is late.
ROOM = 1 << 20


class Stream:
    """What one serial port said, and a way to answer.

    Offsets count bytes since the start of the machine. All methods may be
    called from any thread.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._data = bytearray()
        self._dropped = 0
        self._closed = False
        self._changed = threading.Condition()
        self._files: dict[Path, BinaryIO] = {}
        self._input: int | None = None
        self._sending = threading.Lock()
        self._listeners: list[Callable[[bytes], None]] = []
        #: Where matching starts by default: the offset at which the current test began.
        self.origin = 0
        #: Seconds so far that the emulator wanted a host CPU and had none.
        self.starved: Callable[[], float] = lambda: 0.0

    # --- what arrives

    def attach(self, handle: int | None) -> None:
        """Send through this file descriptor (called by the drain)."""
        with self._sending:
            self._input = handle

    def feed(self, chunk: bytes) -> None:
        """Append what arrived (called by the drain)."""
        with self._changed:
            for file in self._files.values():
                file.write(chunk)
            self._data += chunk
            excess = len(self._data) - KEEP
            if excess > 0:
                del self._data[:excess]
                self._dropped += excess
            listeners = tuple(self._listeners)
            self._changed.notify_all()
        for listener in listeners:
            listener(chunk)

    def close(self) -> None:
        """Nothing more will arrive."""
        with self._changed:
            self._closed = True
            for file in self._files.values():
                file.close()
            self._files.clear()
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed

    def listen(self, listener: Callable[[bytes], None]) -> None:
        """Call `listener` with every chunk from now on, in the drain's thread."""
        with self._changed:
            self._listeners.append(listener)

    def unlisten(self, listener: Callable[[bytes], None]) -> None:
        with self._changed, contextlib.suppress(ValueError):
            self._listeners.remove(listener)

    def record(self, path: Path) -> None:
        """Append everything from now on to `path` as well."""
        with self._changed:
            if not self._closed and path not in self._files:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._files[path] = path.open("ab", buffering=0)

    def unrecord(self, path: Path) -> None:
        with self._changed:
            file = self._files.pop(path, None)
            if file is not None:
                file.close()

    # --- reading

    @property
    def end(self) -> int:
        """Offset behind the last byte so far."""
        return self._dropped + len(self._data)

    def since(self, offset: int) -> bytes:
        """Everything from `offset` on that is still in memory."""
        with self._changed:
            return bytes(self._data[max(0, offset - self._dropped) :])

    def text(self, offset: int = 0) -> str:
        """Like `since()`, decoded, with LF line ends."""
        return self.since(offset).decode(errors="replace").replace("\r\n", "\n")

    def tail(self, lines: int = 20) -> str:
        """The last lines."""
        return "\n".join(self.text(max(0, self.end - 16384)).splitlines()[-lines:])

    def wait(self, offset: int, timeout: float) -> bool:
        """Wait until there is more than `offset` bytes; False after `timeout`."""
        with self._changed:
            return self._changed.wait_for(lambda: self.end > offset or self._closed, timeout)

    def expect_lines(
        self, pattern: str, count: int, timeout: float, since: int | None = None
    ) -> list[str]:
        """The first `count` lines that `pattern` matches somewhere, from `since` on.

        Use this instead of a regular expression with a repetition over lines:
        those take exponential time when they do not match.
        """
        compiled = re.compile(pattern)
        start = self.origin if since is None else since
        deadline = Deadline.after(scaled(timeout))
        delay = self.starved()
        while True:
            seen = self.end
            complete = self.text(start).rpartition("\n")[0]
            found = [line for line in complete.splitlines() if compiled.search(line)]
            if len(found) >= count:
                return found[:count]
            if self._closed or deadline.expired:
                raise self._failed(f"{len(found)} of {count} lines {pattern!r}", deadline, delay)
            self.wait(seen, deadline.remaining())

    def expect(
        self, pattern: str, timeout: float, since: int | None = None, flags: int = re.MULTILINE
    ) -> re.Match[str]:
        """The first match of `pattern` at or after offset `since` (default: `origin`).

        Raises DeadlineExpired (or HostStarved) after `timeout` seconds,
        ChannelClosed when the port is gone and nothing matched. Line ends are
        LF; a match is at most WINDOW bytes long.
        """
        compiled = re.compile(pattern, flags)
        deadline = Deadline.after(scaled(timeout))
        delay = self.starved()
        start = self.origin if since is None else since
        while True:
            seen = self.end
            found = compiled.search(self.text(start))
            if found is not None:
                return found
            # What was searched once is not searched again, but for a match cut in two.
            start = max(start, seen - WINDOW)
            if deadline.expired or (self._closed and seen == self.end):
                raise self._failed(f"no {pattern!r}", deadline, delay)
            self.wait(seen, deadline.remaining())

    def _failed(self, what: str, deadline: Deadline, delay: float) -> Verdict:
        text = f"{self.name}: {what} after {deadline.elapsed():.1f} s"
        last = f"last lines:\n{self.tail()}"
        if self._closed:
            return ChannelClosed(f"{text}, then the port closed; {last}")
        starved = self.starved() - delay
        if starved > deadline.elapsed() / 2:
            return HostStarved(
                f"{text}, of which the emulator waited {starved:.1f} s for a host CPU; {last}"
            )
        return DeadlineExpired(f"{text}; {last}")

    def spawn(self, since: int | None = None, timeout: float = 30.0) -> StreamSpawn:
        """A pexpect object that starts matching at offset `since` (default: now)."""
        return StreamSpawn(self, self.end if since is None else since, timeout)

    # --- writing

    def send(self, data: bytes, timeout: float = 30.0) -> None:
        """Send all of `data`; the port takes it as fast as its UART does."""
        deadline = Deadline.after(timeout)
        view = memoryview(data)
        with self._sending, selectors.DefaultSelector() as selector:
            if self._input is None or self._closed:
                raise ChannelClosed(f"{self.name} is not connected")
            selector.register(self._input, selectors.EVENT_WRITE)
            while view:
                if deadline.expired:
                    raise DeadlineExpired(
                        f"{self.name}: {len(view)} bytes not taken in {timeout:.1f} s"
                    )
                if self._closed:
                    raise ChannelClosed(f"{self.name} is closed")
                if selector.select(min(0.5, deadline.remaining() + 0.01)):
                    with contextlib.suppress(BlockingIOError):
                        view = view[os.write(self._input, view[:4096]) :]


class StreamSpawn(_SpawnBytes):
    """pexpect's interface (expect, before, match, ...) on a drained stream."""

    def __init__(self, stream: Stream, offset: int, timeout: float) -> None:
        super().__init__(timeout=timeout)
        self.name = stream.name
        self._stream = stream
        self._offset = offset

    def read_nonblocking(self, size: int = 1, timeout: float | None = None) -> bytes:
        """What arrived since the last call, at most `size` bytes."""
        limit = self.timeout if timeout in (None, -1) else timeout
        self._stream.wait(self._offset, limit if limit is not None else 3600.0)
        chunk = self._stream.since(self._offset)[:size]
        if not chunk:
            if self._stream.closed:
                self.flag_eof = True
                raise pexpect.EOF(f"{self.name} is closed")
            raise pexpect.TIMEOUT(f"{self.name}: timeout")
        self._offset += len(chunk)
        return chunk

    def send(self, data: bytes | str) -> int:
        """Send to the serial port."""
        raw = data.encode() if isinstance(data, str) else data
        self._stream.send(raw)
        return len(raw)

    def sendline(self, line: bytes | str = "") -> int:
        return self.send((line.encode() if isinstance(line, str) else line) + b"\n")

    def isalive(self) -> bool:
        return not self._stream.closed


@dataclass
class Port:
    """Our ends of one port: of its FIFOs, or of its socket. The drain closes them."""

    stream: Stream
    output: int
    input: int
    #: A writer of our own, so that the port does not look closed before it is opened.
    placeholder: int | None = None


class Drain:
    """Reads every port for ever: one pair of FIFOs per stream, BASE.out and BASE.in.

    They exist before the emulator starts, so its first byte is not lost. Emulators
    that have no FIFOs bring ports that are connected already (see `connected()`).
    """

    def __init__(self, bases: dict[Path, Stream], ports: Iterable[Port] = ()) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._ports = [_open(base, stream) for base, stream in bases.items()] + list(ports)
        for port in self._ports:
            self._selector.register(port.output, selectors.EVENT_READ, port)
            port.stream.attach(port.input)
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)
        self._thread.start()

    def opened(self) -> None:
        """The emulator has opened its ends: from now on their end is the port's."""
        for port in self._ports:
            if port.placeholder is not None:
                os.close(port.placeholder)
                port.placeholder = None

    def close(self) -> None:
        """Stop reading and close every stream; what arrived stays readable."""
        if self._thread.is_alive():
            with contextlib.suppress(OSError):
                os.write(self._wake_write, b"x")
            self._thread.join(10)

    def _run(self) -> None:
        try:
            while self._turn():
                time.sleep(PAUSE)
        finally:
            self._give_back()

    def _turn(self) -> bool:
        for key, _ in self._selector.select():
            if key.data is None:
                for port in self._ports:
                    self._read(port)
                return False
            if not self._read(key.data):
                self._selector.unregister(key.data.output)
                key.data.stream.close()
        return True

    def _read(self, port: Port) -> bool:
        """Read all there is; False at the end of the port."""
        while True:
            try:
                chunk = os.read(port.output, 1 << 16)
            except BlockingIOError:
                return True
            except ConnectionResetError:
                return False
            if not chunk:
                return False
            port.stream.feed(chunk)

    def _give_back(self) -> None:
        self._selector.close()
        self.opened()
        for port in self._ports:
            port.stream.close()
            port.stream.attach(None)
            os.close(port.output)
            os.close(port.input)
        os.close(self._wake_read)
        os.close(self._wake_write)


def _open(base: Path, stream: Stream) -> Port:
    out, back = base.with_suffix(".out"), base.with_suffix(".in")
    os.mkfifo(out, 0o600)
    os.mkfifo(back, 0o600)
    output = os.open(out, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    placeholder = os.open(out, os.O_WRONLY | os.O_CLOEXEC)
    # For reading too: it can be opened before the emulator does, and never breaks.
    back_handle = os.open(back, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, ROOM)
    return Port(stream, output, back_handle, placeholder)


def connected(stream: Stream, peer: socket.socket) -> Port:
    """A port on a connected socket, which is ours from now on."""
    peer.setblocking(False)
    output = peer.detach()
    return Port(stream, output, os.dup(output))
