# SPDX-License-Identifier: GPL-2.0-only
"""A sysfs tree made of plain files, and a driver that only remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jailhouse import commands, device


class Tree:
    """/sys/devices/jailhouse with the root cell and what a test adds."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("enabled", "1")
        self.write("console", "Activating hypervisor")
        self.write("mem_pool_size", "1500")
        self.write("mem_pool_used", "190")
        self.write("remap_pool_size", "131072")
        self.write("remap_pool_used", "5")
        self.cell(0, "root", "running", "0-3")

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(f"{text}\n")

    def cell(self, number: int, name: str, state: str, cpus: str = "2", failed: str = "") -> None:
        for attribute, text in (
            ("name", name),
            ("state", state),
            ("cpus_assigned_list", cpus),
            ("cpus_failed_list", failed),
        ):
            self.write(f"cells/{number}/{attribute}", text)
        self.counters(number, None, vmexits_total=0)

    def counters(self, number: int, cpu: int | None, **values: int) -> None:
        folder = f"cells/{number}/statistics" + ("" if cpu is None else f"/cpu{cpu}")
        for name, value in values.items():
            self.write(f"{folder}/{name}", str(value))


@dataclass
class Driver:
    """Takes the place of the functions of jailhouse.device."""

    calls: list[tuple[object, ...]] = field(default_factory=list)
    error: int = 0
    #: The only operation that fails; empty: all of them.
    failing: str = ""
    kernel_log: Path = Path("/nowhere")

    def install(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.kernel_log = folder / "kmsg"
        self.kernel_log.write_text("6,1,1,-;an old line about jailhouse\n")
        monkeypatch.setattr(commands.KernelLog, "PATH", str(self.kernel_log))
        for name in ("enable", "disable", "create", "load", "start", "destroy"):
            monkeypatch.setattr(device, name, self.recorder(name))

    def recorder(self, name: str) -> object:
        names = {"enable": "ENABLE", "disable": "DISABLE"}

        def record(*arguments: object) -> None:
            self.calls.append((name, *arguments))
            if self.error and self.failing in ("", name):
                operation = names.get(name, f"CELL_{name.upper()}")
                raise device.DeviceError(self.error, f"JAILHOUSE_{operation}")

        return record
