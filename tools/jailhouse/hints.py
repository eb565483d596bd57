# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: PLC0415 (a reason is only worth importing what it needs)
"""Why an operation failed, as far as files and /proc tell. Only imported after a failure."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from jailhouse import sysfs
from jailhouse.device import DeviceError

PROC = Path("/proc")
CPU_ONLINE = Path("/sys/devices/system/cpu/online")


def enable(path: str, data: bytes, error: DeviceError) -> list[str]:
    """Reasons for a failed enable: the file itself, reserved memory, CPUs, KVM."""
    from jailhouse.cellfile import CellFileError, SystemConfig
    from jailhouse.check import check

    if sysfs.enabled():
        return ["the hypervisor is already enabled"]
    try:
        system = SystemConfig.from_bytes(data, path)
    except CellFileError as problem:
        return [str(problem)]
    lines = [str(finding) for finding in check(system) if finding.is_error]
    memory = system.hypervisor_memory
    lines += reservation(memory.phys_start, memory.phys_end)
    lines += _cpu_count(system.root_cell.cpus)
    if error.errno == errno.EBUSY:
        lines += _kvm()
    return lines


def create(path: str, data: bytes, error: DeviceError) -> list[str]:
    """Reasons for a failed create: the file itself, its name, CPUs, locked cells."""
    from jailhouse.cellfile import CellConfig, CellFileError

    if not sysfs.enabled():
        return ["the hypervisor is not enabled"]
    try:
        cell = CellConfig.from_bytes(data, path)
    except CellFileError as problem:
        return [str(problem)]
    if error.errno == errno.EEXIST:
        return [f'there is a cell "{cell.label}" already']
    if error.errno == errno.EPERM:
        return management(error)
    lines = []
    root = sysfs.find(0)
    if root is not None:
        missing = sorted(set(cell.cpus) - set(root.cpu_numbers))
        if missing:
            numbers = ", ".join(map(str, missing))
            lines.append(f"CPU {numbers} does not belong to the root cell ({root.cpus})")
    if not cell.cpus:
        lines.append("the CPU set is empty")
    elif cell.architecture == 0 and 0 in cell.cpus:
        lines.append("CPU 0 can't leave the root cell on x86")
    return lines


def disable(error: DeviceError) -> list[str]:
    if not sysfs.enabled():
        return ["the hypervisor is not enabled"]
    return management(error)


def management(error: DeviceError) -> list[str]:
    """EPERM: who is locked, or that the cell itself said no."""
    if error.errno != errno.EPERM:
        return []
    locked = [cell for cell in sysfs.cells() if cell.state == "running/locked"]
    if locked:
        names = ", ".join(f'"{cell.name}"' for cell in locked)
        return [f"cell {names} is running/locked"]
    return ["a cell denied the request"]


def reservation(start: int, end: int) -> list[str]:
    """What of /proc/iomem stands against reserving [start, end) (bugs.md A39)."""
    try:
        text = (PROC / "iomem").read_text()
    except OSError:
        return []
    covered = False
    collisions = []
    for line in text.splitlines():
        if line.startswith(" "):
            continue
        extent, _, owner = line.partition(" : ")
        first, _, last = extent.partition("-")
        try:
            low, high = int(first, 16), int(last, 16) + 1
        except ValueError:
            continue
        if max(low, start) >= min(high, end):
            continue
        if owner.strip().lower() == "reserved":
            covered |= low <= start and end <= high
            if not (low <= start and end <= high):
                collisions.append(f"only partly reserved in /proc/iomem: {line.strip()}")
        else:
            collisions.append(f"collides with /proc/iomem: {line.strip()}")
    if covered and not collisions:
        return []
    size = f"{(end - start + (1 << 20) - 1) >> 20}M"
    lines = [f"hypervisor memory {start:#x}-{end - 1:#x} is not reserved"]
    lines += collisions or ["no line of /proc/iomem covers it"]
    try:
        option = next(
            word for word in (PROC / "cmdline").read_text().split() if word.startswith("memmap=")
        )
        lines.append(f"the kernel was started with {option}")
        if "$" not in option:
            lines.append('the "$" is missing there: boot loaders and shells swallow it')
    except (OSError, StopIteration):
        lines.append(f"the kernel's command line has no memmap= (such as memmap={size}${start:#x})")
    return lines


def _cpu_count(cpus: list[int]) -> list[str]:
    try:
        online = sysfs.parse_cpu_list(CPU_ONLINE.read_text())
    except (OSError, ValueError):
        return []
    if len(online) == len(cpus):
        return []
    return [f"the root cell lists {len(cpus)} CPUs, but {len(online)} are online"]


def _kvm() -> list[str]:
    """KVM switches virtualisation on at load since Linux 6.12 (decision 3)."""
    for module in ("kvm_amd", "kvm_intel"):
        if os.path.isdir(f"/sys/module/{module}"):
            return [f"{module} is loaded: unload it, or boot with kvm.enable_virt_at_load=0"]
    return []
