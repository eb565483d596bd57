# SPDX-License-Identifier: GPL-2.0-only
"""A running machine: its process, its state and its streams, whatever emulates it.

Everything private to a run (sockets, initrd, disk) is in one directory of the
host's temporary space, because Unix socket paths are short; it is gone when the
machine is. What people want to read later (streams, command line, emulator's
output) goes to the results directory.

`Emulator` is what all have in common; `engines.qemu_machine` and
`engines.bochs.machine` say how theirs is started, asked and stopped.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from harness import errata
from harness.checkpoints import Saved
from harness.engines import Engine
from harness.errors import (
    GONE,
    EmulatorDied,
    EmulatorErratum,
    HarnessFailure,
    MachineReset,
    Unsupported,
)
from harness.machine import MachineSpec, Role
from harness.streams import Drain, Stream
from harness.supervised import Supervised, spawn

#: What QEMU says when a signal ends it; it then ends with 0 as after a power-off.
_TOLD_TO_END = re.compile(r"terminating on signal")


@dataclass(frozen=True)
class BootImage:
    """What a machine boots; `write_initrd` puts the whole initramfs into a file."""

    kernel: Path
    write_initrd: Callable[[Path], object]
    command_line: str
    #: Content of the disk; each machine has a copy of its own.
    disk: Path
    device_tree: bytes | None = None


class Emulator(ABC):
    """One machine. `start()` to `stop()`, or a context manager."""

    def __init__(
        self,
        spec: MachineSpec,
        engine: Engine,
        image: BootImage,
        results: Path,
    ) -> None:
        self.spec = spec
        self.engine = engine
        self.image = image
        self.results = results
        self.streams = {port.name: Stream(port.name) for port in spec.serials}
        self.started = 0.0
        self.argv: list[str] = []
        self._program: Supervised | None = None
        self._directory: Path | None = None
        self._drain: Drain | None = None

    # --- life

    def start(self, saved: Saved | None = None) -> None:
        """Start the emulator; returns when it answers and the guest runs.

        With `saved` the guest goes on from there instead of booting;
        CheckpointDamaged if that can not be, Unsupported if the emulator can not at all.
        """
        self.results.mkdir(parents=True, exist_ok=True)
        self._directory = Path(tempfile.mkdtemp(prefix="jailhouse-"))
        for stream in self.streams.values():
            stream.starved = self.run_delay
            stream.record(self.results / f"{stream.name}.log")
        try:
            self._start(self._directory, saved)
        except EmulatorDied as error:
            words = self._output()
            self.stop()
            raise EmulatorDied(f"{error}\n{words}") from error
        except BaseException:
            self.stop()
            raise

    @abstractmethod
    def _start(self, directory: Path, saved: Saved | None) -> None:
        """Make what the emulator needs, `_spawn()` it, and drain its streams."""

    def _spawn(
        self,
        directory: Path,
        argv: Sequence[str],
        env: Mapping[str, str],
        stdin: Path | None = None,
    ) -> None:
        """Start the emulator under its supervisor; `stdin` is a FIFO, kept open."""
        self.argv = list(argv)
        (self.results / "machine.sh").write_text(shlex.join(argv) + "\n")
        self.started = time.monotonic()
        self._program = spawn(argv, directory, self.results / "emulator.log", env, stdin)

    def _output(self) -> str:
        with contextlib.suppress(OSError):
            return (self.results / "emulator.log").read_text(errors="replace")[-4000:]
        return ""

    def stop(self) -> None:
        """End the machine and give everything back. Safe to call twice."""
        if self._program is not None:
            if self._program.alive:
                self._ask_to_end()
            self._program.end(5)
            self._program = None
        if self._drain is not None:
            self._drain.close()
            self._drain = None
        self._give_back()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    @abstractmethod
    def _ask_to_end(self) -> None:
        """Ask the running emulator to end soon; never raises."""

    @abstractmethod
    def _give_back(self) -> None:
        """The emulator is gone: give back what belongs to it. May be called twice."""

    def kill(self) -> None:
        """SIGKILL to the emulator, by its process id."""
        if self._program is not None:
            self._program.kill()

    def wait_end(self, timeout: float) -> int:
        """Wait for the emulator to end by itself (power-off); its exit code.

        Raises HarnessFailure with the machine's state after `timeout` seconds.
        """
        assert self._program is not None
        try:
            return self._program.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise HarnessFailure(
                f"the machine did not power off in {timeout:.0f} s\n{self.describe()}"
            ) from None

    def __enter__(self) -> Emulator:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # --- state

    @property
    def pid(self) -> int:
        """Process id of the emulator (0 unless it was started and not stopped)."""
        return self._program.pid if self._program is not None else 0

    @property
    def alive(self) -> bool:
        return self._program is not None and self._program.alive

    def check_alive(self) -> None:
        """Unless it runs, raise EmulatorDied or MachineReset, saying how it ended."""
        if self.alive:
            return
        code = self._program.process.poll() if self._program is not None else None
        how = f"was killed by signal {code - 128}" if code and code > 128 else f"ended with {code}"
        words = self._output()
        erratum = errata.known(self.engine.emulator, self.engine.version, words)
        if erratum is not None:
            raise EmulatorErratum(f"{erratum.name}: {erratum.note}\n{words}")
        if code == 0 and not _TOLD_TO_END.search(words):
            raise MachineReset(f"the machine was reset or powered off from inside\n{words}")
        raise EmulatorDied(f"the emulator {how}\n{words}")

    @property
    @abstractmethod
    def run_state(self) -> str:
        """ "running", "paused", or the emulator's own word for another state."""

    def stream(self, role: Role) -> Stream:
        """The stream of the first serial port with that role."""
        return self.streams[self.spec.serial(role).name]

    def describe(self) -> str:
        """The machine's state for people: run state, CPUs, last lines of each stream."""
        lines = []
        try:
            lines.append(f"run state: {self.run_state}")
            lines += self._cpu_lines()
        except (*GONE, EmulatorErratum) as error:
            lines.append(str(error).strip())
        for stream in self.streams.values():
            if stream.name != Role.COMMAND_CHANNEL:
                lines += [f"--- last lines of {stream.name}:", stream.tail(12)]
        return "\n".join(lines)

    def evidence(self) -> str:
        """`describe()` with the CPUs' interrupt controllers: what errata are told by."""
        try:
            controllers = self.interrupt_controllers()
        except (*GONE, EmulatorErratum) as error:
            controllers = str(error)
        return f"{self.describe()}\n{controllers}"

    def _cpu_lines(self) -> list[str]:
        found = []
        for block in re.split(r"(?m)^CPU#", self.registers())[1:]:
            number = block.split("\n", 1)[0].strip()
            place = re.search(r"\b([RE]IP|PC)=(\w+)", block)
            halted = re.search(r"\bHLT=(\d)", block)
            found.append(
                f"CPU {number}: {f'{place[1]} {place[2]}' if place else '?'}"
                f"{' halted' if halted and halted[1] == '1' else ''}"
            )
        return found

    # --- control

    @abstractmethod
    def pause(self) -> None:
        """Stop all CPUs."""

    @abstractmethod
    def resume(self) -> None:
        """Let all CPUs run on."""

    @abstractmethod
    def registers(self) -> str:
        """Registers of all CPUs, in the words of QEMU's "info registers -a"."""

    def interrupt_controllers(self) -> str:
        """What the CPUs' own ones hold, for people; "" where the emulator does not say."""
        return ""

    @abstractmethod
    def read_memory(self, address: int, size: int) -> bytes:
        """Guest-physical memory."""

    # What not every emulator can do; tests ask by `needs(...)`.

    def reset(self) -> None:
        """Press the reset button."""
        raise self._cannot("reset a machine from outside")

    def nmi(self) -> None:
        """Inject an NMI into every CPU."""
        raise self._cannot("inject an NMI")

    def serve_gdb(self) -> Path:
        """The socket of the emulator's gdb server; the machine runs on until a gdb connects."""
        raise self._cannot("serve gdb")

    def save(self, directory: Path) -> None:
        """Write the machine's state, disk and streams to an empty directory; it then goes on."""
        raise self._cannot("save a machine")

    def set_link(self, up: bool) -> None:
        """Plug the network cable of the first card in or out."""
        raise self._cannot("unplug a network cable")

    def ssh_port(self) -> int:
        """The host's port on 127.0.0.1 that leads to the guest's SSH server."""
        raise self._cannot("reach a network in its guest")

    def _cannot(self, what: str) -> Unsupported:
        return Unsupported(f"{self.engine.title} can not {what}")

    def run_delay(self) -> float:
        """Seconds that the emulator's threads wanted a host CPU and had none.

        The largest of all threads (schedstat); 0.0 where the host does not say.
        """
        worst = 0
        for path in Path(f"/proc/{self.pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError, IndexError, ValueError):
                worst = max(worst, int(path.read_text().split()[1]))
        return worst / 1e9
