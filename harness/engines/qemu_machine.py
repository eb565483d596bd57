# SPDX-License-Identifier: GPL-2.0-only
"""A machine in QEMU, controlled through its monitor."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

from harness.checkpoints import DISK, STATE, CheckpointDamaged, Saved
from harness.deadlines import Deadline, scaled
from harness.emulator import Emulator
from harness.engines import Boot, Wiring
from harness.engines.qemu import render
from harness.errors import GONE, EmulatorDied, HarnessFailure
from harness.machine import Role
from harness.qmp import Monitor
from harness.streams import Drain


class QemuMachine(Emulator):
    """One QEMU process and its monitor (QMP)."""

    _monitor: Monitor | None = None

    # --- life

    def _start(self, directory: Path, saved: Saved | None) -> None:
        wiring = Wiring(directory)
        boot = Boot(
            self.image.kernel, directory / "initrd", self.image.command_line, saved is not None
        )
        self.image.write_initrd(boot.initrd)
        if self.image.device_tree is not None:
            boot = replace(boot, device_tree=directory / "board.dtb")
            (directory / "board.dtb").write_bytes(self.image.device_tree)
        # Eight MiB: copied faster than an overlay is made, and private as one.
        shutil.copyfile(saved.disk if saved else self.image.disk, wiring.disk)
        if saved is not None:
            said = saved.streams()
            for stream in self.streams.values():
                stream.feed(said.get(stream.name, b""))
        self._drain = Drain({wiring.serial(name): s for name, s in self.streams.items()})
        self._monitor = Monitor(wiring.qmp)
        self._spawn(directory, render(self.spec, self.engine, boot, wiring), self.engine.env)
        if saved is not None:
            # While the emulator starts: nothing of it is read before.
            saved.verify()
        self._monitor.accept(scaled(20))
        # Its monitor answers after its character devices were opened.
        self._drain.opened()
        if saved is not None:
            self._restore(saved)

    def _ask_to_end(self) -> None:
        with contextlib.suppress(*GONE):
            if self._monitor is not None:
                self._monitor.execute("quit", timeout=5)

    def _give_back(self) -> None:
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None

    # --- checkpoints

    def _restore(self, saved: Saved) -> None:
        try:
            self.monitor.execute("migrate-incoming", {"uri": f"file:{saved.state}"})
            self._migrated(scaled(30))
            self.monitor.execute("cont")
        except GONE as error:
            raise CheckpointDamaged(
                f"{saved.path}: the emulator does not take it: {error}\n{self._output()}"
            ) from error

    def save(self, directory: Path) -> None:
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

    # --- state

    @property
    def monitor(self) -> Monitor:
        """The monitor; one of GONE when the emulator is."""
        if self._monitor is None:
            raise EmulatorDied("the machine is not running")
        self.check_alive()
        return self._monitor

    @property
    def run_state(self) -> str:
        """QEMU's word: running, paused, shutdown, ..."""
        return str(self.monitor.execute("query-status")["status"])

    # --- control

    def pause(self) -> None:
        self.monitor.execute("stop")

    def resume(self) -> None:
        self.monitor.execute("cont")

    def reset(self) -> None:
        self.monitor.execute("system_reset")

    def nmi(self) -> None:
        self.monitor.execute("inject-nmi")

    def registers(self) -> str:
        return self.monitor.human("info registers -a")

    def interrupt_controllers(self) -> str:
        if self.spec.architecture != "x86":
            return ""
        return "\n".join(self.monitor.human(f"info lapic {n}") for n in range(self.spec.cpus))

    def serve_gdb(self) -> Path:
        assert self._directory is not None
        path = self._directory / "gdb.sock"
        if not path.exists():
            answer = self.monitor.human(f"gdbserver unix:{path},server=on,wait=off")
            if not path.exists():
                raise HarnessFailure(f"no gdb server: {answer}")
        return path

    def read_memory(self, address: int, size: int) -> bytes:
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
        self.monitor.execute("set_link", {"name": "net0", "up": up})

    def ssh_port(self) -> int:
        text = self.monitor.human("info usernet")
        found = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\b", text)
        if found is None:
            raise HarnessFailure(f"no forwarded port in:\n{text}")
        return int(found[1])
