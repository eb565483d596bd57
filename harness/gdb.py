# SPDX-License-Identifier: GPL-2.0-only
"""gdb on a live machine, with the hypervisor's symbols at the address where it runs.

The hypervisor's image is linked for that very address, so its ELF file needs no
relocation. Breakpoints in it stop whichever CPU gets there; the guests' memory
is the emulator's idea of it, which does not know nested paging.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.emulator import Emulator
from harness.results import REPOSITORY


def symbols(builds: Sequence[Path]) -> Path | None:
    """The hypervisor's ELF file in the first build tree that has one."""
    for tree in builds:
        for path in sorted(tree.glob("hypervisor/jailhouse*.elf")):
            return path
    return None


def command(
    machine: Emulator, builds: Sequence[Path], *lines: str, batch: bool = False
) -> list[str]:
    """The gdb that is connected to a machine, which stops as soon as it runs.

    `lines` are commands for after that. Nothing is loaded automatically: build
    trees may be somebody else's.
    """
    elf = symbols(builds)
    first = [
        f"directory {REPOSITORY}:{REPOSITORY / 'hypervisor'}",
        f"target remote {machine.serve_gdb()}",
    ]
    words = ["gdb", "-q", "-nx", "-iex", "set auto-load off", *(["-batch"] if batch else [])]
    for line in (*first, *lines):
        words += ["-ex", line]
    return [*words, *([str(elf)] if elf is not None else [])]
