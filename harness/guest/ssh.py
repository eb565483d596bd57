# SPDX-License-Identifier: GPL-2.0-only
"""The command channel over SSH. Files travel over exec channels, hash-checked."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import shlex
import threading
import time
from pathlib import Path

import paramiko
from paramiko.hostkeys import HostKeyEntry

from harness.deadlines import Deadline, scaled
from harness.errors import ChannelClosed, ChannelError, CommandTimeout
from harness.guest import Command, Result, content_of

#: Environment variable by which the processes of a command are found again.
TOKEN = "JAILHOUSE_COMMAND"
#: Errors that mean: the connection is gone.
LOST = (paramiko.SSHException, OSError, EOFError)


class SshChannel:
    """One SSH session to a guest's forwarded port on 127.0.0.1."""

    name = "ssh"

    def __init__(self, port: int, key: Path, host_key: str) -> None:
        """`host_key` is the server's public key as in known_hosts ("type base64")."""
        self._port = port
        self._key = paramiko.Ed25519Key.from_private_key_file(str(key))
        self._host_key = host_key
        self._client: paramiko.SSHClient | None = None
        self._busy = threading.Lock()

    def wait_ready(self, timeout: float) -> None:
        """Connect; ChannelClosed if the server does not let us in."""
        deadline = Deadline.after(timeout)
        while True:
            try:
                self._connect(max(1.0, deadline.remaining()))
                return
            except LOST as error:
                if deadline.expired:
                    raise ChannelClosed(f"ssh: {error}") from error
                time.sleep(0.1)

    def _connect(self, timeout: float) -> paramiko.Transport:
        if self._client is not None:
            transport = self._client.get_transport()
            if transport is not None and transport.is_active():
                return transport
            self._client.close()
        client = paramiko.SSHClient()
        name = f"[127.0.0.1]:{self._port}"
        entry = HostKeyEntry.from_line(f"{name} {self._host_key}")
        assert entry is not None
        assert entry.key is not None
        client.get_host_keys().add(name, entry.key.get_name(), entry.key)
        client.connect(
            "127.0.0.1",
            self._port,
            username="root",
            pkey=self._key,
            timeout=timeout,
            banner_timeout=timeout,
            auth_timeout=timeout,
            allow_agent=False,
            look_for_keys=False,
        )
        self._client = client
        transport = client.get_transport()
        assert transport is not None
        return transport

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def run(self, command: Command, timeout: float = 30.0, stdin: bytes = b"") -> Result:
        title = command if isinstance(command, str) else shlex.join(command)
        with self._busy:
            try:
                return self._run(title, timeout, stdin)
            except LOST as error:
                self.close()
                raise ChannelClosed(f"ssh: {type(error).__name__}: {error}") from error

    def _run(self, title: str, timeout: float, stdin: bytes) -> Result:
        began = time.monotonic()
        deadline = Deadline.after(timeout)
        token = f"{TOKEN}={secrets.token_hex(8)}"
        # A dead guest is not waited for longer than the command may take.
        patience = min(scaled(10), timeout)
        session = self._connect(patience).open_session(timeout=patience)
        try:
            # The outer shell turns a death by signal into a status.
            session.exec_command(f"export {token}; /bin/sh -c {shlex.quote(title)}; exit $?")
            out, err = self._pump(session, stdin, deadline, title)
            return Result(title, session.recv_exit_status(), out, err, time.monotonic() - began)
        except CommandTimeout:
            self._end(token)
            raise
        finally:
            session.close()

    def _end(self, token: str) -> None:
        """Kill every process that inherited this token, as well as we can."""
        with contextlib.suppress(*LOST):
            session = self._connect(scaled(10)).open_session(timeout=scaled(10))
            session.exec_command(
                f"for p in /proc/[0-9]*; do grep -q {token} $p/environ 2>/dev/null"
                " && kill -9 ${p#/proc/}; done"
            )
            session.settimeout(scaled(10))
            while session.recv(4096):
                pass
            session.close()

    def _pump(
        self, session: paramiko.Channel, stdin: bytes, deadline: Deadline, title: str
    ) -> tuple[bytes, bytes]:
        exchange = _Exchange(session, stdin)
        while True:
            # Asked first: what comes after the status belongs to somebody in the background.
            ended = session.exit_status_ready()
            if exchange.turn():
                continue
            if ended:
                return bytes(exchange.out), bytes(exchange.err)
            if deadline.expired:
                text = bytes(exchange.out + exchange.err)[-2000:].decode(errors="replace")
                raise CommandTimeout(
                    f"{title!r} did not end in {deadline.seconds:.1f} s; output:\n{text}"
                )
            if session.closed or not session.get_transport().is_active():
                raise EOFError("the connection ended without a status")
            session.status_event.wait(0.002)

    def put(self, source: bytes | Path, target: str, mode: int = 0o644) -> None:
        data = content_of(source)
        part = shlex.quote(target + ".part")
        quoted = shlex.quote(target)
        self.run(
            f"mkdir -p $(dirname {quoted}) && cat > {part}", scaled(120), data or b""
        ).check()
        self._check_hash(target + ".part", data)
        self.run(f"chmod {mode:o} {part} && mv {part} {quoted}").check()

    def get(self, source: str) -> bytes:
        data = self.run(f"cat {shlex.quote(source)}", scaled(120)).check().stdout
        self._check_hash(source, data)
        return data

    def _check_hash(self, path: str, data: bytes) -> None:
        line = self.run(f"sha256sum {shlex.quote(path)}", scaled(60)).check().output
        if line.split()[0] != hashlib.sha256(data).hexdigest():
            raise ChannelError(f"{path}: hash differs after the transfer")


class _Exchange:
    """Moves input and output of one command without blocking."""

    def __init__(self, session: paramiko.Channel, stdin: bytes) -> None:
        self._session = session
        self._todo = memoryview(stdin)
        self.out = bytearray()
        self.err = bytearray()
        session.settimeout(0.0)
        if not stdin:
            session.shutdown_write()

    def turn(self) -> bool:
        """Move what can be moved; False if that was nothing."""
        moved = self._send()
        if self._session.recv_ready():
            self.out += self._session.recv(1 << 16)
            moved = True
        if self._session.recv_stderr_ready():
            self.err += self._session.recv_stderr(1 << 16)
            moved = True
        return moved

    def _send(self) -> bool:
        if not self._todo or not self._session.send_ready():
            return False
        try:
            self._todo = self._todo[self._session.send(bytes(self._todo[: 1 << 15])) :]
        except TimeoutError:
            return False
        if not self._todo:
            self._session.shutdown_write()
        return True
