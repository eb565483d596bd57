# SPDX-License-Identifier: GPL-2.0-only
"""The Linux of a machine: both channels, its health, and the verdict when one dies."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness import errata
from harness.deadlines import Deadline, scaled
from harness.emulator import Emulator
from harness.errors import (
    BootFailure,
    ChannelClosed,
    ChannelError,
    CommandTimeout,
    DeadlineExpired,
    EmulatorErratum,
    GuestSick,
    HostStarved,
    NetworkLost,
    RootCellDead,
    Verdict,
)
from harness.guest import Command, Result
from harness.guest.framed import AgentRefused, FramedChannel
from harness.guest.ssh import SshChannel
from harness.machine import Role
from harness.streams import Stream

#: What a healthy root console never says.
SICK_LINUX = re.compile(
    r"BUG:|Oops|general protection fault|Kernel panic|rcu: INFO|soft lockup|hard LOCKUP"
    r"|double fault|invalid opcode|blocked for more than|kernel tried to execute"
)
#: What a hypervisor console never says, whatever guests do.
SICK_HYPERVISOR = re.compile(r"FATAL: Jailhouse triggered exception")


@dataclass(frozen=True)
class Access:
    """What it takes to log in: our private key, the server's public key line."""

    user_key: Path
    host_key: str


class Linux:
    """Commands and files go through the serial channel; `ssh` is the other one."""

    def __init__(self, machine: Emulator, access: Access, release: str) -> None:
        self.machine = machine
        self.release = release
        self.serial = FramedChannel(machine.stream(Role.COMMAND_CHANNEL))
        self._access = access
        self._ssh: SshChannel | None = None
        self._checked: dict[str, int] = {}
        #: Build trees that our binaries in this machine come from, for symbols.
        self.builds: tuple[Path, ...] = ()
        #: Told about every step: a line for transcripts.
        self.on_step: Callable[[str], None] = lambda text: None

    # --- start

    def wait_booted(self) -> float:
        """Wait until the agent answers; returns the seconds since the machine's start."""
        deadline = Deadline.after(scaled(self.machine.spec.boot_limit))
        try:
            self.serial.wait_ready(deadline.seconds)
        except (CommandTimeout, ChannelClosed) as error:
            self.machine.check_alive()
            engine = self.machine.engine
            seen = f"{self.root_console.text()}\n{self.machine.evidence()}"
            erratum = errata.known(engine.emulator, engine.version, seen)
            if erratum is not None:
                raise EmulatorErratum(f"{erratum.name}: {erratum.note}") from error
            raise BootFailure(
                f"no channel after {deadline.elapsed():.1f} s\n{self.machine.describe()}"
            ) from error
        return deadline.elapsed()

    @property
    def root_console(self) -> Stream:
        return self.machine.stream(Role.ROOT_CONSOLE)

    @property
    def ssh(self) -> SshChannel:
        """The SSH channel, connected on first use."""
        if self._ssh is None:
            port = self.machine.ssh_port()
            self._ssh = SshChannel(port, self._access.user_key, self._access.host_key)
            self._ssh.wait_ready(scaled(30))
        return self._ssh

    def close(self) -> None:
        self.serial.close()
        if self._ssh is not None:
            self._ssh.close()

    # --- Guest

    def run(self, command: Command, timeout: float = 30.0, stdin: bytes = b"") -> Result:
        """Run a command through the serial channel; see `guest.Channel`."""
        with self._judged(f"run {command!r}"):
            result = self.serial.run(command, scaled(timeout), stdin)
        self.on_step(f"run {command!r} -> {result.status} in {result.duration:.3f} s")
        return result

    def succeed(self, command: Command, timeout: float = 30.0) -> str:
        """Run a command that must end with status 0; returns its output."""
        return self.run(command, timeout).check().output

    def put(self, source: bytes | Path, target: str, mode: int = 0o644) -> None:
        """Write a file in the guest."""
        with self._judged(f"put {target}"):
            self.serial.put(source, target, mode)
        self.on_step(f"put {target}")

    def get(self, source: str) -> bytes:
        """Read a file of the guest."""
        with self._judged(f"get {source}"):
            data = self.serial.get(source)
        self.on_step(f"get {source}: {len(data)} bytes")
        return data

    def ask(self, operation: str, timeout: float = 20.0, **args: object) -> dict[str, object]:
        """One operation inside the agent's process; AgentRefused has its errno."""
        with self._judged(operation):
            head, _ = self.serial.ask(operation, scaled(timeout), args)
        return head

    def ask_data(self, operation: str, timeout: float = 20.0, **args: object) -> bytes:
        """Like `ask()`, for operations that answer with bytes."""
        with self._judged(operation):
            return self.serial.ask(operation, scaled(timeout), args)[1]

    def ssh_run(self, command: Command, timeout: float = 30.0) -> Result:
        """Run a command over SSH; if SSH is dead, say whose fault that is."""
        try:
            result = self.ssh.run(command, scaled(timeout))
        except (ChannelClosed, CommandTimeout) as error:
            raise self.why_silent(error) from error
        self.on_step(f"ssh {command!r} -> {result.status} in {result.duration:.3f} s")
        return result

    def why_silent(self, cause: Verdict) -> Verdict:
        """The verdict when SSH does not answer: serial is asked first.

        If serial answers and SSH's server does not, the network is lost. A
        command that merely ran too long while SSH still answers keeps its own
        error.
        """
        self.machine.check_alive()
        try:
            self.serial.ping(scaled(5))
        except (CommandTimeout, DeadlineExpired, ChannelClosed) as error:
            return RootCellDead(
                f"neither SSH nor serial answers ({cause}; {error})\n{self.machine.describe()}"
            )
        if isinstance(cause, CommandTimeout):
            try:
                self.ssh.run("true", scaled(10))
                return cause
            except (ChannelError, ChannelClosed, CommandTimeout):
                pass
        return NetworkLost(f"SSH is gone, the root cell answers on serial: {cause}")

    def _judged(self, what: str) -> _Judged:
        return _Judged(self, what)

    # --- health

    def mark(self) -> None:
        """Forget everything the consoles said so far."""
        for stream in self.machine.streams.values():
            self._checked[stream.name] = stream.end

    def check_health(self) -> None:
        """Raise unless the root cell answers and no console looks sick since `mark()`."""
        self.machine.check_alive()
        try:
            self.serial.ping(scaled(10))
        except (CommandTimeout, ChannelClosed) as error:
            raise RootCellDead(
                f"the root cell does not answer: {error}\n{self.machine.describe()}"
            ) from error
        self.check_consoles()

    def check_consoles(self) -> None:
        """Raise GuestSick if a console shows an oops, a lock-up or the like."""
        for role, pattern in (
            (Role.ROOT_CONSOLE, SICK_LINUX),
            (Role.HYPERVISOR_CONSOLE, SICK_HYPERVISOR),
        ):
            stream = self.machine.stream(role)
            text = stream.text(self._checked.get(stream.name, 0))
            found = pattern.search(text)
            if found is not None:
                start = text.rfind("\n", 0, found.start()) + 1
                raise GuestSick(f"{stream.name}:\n{text[start : start + 3000]}")


class _Judged:
    """Turns an expired wait into a verdict: starved, dead emulator, dead guest."""

    def __init__(self, linux: Linux, what: str) -> None:
        self._linux = linux
        self._what = what
        self._delay = 0.0
        self._deadline = Deadline.after(0)

    def __enter__(self) -> None:
        self._deadline = Deadline.after(0)
        self._delay = self._linux.machine.run_delay()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ChannelClosed):
            # Its ports close a moment before the emulator itself has ended.
            end = Deadline.after(scaled(2))
            while self._linux.machine.alive and not end.expired:
                time.sleep(0.02)
            self._linux.machine.check_alive()
            raise error
        if not isinstance(error, DeadlineExpired):
            return
        machine = self._linux.machine
        machine.check_alive()
        waited = self._deadline.elapsed()
        starved = machine.run_delay() - self._delay
        if starved > waited / 2:
            raise HostStarved(
                f"{self._what}: waited {waited:.1f} s, of which the emulator waited "
                f"{starved:.1f} s for a host CPU ({error})\n{machine.describe()}"
            ) from error
        kind_of = type(error)
        raise kind_of(f"{self._what}: {error}\n{machine.describe()}") from error


__all__ = ["Access", "AgentRefused", "Linux"]
