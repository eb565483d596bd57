# SPDX-License-Identifier: GPL-2.0-only
"""Puts a hang report beside what it explains, once for each expired wait."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness import artifacts
from harness.errors import (
    BootFailure,
    DeadlineExpired,
    EmulatorDied,
    EmulatorErratum,
    GuestSick,
    HostStarved,
    MachineReset,
    NetworkLost,
    RootCellDead,
)
from harness.guest.linux import Linux
from harness.hang.report import Report, collect

#: Errors that mean: something was waited for in vain, or the machine is not well.
EXPLAINED = (
    DeadlineExpired, RootCellDead, NetworkLost, GuestSick, BootFailure, EmulatorDied,
    EmulatorErratum, HostStarved, MachineReset,
)  # fmt: skip
TEXT, DATA = "hang.txt", "hang.json"
_NOTE = "hang report: "


def builds(linux: Linux) -> list[Path]:
    """Build trees that what runs in a machine may have come from."""
    root = artifacts.build_root(linux.machine.spec.architecture)
    return [*linux.builds, root, *sorted(path for path in root.glob("variants/*"))]


def explain(linux: Linux, error: BaseException, folders: Iterable[Path]) -> Report | None:
    """Write the report on a machine into `folders` and name its state in the error.

    Once for an error: the second call returns None, as does one for an error that
    is no affair of the machine.
    """
    if not isinstance(error, EXPLAINED) or explained(error):
        return None
    report = collect(linux.machine, linux.release, builds(linux), error)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TEXT).write_text(report.text())
        (folder / DATA).write_text(report.json())
    error.add_note(f"{_NOTE}{report.state}")
    return report


def explained(error: BaseException) -> bool:
    """Whether an error has got its report."""
    return any(note.startswith(_NOTE) for note in getattr(error, "__notes__", ()))
