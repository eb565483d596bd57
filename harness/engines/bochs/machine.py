# SPDX-License-Identifier: GPL-2.0-only
"""A machine in Bochs, controlled through its debugger."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from harness.checkpoints import Saved
from harness.deadlines import Deadline, scaled
from harness.emulator import Emulator
from harness.engines.bochs import Boot, Memory, render, rom
from harness.engines.bochs.debugger import Debugger, before, dumped, is_hlt, like_qemu
from harness.errors import EmulatorDied, Unsupported
from harness.streams import Drain, connected

_T = TypeVar("_T")
#: Bytes of memory that one question to the debugger asks for.
_PIECE = 4096


class BochsMachine(Emulator):
    """One Bochs process and its debugger."""

    _debugger: Debugger | None = None

    # --- life

    def _start(self, directory: Path, saved: Saved | None) -> None:
        if saved is not None:
            raise self._cannot("go on from a checkpoint")
        commands = directory / "commands"
        os.mkfifo(commands, 0o600)
        (directory / "go").write_text("c\n")
        boot = self._boot(directory)
        listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in self.streams}
        try:
            ports = {name: listener.getsockname()[1] for name, listener in listeners.items()}
            bochsrc = directory / "bochsrc"
            bochsrc.write_text(render(self.spec, self.engine, boot, ports))
            shutil.copy(bochsrc, self.results / "bochsrc")
            self._spawn(
                directory,
                [*self.engine.argv, "-q", "-f", str(bochsrc), "-rc", str(directory / "go")],
                self.engine.env,
                commands,
            )
            self._connect(listeners)
        finally:
            for listener in listeners.values():
                listener.close()
        output = self.results / "emulator.log"
        self._debugger = Debugger(self.pid, commands, output, self.check_alive)

    def _boot(self, directory: Path) -> Boot:
        if not rom.is_elf(self.image.kernel):
            raise Unsupported("only ELF kernels start without a loader: no random addresses")
        kernel = rom.lay_out(self.image.kernel)
        initrd = directory / "initrd"
        self.image.write_initrd(initrd)
        code = directory / "boot.rom"
        code.write_bytes(
            rom.make_rom(
                rom.boot_code(), kernel.entry, initrd.stat().st_size, self.image.command_line
            )
        )
        return Boot(code, Memory(kernel.image, kernel.address), initrd)

    def _connect(self, listeners: dict[str, socket.socket]) -> None:
        """Bochs connects all of its ports before it runs anything."""
        deadline = Deadline.after(scaled(20))
        ports = []
        try:
            for name, listener in listeners.items():
                ports.append(connected(self.streams[name], self._accept(listener, deadline)))
        finally:
            self._drain = Drain({}, ports)

    def _accept(self, listener: socket.socket, deadline: Deadline) -> socket.socket:
        listener.settimeout(0.2)
        while True:
            try:
                return listener.accept()[0]
            except TimeoutError:
                self.check_alive()
                if deadline.expired:
                    raise EmulatorDied(
                        f"Bochs did not open its serial ports in {deadline.seconds:.0f} s"
                    ) from None

    def _ask_to_end(self) -> None:
        # It has nothing to save, and its debugger may be in any state.
        self.kill()

    def _give_back(self) -> None:
        if self._debugger is not None:
            self._debugger.close()
            self._debugger = None

    # --- state

    @property
    def debugger(self) -> Debugger:
        """The debugger; EmulatorDied when the emulator is gone."""
        if self._debugger is None:
            raise EmulatorDied("the machine is not running")
        self.check_alive()
        return self._debugger

    @property
    def run_state(self) -> str:
        return "paused" if self.debugger.paused else "running"

    # --- control

    def pause(self) -> None:
        self.debugger.pause()

    def resume(self) -> None:
        self.debugger.resume()

    def registers(self) -> str:
        return self._stopped(self._registers)

    def _registers(self) -> str:
        debugger = self.debugger
        blocks = []
        for number in range(self.spec.cpus):
            debugger.ask(f"set $cpu={number}")
            answers = [debugger.ask(what) for what in ("r", "creg", "sreg")]
            halted = is_hlt(debugger.ask(before(answers[0])))
            blocks.append(like_qemu(number, answers, halted))
        return "\n".join(blocks)

    def read_memory(self, address: int, size: int) -> bytes:
        def read() -> bytes:
            data = bytearray()
            while len(data) < size:
                count = min(_PIECE, size - len(data))
                text = self.debugger.ask(f"xp /{count}bx {address + len(data):#x}")
                data += dumped(text, count)
            return bytes(data)

        return self._stopped(read)

    def _stopped(self, look: Callable[[], _T]) -> _T:
        """Look at the machine while it stands still; it goes on if it ran before."""
        debugger = self.debugger
        ran = not debugger.paused
        debugger.pause()
        try:
            return look()
        finally:
            if ran:
                debugger.resume()
