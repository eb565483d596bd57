# SPDX-License-Identifier: GPL-2.0-only
"""Runs one program so that nothing of it outlives the process that asked.

    python -I -S supervise.py [--stdin FIFO] DIRECTORY -- PROGRAM ARGUMENT...

Standard input is a pipe whose other end the asking process holds: when that
process is gone, however it went, the pipe ends, the program is killed and
DIRECTORY is removed. If the supervisor itself is killed, the kernel kills the
program (parent-death signal; its parent is this single-threaded process, not
one of many threads). The program's process id is written to standard output,
which is then closed; the program's own output goes to standard error. Its exit
code is ours (128 + signal if it was killed). What is written into FIFO is its
standard input, which never ends; without one it has none. Standard library only: it starts
in 20 ms.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import sys

PR_SET_PDEATHSIG = 1


def start(argv: list[str], stdin: str = os.devnull) -> int:
    """Fork the program; returns its process id."""
    libc = ctypes.CDLL(None, use_errno=True)
    supervisor = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(127)
    # For writing too: a FIFO opens at once, and does not end with its last writer.
    os.dup2(os.open(stdin, os.O_RDWR), 0)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(127)


def wake_on_signals() -> int:
    """A descriptor that becomes readable with each signal that has a handler.

    Python runs handlers between two instructions of its own: a signal that comes
    just before select() blocks would else wait for something else to happen.
    """
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    return woken


def watch(pid: int, woken: int) -> tuple[int, bool]:
    """Wait for the program or for the end of our standard input.

    `woken` is of `wake_on_signals()`. Returns the wait status, and whether the
    asking process went away first.
    """
    child = os.pidfd_open(pid)
    orphaned = False
    while True:
        watched = [child, woken] if orphaned else [child, woken, 0]
        ready = select.select(watched, [], [])[0]
        if woken in ready:
            os.read(woken, 64)
        if 0 in ready and not os.read(0, 1):
            orphaned = True
            os.kill(pid, signal.SIGKILL)
        if child in ready:
            return os.waitpid(pid, 0)[1], orphaned


def main(arguments: list[str]) -> int:
    """See the module's docstring."""
    stdin = os.devnull
    if arguments[:1] == ["--stdin"]:
        stdin, arguments = arguments[1], arguments[2:]
    directory, separator, *argv = arguments
    if separator != "--" or not argv:
        raise SystemExit("usage: supervise.py [--stdin FIFO] DIRECTORY -- PROGRAM ARGUMENT...")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pid = start(argv, stdin)
    woken = wake_on_signals()
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGKILL))
    os.write(1, f"{pid}\n".encode())
    os.dup2(2, 1)
    status, orphaned = watch(pid, woken)
    if orphaned:
        shutil.rmtree(directory, ignore_errors=True)
        return 1
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
