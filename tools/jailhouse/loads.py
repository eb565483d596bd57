# SPDX-License-Identifier: GPL-2.0-only
"""Remembers what was loaded where, for one warning (decision 24).

`cell start` warns when nothing that was loaded since the cell's creation
covers its reset address.  One small text file per cell in RUN, named after
its number and the inode of its sysfs directory (a cell made anew has another):
the reset address, then one "start end" line per image.  Best effort: without
the file there is no warning.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from jailhouse import sysfs

RUN = "/run/jailhouse"

# Offsets in a cell descriptor (abi.md 1.2).
_NAME = slice(8, 40)
_RESET = slice(84, 92)


def created(config: bytes) -> None:
    name = config[_NAME].partition(b"\0")[0][:31].decode("utf-8", "backslashreplace")
    reset = int.from_bytes(config[_RESET], "little")
    path = record_of(name)
    if path is None:
        return
    with contextlib.suppress(OSError):
        os.makedirs(RUN, exist_ok=True)
        with open(path, "w") as file:
            file.write(f"{reset:#x}\n")


def loaded(selector: int | str, images: Sequence[tuple[bytes, int]]) -> None:
    path = record_of(selector)
    if path is None or not os.path.exists(path):
        return
    with contextlib.suppress(OSError), open(path, "a") as file:
        for data, target in images:
            file.write(f"{target:#x} {target + len(data):#x}\n")


def warning(selector: int | str) -> str | None:
    """What to tell at start, None if the cell is fine or nothing is known."""
    path = record_of(selector)
    if path is None:
        return None
    try:
        with open(path) as file:
            reset = int(file.readline(), 16)
            ranges = [tuple(int(word, 16) for word in line.split()) for line in file]
    except (OSError, ValueError):
        return None
    if any(start <= reset < end for start, end in ranges):
        return None
    where = ", ".join(f"{start:#x}-{end - 1:#x}" for start, end in ranges if end > start)
    return (
        f"nothing loaded covers the cell's reset address {reset:#x} "
        f"({f'loaded: {where}' if where else 'nothing was loaded'})"
    )


def record_of(selector: int | str) -> str | None:
    """File of the cell that exists now under that number or name."""
    if isinstance(selector, str):
        selector = os.fsencode(selector)[:31].decode("utf-8", "backslashreplace")
    try:
        cell = sysfs.find(selector)
        if cell is None:
            return None
        inode = os.stat(f"{sysfs.ROOT}/cells/{cell.id}").st_ino
    except OSError:
        return None
    return f"{RUN}/cell-{cell.id}-{inode}"


def forget(record: str | None) -> None:
    if record is not None:
        with contextlib.suppress(OSError):
            os.unlink(record)


def forget_all() -> None:
    try:
        names = os.listdir(RUN)
    except OSError:
        return
    for name in names:
        if name.startswith("cell-"):
            forget(f"{RUN}/{name}")
