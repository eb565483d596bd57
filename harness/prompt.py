# SPDX-License-Identifier: GPL-2.0-only
"""The prompt to a live machine: lines run in its Linux, words with a dot do the rest.

`harness shell` and `pytest --keep-on-failure` show it. A guest that died does
not end it: its memory, registers and consoles are still there.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable

from harness import gdb, panes
from harness.errors import Verdict, verdict_of
from harness.guest.linux import Linux
from harness.hang.attach import builds
from harness.hang.report import collect
from harness.machine import Role

#: Seconds that a line typed by a person may take.
PATIENCE = 600.0
PROMPT = "guest# "
HELP = """\
A line is run in the guest; its status is shown unless it is 0. Besides:
  .console        the root console in this terminal; Ctrl-] comes back
  .log [NAME]     last lines of a console; without a name: which there are
  .hang           what every CPU does, with back traces
  .gdb            gdb with the hypervisor's symbols (in a pane of tmux, or here)
  .pause .resume  stop the machine, let it go on
  .nmi            an NMI to every CPU
  .quit           end; so does Ctrl-D"""


class Quit(Exception):
    """The person has had enough."""


class Prompt:
    """Reads lines until Ctrl-D or .quit."""

    def __init__(self, linux: Linux) -> None:
        self._linux = linux
        self._words: dict[str, Callable[[str], None]] = {
            ".console": self._console,
            ".log": self._log,
            ".hang": self._hang,
            ".gdb": self._gdb,
            ".pause": lambda _: linux.machine.pause(),
            ".resume": lambda _: linux.machine.resume(),
            ".nmi": lambda _: linux.machine.nmi(),
            ".help": lambda _: print(HELP),
            ".quit": self._quit,
        }

    def run(self) -> None:
        """Returns when the person wants to leave."""
        if sys.stdin.isatty():
            import readline  # noqa: F401, PLC0415 (input() becomes editable)
        while True:
            try:
                line = input(PROMPT if sys.stdin.isatty() else "").strip()
                if line:
                    self.do(line)
            except (EOFError, Quit):
                return
            except KeyboardInterrupt:
                print()
            except Verdict as error:
                print(f"{verdict_of(error)} failure: {error}")

    def do(self, line: str) -> None:
        """Carry out one line."""
        word, _, rest = line.partition(" ")
        if not word.startswith("."):
            self._guest(line)
        elif word in self._words:
            self._words[word](rest.strip())
        else:
            print(f"{word} is not known; .help lists what is")

    def _guest(self, line: str) -> None:
        result = self._linux.run(line, PATIENCE)
        if result.output:
            print(result.output, end="" if result.output.endswith("\n") else "\n", flush=True)
        if not result.ok:
            print(f"[status {result.status}]", flush=True)

    # --- words

    def _console(self, _: str) -> None:
        from harness.terminal import converse  # noqa: PLC0415 (needs a terminal)

        print("root console; Ctrl-] comes back", flush=True)
        converse(self._linux.root_console)

    def _log(self, name: str) -> None:
        streams = self._linux.machine.streams
        if name in streams:
            print(streams[name].tail(40))
        else:
            print("consoles: " + ", ".join(n for n in streams if n != Role.COMMAND_CHANNEL))

    def _hang(self, _: str) -> None:
        linux = self._linux
        asked = Verdict("asked for at the prompt")
        print(collect(linux.machine, linux.release, builds(linux), asked).summary())

    def _gdb(self, _: str) -> None:
        words = gdb.command(self._linux.machine, builds(self._linux))
        print(shlex.join(words))
        if not panes.run_beside("gdb", words):
            subprocess.run(words, check=False)

    def _quit(self, _: str) -> None:
        raise Quit
