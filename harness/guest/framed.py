# SPDX-License-Identifier: GPL-2.0-only
"""The command channel on a serial port, host side (see `guest.agent`)."""

from __future__ import annotations

import hashlib
import itertools
import queue
import shlex
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.deadlines import Deadline, scaled
from harness.errors import ChannelClosed, ChannelError, CommandTimeout
from harness.guest import Command, Result, argv_of, content_of
from harness.guest.agent import CHUNK, FrameReader, encode, pack, unpack
from harness.streams import Stream

#: Seconds the agent has on top of a command's own limit.
MARGIN = 5.0


class AgentRefused(ChannelError):
    """The agent answered with an error: an exception in the guest."""

    def __init__(self, operation: str, kind: str, errno: int | None, text: str) -> None:
        super().__init__(f"{operation}: {kind}: {text}")
        self.operation = operation
        self.kind = kind
        self.errno = errno
        self.text = text


class FramedChannel:
    """Talks to the resident agent. One request at a time."""

    name = "serial"

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._reader = FrameReader()
        self._idents = itertools.count(1)
        self._busy = threading.Lock()
        self._frames: queue.SimpleQueue[tuple[dict[str, Any], bytes]] = queue.SimpleQueue()
        self._feeding = threading.Lock()
        stream.listen(self._feed)

    def _feed(self, chunk: bytes) -> None:
        with self._feeding:
            for payload in self._reader.feed(chunk):
                try:
                    self._frames.put(unpack(payload))
                except ValueError:
                    continue

    def close(self) -> None:
        self._stream.unlisten(self._feed)

    # --- requests

    def ask(
        self,
        operation: str,
        timeout: float,
        args: Mapping[str, object] | None = None,
        data: bytes = b"",
    ) -> tuple[dict[str, Any], bytes]:
        """One request with one answer; AgentRefused carries the guest's exception."""
        for kind, head, blob in self._request(operation, timeout, data, args or {}):
            if kind == "done":
                return head, blob
        raise ChannelError(f"{operation}: no answer")

    def _request(
        self, operation: str, timeout: float, data: bytes, args: Mapping[str, object]
    ) -> Iterator[tuple[str, dict[str, Any], bytes]]:
        if not self._busy.acquire(timeout=timeout):
            raise ChannelError(f"{operation}: the channel is busy with another request")
        try:
            ident = next(self._idents)
            deadline = Deadline.after(timeout)
            request = encode(pack({"id": ident, "op": operation, "args": args}, data))
            self._stream.send(request, timeout)
            while True:
                head, blob = self._answer(operation, ident, deadline)
                kind = str(head["kind"])
                if kind == "error":
                    raise AgentRefused(
                        operation, str(head["type"]), head["errno"], str(head["text"])
                    )
                yield kind, head, blob
                if kind == "done":
                    return
        finally:
            self._busy.release()

    def _answer(
        self, operation: str, ident: int, deadline: Deadline
    ) -> tuple[dict[str, Any], bytes]:
        while True:
            try:
                head, blob = self._frames.get(timeout=min(0.5, deadline.remaining() + 0.001))
            except queue.Empty:
                if self._stream.closed:
                    raise ChannelClosed(f"{operation}: the serial port is closed") from None
                if deadline.expired:
                    raise CommandTimeout(
                        f"{operation}: no answer on serial in {deadline.seconds:.1f} s"
                    ) from None
                continue
            # Answers to requests that were given up are dropped.
            if head.get("id") == ident:
                return head, blob

    # --- Channel

    def ping(self, timeout: float = 5.0) -> float:
        """Seconds until the agent answered; CommandTimeout if it did not."""
        began = time.monotonic()
        self.ask("ping", timeout)
        return time.monotonic() - began

    def wait_ready(self, timeout: float) -> None:
        """Wait for the agent to answer for the first time."""
        deadline = Deadline.after(timeout)
        while True:
            try:
                self.ping(min(0.5, deadline.remaining() + 0.05))
                return
            except CommandTimeout:
                if deadline.expired:
                    raise

    def run(self, command: Command, timeout: float = 30.0, stdin: bytes = b"") -> Result:
        title = command if isinstance(command, str) else shlex.join(command)
        out: dict[str, list[bytes]] = {"out": [], "err": []}
        args = {"argv": argv_of(command), "timeout": timeout}
        head: dict[str, Any] = {}
        for kind, answer, blob in self._request("run", timeout + scaled(MARGIN), stdin, args):
            head = answer
            if kind in out:
                out[kind].append(blob)
        stdout, stderr = b"".join(out["out"]), b"".join(out["err"])
        if head["timeout"]:
            text = (stdout + stderr)[-2000:].decode(errors="replace")
            raise CommandTimeout(f"{title!r} did not end in {timeout:.1f} s; output:\n{text}")
        status = int(head["status"])
        if status < 0:
            status = 128 - status
        return Result(title, status, stdout, stderr, float(head["duration"]))

    def put(self, source: bytes | Path, target: str, mode: int = 0o644) -> None:
        content = content_of(source)
        check = hashlib.sha256(content).hexdigest()
        # A UART takes some 50 KB/s from us; binaries shrink a lot.
        data = zlib.compress(content, 6)
        offset = 0
        while True:
            part = data[offset : offset + CHUNK]
            last = offset + len(part) >= len(data)
            args = {
                "path": target, "offset": offset, "last": last, "mode": mode, "sha256": check,
            }  # fmt: skip
            self.ask("put", scaled(20), args, part)
            offset += len(part)
            if last:
                return

    def get(self, source: str) -> bytes:
        parts = []
        head: dict[str, Any] = {}
        for kind, answer, blob in self._request("get", scaled(120), b"", {"path": source}):
            head = answer
            if kind == "out":
                parts.append(blob)
        data = b"".join(parts)
        if hashlib.sha256(data).hexdigest() != head["sha256"]:
            raise ChannelError(f"{source}: hash differs after the transfer")
        return data
