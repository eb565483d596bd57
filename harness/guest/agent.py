# SPDX-License-Identifier: GPL-2.0-only
"""The resident process in the guest that serves the command channel.

It owns one serial port (raw mode) and answers requests from the harness. It
runs on the target: standard library only, and it imports the `jailhouse`
package only when a request needs it.

Frames, both directions::

    magic "\\xf5JH\\xa7" | length u32 | crc32 of length u32 | payload | crc32 of payload u32

little-endian. Anything that is not a frame (line noise, a truncated frame) is
skipped up to the next magic whose checksums agree. A payload is a JSON object
and raw bytes: u32 length of the JSON text, the text, the rest is data.

Requests carry "id" and "op"; answers repeat the id and say "kind": "out" and
"err" carry output as it comes, "done" is the last one, "error" replaces it.
Each request runs in a thread of its own, so that "ping" is answered whatever
another request is stuck in; the harness sends one at a time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing typing costs guest time
    from collections.abc import Callable, Iterator
    from typing import Any

MAGIC = b"\xf5JH\xa7"
HEADER = struct.Struct("<4sII")
MAX_PAYLOAD = 1 << 20
#: Output and file data travel in pieces of this size.
CHUNK = 16384


# --- frames


def encode(payload: bytes) -> bytes:
    """One frame."""
    length = struct.pack("<I", len(payload))
    return b"".join(
        (MAGIC, length, struct.pack("<I", zlib.crc32(length)), payload,
         struct.pack("<I", zlib.crc32(payload)))
    )  # fmt: skip


class FrameReader:
    """Finds frames in a stream of bytes, skipping what is none."""

    def __init__(self) -> None:
        self._data = bytearray()
        #: Bytes skipped so far because they were no frame.
        self.skipped = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the payload of every frame that is complete now."""
        self._data += chunk
        while True:
            payload = self._next()
            if payload is None:
                return
            yield payload

    def _skip(self, count: int) -> None:
        self.skipped += count
        del self._data[:count]

    def _next(self) -> bytes | None:
        while True:
            start = self._data.find(MAGIC)
            if start < 0:
                # The magic may be cut in two: keep its possible beginning.
                self._skip(max(0, len(self._data) - len(MAGIC) + 1))
                return None
            self._skip(start)
            if len(self._data) < HEADER.size:
                return None
            _, length, check = HEADER.unpack_from(self._data)
            if length > MAX_PAYLOAD or zlib.crc32(self._data[4:8]) != check:
                self._skip(1)
                continue
            end = HEADER.size + length
            if len(self._data) < end + 4:
                return None
            payload = bytes(self._data[HEADER.size : end])
            if struct.unpack_from("<I", self._data, end)[0] != zlib.crc32(payload):
                self._skip(1)
                continue
            del self._data[: end + 4]
            return payload


def pack(head: dict[str, Any], data: bytes = b"") -> bytes:
    """A payload of a JSON object and raw bytes."""
    text = json.dumps(head, separators=(",", ":")).encode()
    return struct.pack("<I", len(text)) + text + data


def unpack(payload: bytes) -> tuple[dict[str, Any], bytes]:
    """The reverse of pack(); ValueError if it is none."""
    if len(payload) < 4:
        raise ValueError("short payload")
    length = struct.unpack_from("<I", payload)[0]
    head = json.loads(payload[4 : 4 + length])
    if not isinstance(head, dict):
        raise ValueError("no object")
    return head, payload[4 + length :]


# --- requests


class Link:
    """Sends frames to the harness, one at a time."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._lock = threading.Lock()

    def send(self, head: dict[str, Any], data: bytes = b"") -> None:
        frame = memoryview(encode(pack(head, data)))
        with self._lock:
            while frame:
                frame = frame[os.write(self._handle, frame) :]


class Agent:
    """Reads requests from a serial port and answers them."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._link = Link(handle)
        self._upload = bytearray()

    def serve(self) -> None:
        """Serve until the port closes."""
        reader = FrameReader()
        self._link.send({"kind": "hello", "pid": os.getpid()})
        while True:
            chunk = os.read(self._handle, 65536)
            if not chunk:
                return
            for payload in reader.feed(chunk):
                self._dispatch(payload)

    def _dispatch(self, payload: bytes) -> None:
        try:
            head, data = unpack(payload)
        except ValueError as error:
            self._link.send({"kind": "error", "id": None, "text": str(error)})
            return
        if head.get("op") == "ping":
            self._link.send({"kind": "done", "id": head.get("id"), "pid": os.getpid()})
            return
        threading.Thread(target=self._serve_one, args=(head, data), daemon=True).start()

    def _serve_one(self, head: dict[str, Any], data: bytes) -> None:
        ident = head.get("id")
        operation = str(head.get("op")).replace("-", "_")
        method: Callable[..., dict[str, Any]] | None = getattr(self, "op_" + operation, None)
        try:
            if method is None:
                raise LookupError(f"no operation {head.get('op')!r}")
            answer = method(ident, data, **head.get("args", {}))
            blob = answer.pop("data", b"")
            self._link.send({"kind": "done", "id": ident, **answer}, blob)
        except Exception as error:  # the harness gets to see every one
            self._link.send(
                {
                    "kind": "error",
                    "id": ident,
                    "type": type(error).__name__,
                    "errno": getattr(error, "errno", None),
                    "text": str(error),
                }
            )

    # --- commands and files

    def op_run(self, ident: int, data: bytes, argv: list[str], timeout: float) -> dict[str, Any]:
        """Run a command; its output goes out as it comes."""

        def emit(kind: str, part: bytes) -> None:
            self._link.send({"kind": kind, "id": ident}, part)

        return run(argv, data, timeout, emit)

    def op_put(
        self, ident: int, data: bytes, *, path: str, offset: int, last: bool, mode: int, sha256: str
    ) -> dict[str, Any]:
        """Collect a compressed file; the last piece makes it, checks and renames it."""
        if offset == 0:
            self._upload = bytearray()
        if offset != len(self._upload):
            raise ValueError(f"{path}: piece at {offset}, expected {len(self._upload)}")
        self._upload += data
        if not last:
            return {}
        content = zlib.decompress(self._upload)
        self._upload = bytearray()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ValueError(f"{path}: hash differs after the transfer")
        temporary = path + ".part"
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
        return {}

    def op_get(self, ident: int, data: bytes, path: str) -> dict[str, Any]:
        """Send a file and its hash."""
        check = hashlib.sha256()
        with open(path, "rb") as file:
            while part := file.read(CHUNK):
                check.update(part)
                self._link.send({"kind": "out", "id": ident}, part)
        return {"sha256": check.hexdigest()}

    def op_texts(self, ident: int, data: bytes, paths: list[str]) -> dict[str, Any]:
        """The text of small files by path; what can not be read is left out."""
        found = {}
        for path in paths:
            with contextlib.suppress(OSError):
                found[path] = _text(path)
        return {"files": found}

    # --- Jailhouse, in this process: an ioctl instead of an interpreter start

    def op_enable(self, ident: int, data: bytes, config: str) -> dict[str, Any]:
        _device().enable(_read(config))
        return {}

    def op_disable(self, ident: int, data: bytes) -> dict[str, Any]:
        _device().disable()
        return {}

    def op_create(self, ident: int, data: bytes, config: str) -> dict[str, Any]:
        _device().create(_read(config))
        return {}

    def op_load(
        self, ident: int, data: bytes, cell: int | str, images: list[list[Any]]
    ) -> dict[str, Any]:
        """`images` holds pairs of a path (or "string:TEXT") and an address."""
        _device().load(cell, [(_image(str(name)), int(address)) for name, address in images])
        return {}

    def op_start(self, ident: int, data: bytes, cell: int | str) -> dict[str, Any]:
        _device().start(cell)
        return {}

    def op_shutdown(self, ident: int, data: bytes, cell: int | str) -> dict[str, Any]:
        _device().shutdown(cell)
        return {}

    def op_destroy(self, ident: int, data: bytes, cell: int | str) -> dict[str, Any]:
        _device().destroy(cell)
        return {}

    def op_sysfs(self, ident: int, data: bytes, below: str, deep: bool) -> dict[str, Any]:
        """Readable text files below /sys/devices/jailhouse/BELOW but the console.

        Not `deep`: without the counters, which are most of the files.
        """
        return {"files": dict(_sysfs_files("/sys/devices/jailhouse", below, deep))}

    def op_console(self, ident: int, data: bytes) -> dict[str, Any]:
        """The log page, as sysfs shows it."""
        with open("/sys/devices/jailhouse/console", "rb") as file:
            return {"data": file.read()}


def _device() -> Any:
    """The ioctls, from the same package that the command line uses."""
    import jailhouse.device  # noqa: PLC0415 (nothing but verbs needs it)

    return jailhouse.device


def _sysfs_files(root: str, below: str, deep: bool) -> Iterator[tuple[str, str]]:
    for directory, directories, names in os.walk(os.path.join(root, below)):
        if not deep and "statistics" in directories:
            directories.remove("statistics")
        for name in names:
            if name in ("console", "core", "uevent") or directory.endswith("/power"):
                continue
            path = os.path.join(directory, name)
            with contextlib.suppress(OSError):
                yield os.path.relpath(path, root), _text(path)


def _text(path: str) -> str:
    with open(path) as file:
        return file.read().strip("\n")


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _image(name: str) -> bytes:
    if name.startswith("string:"):
        return name[7:].encode() + b"\0"
    return _read(name)


def run(
    argv: list[str], stdin: bytes, timeout: float, emit: Callable[[str, bytes], None]
) -> dict[str, Any]:
    """Run a program in a session of its own; all of the session dies after `timeout`."""
    began = time.monotonic()
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:  # as a shell does
        emit("err", f"{argv[0]}: {error.strerror}\n".encode())
        status = 127 if isinstance(error, FileNotFoundError) else 126
        return {"status": status, "timeout": False, "duration": time.monotonic() - began}
    if stdin:
        threading.Thread(target=_feed, args=(process, stdin), daemon=True).start()
    expired = _pump(process, began + timeout, emit)
    if expired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    # A process stuck in the kernel stays; the answer must not.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(2 if expired else None)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    return {
        "status": process.returncode,
        "timeout": expired,
        "duration": time.monotonic() - began,
    }


def _feed(process: Any, data: bytes) -> None:
    try:
        process.stdin.write(data)
        process.stdin.close()
    except OSError:
        pass


def _pump(process: Any, limit: float, emit: Callable[[str, bytes], None]) -> bool:
    """Pass output on until the program ended; True if the limit came first.

    A program may leave something in the background that holds its pipes: what
    counts is the end of the program itself.
    """
    kinds = {process.stdout.fileno(): "out", process.stderr.fileno(): "err"}
    ended = os.pidfd_open(process.pid)
    try:
        while True:
            left = limit - time.monotonic()
            if left <= 0:
                return True
            ready = select.select([*kinds, ended], [], [], left)[0]
            for handle in ready:
                if handle in kinds:
                    part = os.read(handle, CHUNK)
                    if part:
                        emit(kinds[handle], part)
                    else:
                        del kinds[handle]
            if ended in ready and not any(handle in kinds for handle in ready):
                return False
    finally:
        os.close(ended)


# --- start


def open_port(path: str) -> int:
    """Open a port; a terminal in raw mode: 8 bits, no flow control, no signals."""
    handle = os.open(path, os.O_RDWR | os.O_NOCTTY)
    if not os.isatty(handle):  # a virtio port: nothing to set
        return handle
    mode = termios.tcgetattr(handle)
    mode[0] = termios.IGNBRK
    mode[1] = 0
    mode[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
    mode[3] = 0
    mode[4] = mode[5] = termios.B115200
    mode[6][termios.VMIN] = 1
    mode[6][termios.VTIME] = 0
    termios.tcsetattr(handle, termios.TCSANOW, mode)
    termios.tcflush(handle, termios.TCIOFLUSH)
    return handle


def main(arguments: list[str]) -> int:
    """agent.py TTY: serve that terminal for ever."""
    if len(arguments) != 1:
        print("usage: agent.py TTY", file=sys.stderr)
        return 2
    path = arguments[0] if "/" in arguments[0] else "/dev/" + arguments[0]
    Agent(open_port(path)).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
