# SPDX-License-Identifier: GPL-2.0-only
"""Serial ports as streams: one thread reads all of them, all the time.

Everything that arrives is appended to the stream's files at once and kept in
memory, so nobody has to be expecting for nothing to be lost and for the guest
not to be blocked. Matching works on what is in memory: `Stream.expect()` for
one pattern, `Stream.spawn()` for pexpect's interface.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pexpect
from pexpect.spawnbase import SpawnBase

from harness.deadlines import Deadline
from harness.errors import ChannelClosed, DeadlineExpired

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
        self._socket: socket.socket | None = None
        self._sending = threading.Lock()
        self._listeners: list[Callable[[bytes], None]] = []

    # --- what arrives

    def attach(self, connection: socket.socket) -> None:
        """Use this connection; called once, by the drain."""
        self._socket = connection

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

    def expect(
        self, pattern: str, timeout: float, since: int = 0, flags: int = re.MULTILINE
    ) -> re.Match[str]:
        """The first match of `pattern` at or after offset `since`.

        Raises DeadlineExpired after `timeout` seconds, ChannelClosed when the
        port is gone and nothing matched. Line ends are LF; a match is at most
        WINDOW bytes long.
        """
        compiled = re.compile(pattern, flags)
        deadline = Deadline.after(timeout)
        start = since
        while True:
            seen = self.end
            found = compiled.search(self.text(start))
            if found is not None:
                return found
            # What was searched once is not searched again, but for a match cut in two.
            start = max(start, seen - WINDOW)
            if self._closed and seen == self.end:
                raise ChannelClosed(f"{self.name} closed before {pattern!r}:\n{self.tail()}")
            if deadline.expired:
                raise DeadlineExpired(
                    f"{self.name}: no {pattern!r} within {timeout:.1f} s; last lines:\n"
                    f"{self.tail()}"
                )
            self.wait(seen, deadline.remaining())

    def spawn(self, since: int | None = None, timeout: float = 30.0) -> StreamSpawn:
        """A pexpect object that starts matching at offset `since` (default: now)."""
        return StreamSpawn(self, self.end if since is None else since, timeout)

    # --- writing

    def send(self, data: bytes, timeout: float = 30.0) -> None:
        """Send all of `data`; the port takes it as fast as its UART does."""
        connection = self._socket
        if connection is None or self._closed:
            raise ChannelClosed(f"{self.name} is not connected")
        deadline = Deadline.after(timeout)
        view = memoryview(data)
        with self._sending, selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_WRITE)
            while view:
                if not selector.select(min(1.0, deadline.remaining() + 0.01)):
                    if deadline.expired:
                        raise DeadlineExpired(
                            f"{self.name}: {len(view)} bytes not taken in {timeout:.1f} s"
                        )
                    continue
                try:
                    view = view[connection.send(view) :]
                except BlockingIOError:
                    continue
                except OSError as error:
                    raise ChannelClosed(f"{self.name}: {error}") from error


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


class Drain:
    """Listens on one Unix socket per stream and reads all of them for ever.

    The emulator connects; the sockets exist before it starts, so its first
    byte is not lost.
    """

    def __init__(self, sockets: dict[Path, Stream]) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._streams = list(sockets.values())
        for path, stream in sockets.items():
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(str(path))
            listener.listen(1)
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, stream)
        self._listening = len(sockets)
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading and close every stream; what arrived stays readable."""
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"x")
        self._thread.join(10)

    def settle(self, seconds: float = 0.05) -> None:
        """Give the thread a moment to read what is already in the sockets."""
        time.sleep(seconds)

    def _run(self) -> None:
        try:
            while self._turn():
                time.sleep(PAUSE)
        finally:
            self._give_back()

    def _turn(self) -> bool:
        for key, _ in self._selector.select():
            if key.fileobj == self._wake_read:
                return self._drain_rest()
            source, stream = key.fileobj, key.data
            assert isinstance(source, socket.socket)
            if source.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                self._accept(source, stream)
            elif not self._read(source, stream):
                self._selector.unregister(source)
                source.close()
                stream.close()
        return True

    def _accept(self, listener: socket.socket, stream: Stream) -> None:
        connection, _ = listener.accept()
        connection.setblocking(False)
        self._selector.unregister(listener)
        listener.close()
        stream.attach(connection)
        self._selector.register(connection, selectors.EVENT_READ, stream)

    def _read(self, source: socket.socket, stream: Stream) -> bool:
        try:
            chunk = source.recv(1 << 16)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        if chunk:
            stream.feed(chunk)
        return bool(chunk)

    def _drain_rest(self) -> bool:
        """Read what is left in the sockets before closing; False: stop."""
        for key in list(self._selector.get_map().values()):
            source, stream = key.fileobj, key.data
            if not isinstance(source, socket.socket) or source.getsockopt(
                socket.SOL_SOCKET, socket.SO_ACCEPTCONN
            ):
                continue
            while True:
                before = stream.end
                if not self._read(source, stream) or stream.end == before:
                    break
        return False

    def _give_back(self) -> None:
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()
        for stream in self._streams:
            stream.close()
        os.close(self._wake_read)
        os.close(self._wake_write)
