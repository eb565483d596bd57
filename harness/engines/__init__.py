# SPDX-License-Identifier: GPL-2.0-only
"""What executes a machine: an emulator with its version, accelerator and clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Accelerator(StrEnum):
    """Who executes guest instructions."""

    TCG = "tcg"
    KVM = "kvm"
    #: Bochs, which interprets one instruction after the other.
    BOCHS = "bochs"


class Clock(StrEnum):
    """What guest time is: the host's clock, or counted instructions."""

    WALL = "wall"
    ICOUNT = "icount"


@dataclass(frozen=True)
class Engine:
    """One emulator, ready to run. `argv` starts it (loader and data paths included)."""

    argv: tuple[str, ...]
    version: tuple[int, int, int]
    accelerator: Accelerator = Accelerator.TCG
    clock: Clock = Clock.WALL
    #: Environment variables it needs on top of ours.
    env: Mapping[str, str] = field(default_factory=dict)
    #: What the hypervisor under test runs on there.
    extension: str = "svm"
    #: QEMU's plugin that lets spinning CPUs give their host core away (see `yielding`).
    plugin: Path | None = None

    @property
    def emulator(self) -> str:
        """The program's name."""
        return "bochs" if self.accelerator is Accelerator.BOCHS else "qemu"

    @property
    def capabilities(self) -> frozenset[str]:
        """Features tests may ask for, by name."""
        found = {self.extension}
        if self.emulator == "qemu":
            # nmi, reset: from outside; monitor: QEMU's own questions and commands;
            # random-addresses: of the kernel, which its own decompressor chooses.
            found |= {"msi", "mmconfig", "nmi", "reset", "monitor", "checkpoints"}
            # triple-fault: ends the emulator, which says so.
            found |= {"random-addresses", "triple-fault", "gdb"}
        if self.accelerator is Accelerator.TCG:
            # It can count, whether this one does or not: see `Target.counted`.
            found.add("counted-time")
        return frozenset(found)

    @property
    def title(self) -> str:
        version = ".".join(map(str, self.version))
        return f"{self.emulator} {version} {self.accelerator.value}/{self.clock.value}"


@dataclass(frozen=True)
class Boot:
    """What is started: kernel, initrd and the complete command line."""

    kernel: Path
    initrd: Path
    command_line: str
    #: Wait for a saved state instead of booting.
    restore: bool = False
    #: A board's device tree; None: the emulator makes one, or none is needed.
    device_tree: Path | None = None


@dataclass(frozen=True)
class Wiring:
    """Where a running machine is connected to its host; all paths are private.

    Everything exists before the emulator starts, so that no byte is lost and no
    port is shared.
    """

    directory: Path
    #: Nobody talks to the machine while it runs: no monitor, its ports write to files,
    #: so that nothing in it depends on how fast the host is. Adds the debug port.
    unattended: bool = False

    @property
    def disk(self) -> Path:
        """The machine's own copy of its disk."""
        return self.directory / "disk.img"

    def serial(self, name: str) -> Path:
        """Base name of a port's pair of FIFOs (see `streams.Drain`), or of its file."""
        return self.directory / (f"{name}.log" if self.unattended else name)

    @property
    def debug_port(self) -> Path:
        """What programs in an unattended machine write to port 0xe9, or by semihosting."""
        return self.directory / "records.log"

    @property
    def qmp(self) -> Path:
        return self.directory / "qmp.sock"
