# SPDX-License-Identifier: GPL-2.0-only
"""From an engine to the class that runs its machines."""

from __future__ import annotations

from pathlib import Path

from harness.emulator import BootImage, Emulator
from harness.engines import Engine
from harness.engines.bochs.machine import BochsMachine
from harness.engines.qemu_machine import QemuMachine
from harness.machine import MachineSpec


def new_machine(spec: MachineSpec, engine: Engine, image: BootImage, results: Path) -> Emulator:
    """A machine of that engine, not started yet."""
    kind = BochsMachine if engine.emulator == "bochs" else QemuMachine
    return kind(spec, engine, image, results)
