# SPDX-License-Identifier: GPL-2.0-only
"""Programs that end with this process, however it ends: `supervise.py` runs each."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import supervise
from harness.errors import HarnessFailure


@dataclass(frozen=True)
class Supervised:
    """A program and its supervisor, whose exit code is the program's."""

    process: subprocess.Popen[bytes]
    #: Process id of the program itself.
    pid: int

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL to the program, by its process id."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def end(self, patience: float = 0) -> None:
        """Wait `patience` seconds for its own end, then kill it. Safe to call twice."""
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def spawn(
    argv: Sequence[str],
    directory: Path,
    log: Path,
    env: Mapping[str, str] | None = None,
    stdin: Path | None = None,
) -> Supervised:
    """Start `argv` in `directory`, which is removed when the program or we end.

    Its output is appended to `log`; `env` is added to ours; `stdin` is a FIFO, kept open.
    HarnessFailure, with what it said, if the supervisor does not start.
    """
    options = [] if stdin is None else ["--stdin", str(stdin)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                sys.executable, "-I", "-S", supervise.__file__, *options, str(directory),
                "--", *argv,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env={**os.environ, **(env or {})},
            cwd=directory,
            start_new_session=True,
        )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(10)
        said = log.read_text(errors="replace")[-4000:]
        raise HarnessFailure(f"the supervisor did not start:\n{said}")
    return Supervised(process, int(line))
