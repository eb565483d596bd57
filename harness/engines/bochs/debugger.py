# SPDX-License-Identifier: GPL-2.0-only
"""Bochs's internal debugger, driven through its standard input and output.

It runs the machine until SIGINT, then asks for commands with a prompt:
"<bochs:12> ". What it prints goes to a file, where answers are read.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from harness.deadlines import Deadline, scaled
from harness.errors import EmulatorDied

_PROMPT = re.compile(rb"<bochs:\d+> $")
#: Names of registers as QEMU prints them.
_NAMES = {"eflags": "RFL"}


class Debugger:
    """Talks to a running Bochs. Not for several threads at once."""

    def __init__(
        self, pid: int, commands: Path, output: Path, check_alive: Callable[[], None]
    ) -> None:
        self._pid = pid
        self._commands = os.open(commands, os.O_RDWR | os.O_CLOEXEC)
        self._output = output
        self._check_alive = check_alive
        self.paused = False

    def close(self) -> None:
        """Safe to call twice."""
        if self._commands >= 0:
            os.close(self._commands)
            self._commands = -1

    def pause(self) -> None:
        """Stop the machine; nothing if it is stopped."""
        if not self.paused:
            self._answer(self._end(), "SIGINT", lambda: os.kill(self._pid, signal.SIGINT))
            self.paused = True

    def resume(self) -> None:
        """Let the machine run; nothing if it runs."""
        if self.paused:
            self.paused = False
            self._send("c")

    def ask(self, command: str) -> str:
        """What a command prints; the machine must be stopped."""
        assert self.paused, f"{command}: the machine runs"
        start = self._end()
        self._send(command)
        return self._answer(start, command)

    def _send(self, command: str) -> None:
        os.write(self._commands, f"{command}\n".encode())

    def _end(self) -> int:
        return self._output.stat().st_size

    def _answer(self, start: int, command: str, again: Callable[[], None] | None = None) -> str:
        """Wait for the next prompt; what came before it from offset `start` on.

        `again` is done at once and then every half second: Bochs forgets a SIGINT
        that comes before it has taken the last command.
        """
        deadline = Deadline.after(scaled(10))
        pause = Deadline.after(0)
        while True:
            if again is not None and pause.expired:
                again()
                pause = Deadline.after(0.5)
            with self._output.open("rb") as file:
                file.seek(start)
                text = file.read()
            if _PROMPT.search(text):
                return _PROMPT.sub(b"", text).decode(errors="replace")
            if deadline.expired:
                self._check_alive()
                raise EmulatorDied(f"Bochs's debugger did not answer {command!r}: {text[-300:]!r}")
            time.sleep(0.01)


def like_qemu(number: int, answers: Iterable[str], halted: bool = False) -> str:
    """Answers to r, creg and sreg in the words of QEMU's "info registers".

    So whatever reads registers knows one format. What a segment's cached base is
    Bochs prints only in two halves of a descriptor; whether a CPU is halted, not at
    all (see `before`).
    """
    text = "\n".join(answers)
    found: dict[str, int] = {}
    for name, high, low in re.findall(r"^(r\w+) ?: ([0-9a-f]{8})_([0-9a-f]{8})$", text, re.M):
        found[name.upper()] = int(high + low, 16)
    for name, value in re.findall(r"^(eflags|CR\d|EFER)[ =:]+(?:page fault laddr=)?0x([0-9a-f]+)",
                                  text, re.M):  # fmt: skip
        found[_NAMES.get(name, name)] = int(value, 16)
    words = [f"{name}={value:016x}" for name, value in found.items()]
    lines = [f"CPU#{number}", *(" ".join(words[at : at + 4]) for at in range(0, len(words), 4))]
    for name, selector, high, low in re.findall(
        r"^([c-gs]s):0x([0-9a-f]+), dh=0x([0-9a-f]+), dl=0x([0-9a-f]+)", text, re.M
    ):
        upper, lower = int(high, 16), int(low, 16)
        base = (upper & 0xFF000000) | (upper & 0xFF) << 16 | lower >> 16
        lines.append(f"{name.upper()} ={int(selector, 16):04x} {base:016x}")
        if name == "cs":
            lines.append(f"CPL={int(selector, 16) & 3} HLT={int(halted)}")
    for name, base, limit in re.findall(r"^([gi]dt)r:base=0x([0-9a-f]+), limit=0x([0-9a-f]+)",
                                        text, re.M):  # fmt: skip
        lines.append(f"{name.upper()}=     {int(base, 16):016x} {int(limit, 16):08x}")
    return "\n".join(lines) + "\n"


def before(registers: str) -> str:
    """Asks for the byte before RIP, of the answer to r: a halted CPU stands behind its HLT.

    One that has just woken up does, too, for a moment: look more than once.
    """
    found = re.search(r"^rip: ([0-9a-f]{8})_([0-9a-f]{8})$", registers, re.M)
    address = int(found[1] + found[2], 16) if found else 0
    return f"x /1bx {max(address - 1, 0):#x}"


def is_hlt(answer: str) -> bool:
    """Whether that byte is HLT; not if there is no memory to look at."""
    return re.search(r">:\s+0xf4\s*$", answer) is not None


def dumped(text: str, size: int) -> bytes:
    """The bytes in what "xp /…bx" printed; EmulatorDied if they are not all there."""
    data = bytearray()
    for line in text.splitlines():
        if line.startswith("0x"):
            data += bytes(int(word, 16) for word in line.partition(">:")[2].split())
    if len(data) < size:
        raise EmulatorDied(f"{len(data)} of {size} bytes of memory from Bochs: {text[:200]!r}")
    return bytes(data[:size])
