# SPDX-License-Identifier: GPL-2.0-only
"""The Linux inside a machine: run commands in it, exchange files with it.

Two channels implement one interface: `guest.ssh` and `guest.framed`.
`guest.linux` puts them together and knows what it means when one falls silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.errors import CommandFailed

#: A shell line, or a program and its arguments.
Command = str | Sequence[str]


@dataclass(frozen=True)
class Result:
    """How a command ended. `duration` is in seconds of the guest's clock
    (framed channel) or the host's (SSH)."""

    command: str
    status: int
    stdout: bytes
    stderr: bytes
    duration: float

    @property
    def output(self) -> str:
        """Standard output, then standard error, as text."""
        return (self.stdout + self.stderr).decode(errors="replace")

    @property
    def ok(self) -> bool:
        return self.status == 0

    def check(self) -> Result:
        """This result, or CommandFailed if the status is not 0."""
        if self.status != 0:
            raise CommandFailed(f"{self.command!r} ended with {self.status}:\n{self.output}")
        return self


class Channel(Protocol):
    """A way to run commands and move files. Calls are serialised.

    `status` of a command killed by signal N is 128 + N. `run()` raises
    CommandTimeout after `timeout` seconds and kills what it started; errors of
    the channel itself are ChannelError or ChannelClosed.
    """

    name: str

    def run(self, command: Command, timeout: float = 30.0, stdin: bytes = b"") -> Result: ...

    def put(self, source: bytes | Path, target: str, mode: int = 0o644) -> None: ...

    def get(self, source: str) -> bytes: ...

    def close(self) -> None: ...


def argv_of(command: Command) -> list[str]:
    """The program and arguments that run `command`."""
    return ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)


def content_of(source: bytes | Path) -> bytes:
    """What to transfer."""
    return source if isinstance(source, bytes) else source.read_bytes()
