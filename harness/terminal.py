# SPDX-License-Identifier: GPL-2.0-only
"""Connects a stream to the terminal we run in."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty

from harness.streams import Stream

#: Ctrl-], as in telnet.
ESCAPE = b"\x1d"


def converse(stream: Stream) -> None:
    """Pass bytes both ways until Ctrl-], the end of input, or of the stream."""
    handle = sys.stdin.fileno()
    terminal = os.isatty(handle)
    saved = termios.tcgetattr(handle) if terminal else None
    listener = _write_out
    stream.listen(listener)
    try:
        if terminal:
            tty.setraw(handle)
        stream.send(b"\n")
        while not stream.closed:
            if not select.select([handle], [], [], 0.2)[0]:
                continue
            data = os.read(handle, 1024)
            if not data or ESCAPE in data:
                return
            stream.send(data)
    finally:
        stream.unlisten(listener)
        if saved is not None:
            termios.tcsetattr(handle, termios.TCSADRAIN, saved)
        print()


def _write_out(chunk: bytes) -> None:
    os.write(sys.stdout.fileno(), chunk)
