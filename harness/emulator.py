# SPDX-License-Identifier: GPL-2.0-only
"""A running machine: its process, its monitor and its streams.

Everything private to a run (sockets, initrd, disk) is in one directory of the
host's temporary space, because Unix socket paths are short; it is gone when the
machine is. What people want to read later (streams, command line, emulator's
output) goes to the results directory.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from harness import errata, supervise
from harness.checkpoints import DISK, STATE, CheckpointDamaged, Saved
from harness.deadlines import Deadline, scaled
from harness.engines import Boot, Engine, Wiring
from harness.engines.qemu import render
from harness.errors import EmulatorDied, EmulatorErratum, HarnessFailure
from harness.machine import MachineSpec, Role
from harness.qmp import Monitor
from harness.streams import Drain, Stream


@dataclass(frozen=True)
class BootImage:
    """What a machine boots; `write_initrd` puts the whole initramfs into a file."""

    kernel: Path
    write_initrd: Callable[[Path], object]
    command_line: str
    #: Content of the disk; each machine has a copy of its own.
    disk: Path


class Emulator:
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
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._directory: Path | None = None
        self._drain: Drain | None = None
        self._monitor: Monitor | None = None

    # --- life

    def start(self, saved: Saved | None = None) -> None:
        """Start the emulator; returns when its monitor answers and the guest runs.

        With `saved` the guest goes on from there instead of booting;
        CheckpointDamaged if that can not be.
        """
        self.results.mkdir(parents=True, exist_ok=True)
        self._directory = Path(tempfile.mkdtemp(prefix="jailhouse-"))
        try:
            self._start(self._directory, saved)
        except BaseException:
            self.stop()
            raise

    def _start(self, directory: Path, saved: Saved | None) -> None:
        wiring = Wiring(directory)
        boot = Boot(
            self.image.kernel, directory / "initrd", self.image.command_line, saved is not None
        )
        self.image.write_initrd(boot.initrd)
        # Eight MiB: copied faster than an overlay is made, and private as one.
        shutil.copyfile(saved.disk if saved else self.image.disk, wiring.disk)
        for stream in self.streams.values():
            stream.starved = self.run_delay
            stream.record(self.results / f"{stream.name}.log")
            if saved is not None:
                stream.feed(saved.streams().get(stream.name, b""))
        self._drain = Drain({wiring.serial(name): s for name, s in self.streams.items()})
        self._monitor = Monitor(wiring.qmp)
        self.argv = render(self.spec, self.engine, boot, wiring)
        (self.results / "machine.sh").write_text(shlex.join(self.argv) + "\n")
        self.started = time.monotonic()
        self._spawn(directory)
        if saved is not None:
            # While the emulator starts: nothing of it is read before.
            saved.verify()
        try:
            self._monitor.accept(scaled(20))
            # Its monitor answers after its character devices were opened.
            self._drain.opened()
        except EmulatorDied as error:
            raise EmulatorDied(f"{error}\n{self._output()}") from error
        if saved is not None:
            self._restore(saved)

    # --- checkpoints

    def _restore(self, saved: Saved) -> None:
        try:
            self.monitor.execute("migrate-incoming", {"uri": f"file:{saved.state}"})
            self._migrated(scaled(30))
            self.monitor.execute("cont")
        except EmulatorDied as error:
            raise CheckpointDamaged(
                f"{saved.path}: the emulator does not take it: {error}\n{self._output()}"
            ) from error

    def save(self, directory: Path) -> None:
        """Write the machine's state, disk and streams to an empty directory; it then goes on."""
        assert self._directory is not None
        self.pause()
        try:
            # Bytes per second; the default would take most of the time.
            self.monitor.execute("migrate-set-parameters", {"max-bandwidth": 1 << 40})
            self.monitor.execute("migrate", {"uri": f"file:{directory / STATE}"})
            self._migrated(scaled(60))
            shutil.copyfile(Wiring(self._directory).disk, directory / DISK)
        finally:
            self.resume()
        for stream in self.streams.values():
            if stream.name != Role.COMMAND_CHANNEL:
                (directory / f"{stream.name}.log").write_bytes(stream.since(0))

    def _migrated(self, timeout: float) -> None:
        """Wait until a migration (in or out) is complete; EmulatorDied otherwise."""
        deadline = Deadline.after(timeout)
        while True:
            answer = self.monitor.execute("query-migrate")
            if answer.get("status") == "completed":
                return
            if answer.get("status") == "failed" or deadline.expired:
                raise EmulatorDied(
                    f"migration {answer.get('status')} after {deadline.elapsed():.1f} s: "
                    f"{answer.get('error-desc', '')}"
                )
            time.sleep(0.01)

    def _spawn(self, directory: Path) -> None:
        with (self.results / "emulator.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", supervise.__file__, str(directory), "--", *self.argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **self.engine.env},
                start_new_session=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise HarnessFailure(f"the supervisor did not start:\n{self._output()}")
        self._pid = int(line)

    def _output(self) -> str:
        with contextlib.suppress(OSError):
            return (self.results / "emulator.log").read_text(errors="replace")[-4000:]
        return ""

    def stop(self) -> None:
        """End the machine and give everything back. Safe to call twice."""
        process = self._process
        if process is not None:
            if process.poll() is None:
                with contextlib.suppress(EmulatorDied):
                    if self._monitor is not None:
                        self._monitor.execute("quit", timeout=5)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
                process.wait(10)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None
        if self._drain is not None:
            self._drain.close()
            self._drain = None
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def kill(self) -> None:
        """SIGKILL to the emulator, by its process id."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def wait_end(self, timeout: float) -> int:
        """Wait for the emulator to end by itself (power-off); its exit code.

        Raises HarnessFailure with the machine's state after `timeout` seconds.
        """
        assert self._process is not None
        try:
            return self._process.wait(timeout)
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
        """Process id of the emulator (0 before it was started)."""
        return self._pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def check_alive(self) -> None:
        """Raise EmulatorDied, saying how it ended, unless it runs."""
        if self.alive:
            return
        code = self._process.poll() if self._process is not None else None
        how = f"was killed by signal {code - 128}" if code and code > 128 else f"ended with {code}"
        words = self._output()
        erratum = errata.known(self.engine.version, words)
        if erratum is not None:
            raise EmulatorErratum(f"{erratum.name}: {erratum.note}\n{words}")
        raise EmulatorDied(f"the emulator {how}\n{words}")

    @property
    def monitor(self) -> Monitor:
        """The monitor; EmulatorDied when the emulator is gone."""
        if self._monitor is None:
            raise EmulatorDied("the machine is not running")
        self.check_alive()
        return self._monitor

    @property
    def run_state(self) -> str:
        """QEMU's word: running, paused, shutdown, ..."""
        return str(self.monitor.execute("query-status")["status"])

    def stream(self, role: Role) -> Stream:
        """The stream of the first serial port with that role."""
        return self.streams[self.spec.serial(role).name]

    def describe(self) -> str:
        """The machine's state for people: run state, CPUs, last lines of each stream."""
        lines = []
        try:
            lines.append(f"run state: {self.run_state}")
            lines += self._cpu_lines()
        except (EmulatorDied, EmulatorErratum) as error:
            lines.append(str(error).strip())
        for stream in self.streams.values():
            if stream.name != Role.COMMAND_CHANNEL:
                lines += [f"--- last lines of {stream.name}:", stream.tail(12)]
        return "\n".join(lines)

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

    def pause(self) -> None:
        self.monitor.execute("stop")

    def resume(self) -> None:
        self.monitor.execute("cont")

    def reset(self) -> None:
        self.monitor.execute("system_reset")

    def nmi(self) -> None:
        """Inject an NMI into every CPU."""
        self.monitor.execute("inject-nmi")

    def registers(self) -> str:
        """Registers of all CPUs as QEMU prints them."""
        return self.monitor.human("info registers -a")

    def read_memory(self, address: int, size: int) -> bytes:
        """Guest-physical memory."""
        directory = self._directory
        assert directory is not None
        path = directory / "memory.bin"
        self.monitor.execute(
            "pmemsave", {"val": address, "size": size, "filename": str(path)}, timeout=60
        )
        try:
            return path.read_bytes()
        finally:
            path.unlink(missing_ok=True)

    def set_link(self, up: bool) -> None:
        """Plug the network cable of the first card in or out."""
        self.monitor.execute("set_link", {"name": "net0", "up": up})

    def ssh_port(self) -> int:
        """The host's port on 127.0.0.1 that leads to the guest's SSH server."""
        text = self.monitor.human("info usernet")
        found = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\b", text)
        if found is None:
            raise HarnessFailure(f"no forwarded port in:\n{text}")
        return int(found[1])

    def run_delay(self) -> float:
        """Seconds that the emulator's threads wanted a host CPU and had none.

        The largest of all threads (schedstat); 0.0 where the host does not say.
        """
        worst = 0
        for path in Path(f"/proc/{self._pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError, IndexError, ValueError):
                worst = max(worst, int(path.read_text().split()[1]))
        return worst / 1e9

