# SPDX-License-Identifier: GPL-2.0-only
"""What the driver tells in /sys/devices/jailhouse (abi.md 5.4).

On the hot path of `jailhouse cell list`: imports nothing but builtin modules.
Tests and other roots set ``ROOT``.
"""

from __future__ import annotations

import errno
import posix

ROOT = "/sys/devices/jailhouse"

STATES = ("running", "running/locked", "shut down", "failed", "Comm ABI mismatch")
POOLS = ("mem_pool_size", "mem_pool_used", "remap_pool_size", "remap_pool_used")


class Cell:
    """One cell as the driver shows it. CPU lists are in kernel list format ("0-2,4")."""

    __slots__ = ("cpus", "cpus_failed", "id", "name", "state")

    def __init__(self, id: int, name: str, state: str, cpus: str, cpus_failed: str) -> None:
        self.id = id
        self.name = name
        self.state = state
        self.cpus = cpus
        self.cpus_failed = cpus_failed

    def __repr__(self) -> str:
        return (
            f"Cell(id={self.id}, name={self.name!r}, state={self.state!r}, "
            f"cpus={self.cpus!r}, cpus_failed={self.cpus_failed!r})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cell):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    @property
    def cpu_numbers(self) -> list[int]:
        return parse_cpu_list(self.cpus)

    @property
    def failed_cpu_numbers(self) -> list[int]:
        return parse_cpu_list(self.cpus_failed)


class Pools:
    """Usage of the hypervisor's page pools, in pages. All zero while disabled."""

    __slots__ = POOLS

    mem_pool_size: int
    mem_pool_used: int
    remap_pool_size: int
    remap_pool_used: int

    def __init__(
        self, mem_pool_size: int, mem_pool_used: int, remap_pool_size: int, remap_pool_used: int
    ) -> None:
        self.mem_pool_size = mem_pool_size
        self.mem_pool_used = mem_pool_used
        self.remap_pool_size = remap_pool_size
        self.remap_pool_used = remap_pool_used

    def __repr__(self) -> str:
        return (
            f"Pools(mem {self.mem_pool_used}/{self.mem_pool_size}, "
            f"remap {self.remap_pool_used}/{self.remap_pool_size})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pools):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in POOLS)

    __hash__ = None  # type: ignore[assignment]


def parse_cpu_list(text: str) -> list[int]:
    """Kernel list format to numbers: "0-2,5" is [0, 1, 2, 5]; "" is []."""
    cpus: list[int] = []
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            cpus.extend(range(int(first), int(last or first) + 1))
    return cpus


def read_text(path: str) -> str:
    """Content of one attribute below ROOT without its newline; OSError as the kernel says."""
    full = f"{ROOT}/{path}"
    try:
        fd = posix.open(full, posix.O_RDONLY)
    except OSError as error:
        raise OSError(error.errno, error.strerror, full) from None
    try:
        data = posix.read(fd, 65536)
    finally:
        posix.close(fd)
    return data.decode("utf-8", "backslashreplace").rstrip("\n")


def loaded() -> bool:
    """Whether the driver is loaded."""
    try:
        posix.stat(ROOT)
    except OSError:
        return False
    return True


def enabled() -> bool:
    """Whether the hypervisor runs; False without the driver."""
    try:
        return read_text("enabled") == "1"
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return False
        raise


def pools() -> Pools:
    return Pools(*(int(read_text(name)) for name in POOLS))


def console() -> str:
    """Tail of the hypervisor log (at most 2048 bytes), empty when disabled."""
    return read_text("console")


def cell_ids() -> list[int]:
    """Numbers of all cells in ascending order; none without the driver."""
    try:
        names = posix.listdir(f"{ROOT}/cells")
    except OSError as error:
        if error.errno == errno.ENOENT:
            return []
        raise
    return sorted(int(name) for name in names if name.isdecimal())


def cell(cell_id: int) -> Cell:
    base = f"cells/{cell_id}/"
    return Cell(
        cell_id,
        read_text(base + "name"),
        read_text(base + "state"),
        read_text(base + "cpus_assigned_list"),
        read_text(base + "cpus_failed_list"),
    )


def cells() -> list[Cell]:
    """All cells sorted by number (decision 26); cells that vanish meanwhile are left out."""
    found = []
    for cell_id in cell_ids():
        try:
            found.append(cell(cell_id))
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENODEV):
                raise
    return found


def find(selector: int | str) -> Cell | None:
    """The cell of that number or name, None if there is none."""
    for candidate in cells():
        if selector in (candidate.id, candidate.name):
            return candidate
    return None


def statistics(cell_id: int, cpu: int | None = None) -> dict[str, int]:
    """Exit counters (``vmexits_*``) of a cell, or of one of its CPUs, in the driver's order."""
    base = f"cells/{cell_id}/statistics"
    if cpu is not None:
        base += f"/cpu{cpu}"
    names = [name for name in posix.listdir(f"{ROOT}/{base}") if name.startswith("vmexits_")]
    names.sort(key=lambda name: (name != "vmexits_total", name))
    return {name: int(read_text(f"{base}/{name}")) for name in names}


def statistics_cpus(cell_id: int) -> list[int]:
    """CPUs that have counters of their own in that cell."""
    names = posix.listdir(f"{ROOT}/cells/{cell_id}/statistics")
    return sorted(int(name[3:]) for name in names if name[:3] == "cpu" and name[3:].isdecimal())
