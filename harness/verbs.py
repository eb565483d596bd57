# SPDX-License-Identifier: GPL-2.0-only
"""Jailhouse on a guest, in verbs.

They run inside the resident agent with the `jailhouse` package's own ioctls, so
an operation costs milliseconds. The `jailhouse` command line has tests of its
own. A refused operation raises `JailhouseError`, an OSError-like failure whose
`errno` tests compare.
"""

from __future__ import annotations

import errno as errno_names
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import ProductFailure
from harness.guest.framed import AgentRefused
from harness.guest.linux import Linux
from harness.machine import Role
from harness.streams import Stream

CONFIGS = PurePosixPath("/usr/share/jailhouse/configs")
INMATES = PurePosixPath("/usr/share/jailhouse/inmates")
SYSFS = PurePosixPath("/sys/devices/jailhouse")
#: Says "live" while the driver is loaded.
_MODULE = "/sys/module/jailhouse/initstate"

#: Selects a cell: its number or its name.
Selector = int | str


class JailhouseError(ProductFailure):
    """The driver or hypervisor refused an operation."""

    def __init__(self, operation: str, errno: int, text: str) -> None:
        super().__init__(f"{operation}: {text}")
        self.operation = operation
        self.errno = errno

    @property
    def name(self) -> str:
        """The errno's symbol, e.g. "EPERM"."""
        return errno_names.errorcode.get(self.errno, str(self.errno))


@dataclass(frozen=True)
class CellInfo:
    """One row of `cell list`. CPU lists are in the kernel's format."""

    id: int
    name: str
    state: str
    cpus: str
    cpus_failed: str


@dataclass(frozen=True)
class Pools:
    """Pages of the hypervisor's two pools."""

    mem_size: int
    mem_used: int
    remap_size: int
    remap_used: int


class Jailhouse:
    """The verbs. Configurations and inmates are named without path and suffix;
    a value with a slash is a path in the guest."""

    def __init__(self, linux: Linux) -> None:
        self.linux = linux

    # --- module

    def load_module(self) -> None:
        """Load the driver if it is not loaded."""
        if not self.module_loaded:
            self.linux.succeed(["insmod", self.module])

    @property
    def module(self) -> str:
        """Path of the driver in the guest."""
        return f"/lib/modules/{self.linux.release}/updates/jailhouse.ko"

    @property
    def module_loaded(self) -> bool:
        return self._texts([_MODULE]).get(_MODULE) == "live"

    def unload_module(self) -> None:
        self.linux.succeed("rmmod jailhouse")

    # --- system

    def enable(self, config: str, timeout: float = 30.0) -> None:
        self._do("enable", timeout, config=_config(config))

    def disable(self, timeout: float = 30.0) -> None:
        self._do("disable", timeout)

    @property
    def enabled(self) -> bool:
        return self._attributes("enabled").get("enabled") == "1"

    # --- cells

    def create(self, config: str, timeout: float = 20.0) -> None:
        self._do("create", timeout, config=_config(config))

    def load(
        self,
        cell: Selector,
        *images: str | tuple[str, int],
        timeout: float = 20.0,
    ) -> None:
        """Load inmates: names, or pairs of a name (or "string:TEXT") and an address."""
        pairs = [(image, 0) if isinstance(image, str) else image for image in images]
        self._do(
            "load", timeout, cell=cell, images=[[_inmate(name), at] for name, at in pairs]
        )  # fmt: skip

    def start(self, cell: Selector, timeout: float = 20.0) -> None:
        self._do("start", timeout, cell=cell)

    def shutdown(self, cell: Selector, timeout: float = 20.0) -> None:
        self._do("shutdown", timeout, cell=cell)

    def shut_down(self, cell: Selector, timeout: float = 20.0) -> None:
        """Shut it down; a cell that refuses the first time is asked again."""
        try:
            self.shutdown(cell, timeout)
        except JailhouseError as error:
            if error.errno != errno_names.EPERM:
                raise
            self.shutdown(cell, timeout)

    def destroy(self, cell: Selector, timeout: float = 20.0) -> None:
        self._do("destroy", timeout, cell=cell)

    def destroy_all(self, attempts: int = 3) -> None:
        """Destroy every cell but the root cell; locked ones are asked again."""
        for attempt in range(attempts):
            refused: JailhouseError | None = None
            for cell in self.cells():
                if cell.id == 0:
                    continue
                try:
                    self.destroy(cell.id)
                except JailhouseError as error:
                    refused = error
            if refused is None:
                return
            if attempt == attempts - 1:
                raise refused

    # --- looking

    def sysfs(self, below: str = "", deep: bool = True) -> dict[str, str]:
        """Every text file below /sys/devices/jailhouse/`below`, by its whole relative path.

        Not `deep`: without the counters, which are most of the files.
        """
        files = self.linux.ask("sysfs", below=below, deep=deep)["files"]
        assert isinstance(files, dict)
        return files

    def cells(self) -> list[CellInfo]:
        """All cells by number, the root cell included."""
        files = self.sysfs("cells", deep=False)
        numbers = {path.split("/")[1] for path in files if path.startswith("cells/")}
        return [
            CellInfo(
                int(number),
                files.get(f"cells/{number}/name", ""),
                files.get(f"cells/{number}/state", ""),
                files.get(f"cells/{number}/cpus_assigned_list", ""),
                files.get(f"cells/{number}/cpus_failed_list", ""),
            )
            for number in sorted(numbers, key=int)
        ]

    def cell(self, selector: Selector) -> CellInfo:
        """One cell; ProductFailure if there is none."""
        for cell in self.cells():
            if selector in (cell.id, cell.name):
                return cell
        raise ProductFailure(f"no cell {selector!r} in sysfs")

    def state(self, selector: Selector) -> str:
        return self.cell(selector).state

    def stats(self, selector: Selector, cpu: int | None = None) -> dict[str, int]:
        """Exit counters of a cell (or of one of its CPUs), without "vmexits_"."""
        number = self.cell(selector).id
        prefix = f"cells/{number}/statistics/" + ("" if cpu is None else f"cpu{cpu}/")
        return {
            path.removeprefix(prefix).removeprefix("vmexits_"): int(text)
            for path, text in self.sysfs(f"cells/{number}").items()
            if path.startswith(prefix) and "/" not in path.removeprefix(prefix)
        }

    def pools(self) -> Pools:
        names = ("mem_pool_size", "mem_pool_used", "remap_pool_size", "remap_pool_used")
        found = self._attributes(*names)
        return Pools(*(int(found[name]) for name in names))

    def console(self) -> str:
        """The tail of the hypervisor's log, from its page."""
        return self.linux.ask_data("console").decode(errors="replace")

    @property
    def uart(self) -> Stream:
        """The serial port of hypervisor and inmates."""
        return self.linux.machine.stream(Role.HYPERVISOR_CONSOLE)

    # --- inside

    def _attributes(self, *names: str) -> dict[str, str]:
        """Some files of SYSFS only: each byte of an answer costs the guest an interrupt."""
        found = self._texts([f"{SYSFS}/{name}" for name in names])
        return {path.removeprefix(f"{SYSFS}/"): text for path, text in found.items()}

    def _texts(self, paths: list[str]) -> dict[str, str]:
        files = self.linux.ask("texts", paths=paths)["files"]
        assert isinstance(files, dict)
        return files

    def _do(self, operation: str, timeout: float, **args: object) -> None:
        step = " ".join([operation, *(f"{key}={value}" for key, value in args.items())])
        try:
            self.linux.ask(operation, timeout, **args)
        except AgentRefused as error:
            self.linux.on_step(f"{step} -> {error.text}")
            if error.errno is None:
                raise
            raise JailhouseError(operation, error.errno, error.text) from error
        self.linux.on_step(step)


def _config(name: str) -> str:
    return name if "/" in name else str(CONFIGS / f"{name}.cell")


def _inmate(name: str) -> str:
    if "/" in name or name.startswith("string:"):
        return name
    return str(INMATES / f"{name}.bin")


def guest_names(paths: Sequence[Path]) -> list[str]:
    """Names by which files of the build are known in the guest."""
    return [path.stem for path in paths]
