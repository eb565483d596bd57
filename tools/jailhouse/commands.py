# SPDX-License-Identifier: GPL-2.0-only
# ruff: noqa: PLC0415 (explanations are imported after a failure)
"""The commands that change something: an ioctl, and on failure the reason as far as it shows.

Success prints nothing (abi.md 6); failure prints "<IOCTL NAME>: <strerror>"
first, then what the kernel log and the files involved tell about it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable

from jailhouse import device, loads, sysfs


def read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"opening {path}") from None


def _attempt(action: Callable[[], None], hints: Callable[[device.DeviceError], list[str]]) -> int:
    """Run an ioctl; on failure print the contract's line and everything that explains it."""
    log, console = KernelLog(), HypervisorLog()
    try:
        action()
        return 0
    except device.DeviceError as error:
        print(error, file=sys.stderr)
        if error.operation.startswith("JAILHOUSE_"):
            for line in log.news():
                print(f"  kernel: {line}", file=sys.stderr)
            for line in console.news():
                print(f"  hypervisor: {line}", file=sys.stderr)
            for line in hints(error):
                print(f"  hint: {line}", file=sys.stderr)
        return 1
    finally:
        log.close()


class KernelLog:
    """The kernel messages that appear from now on, as far as we may read them."""

    PATH = "/dev/kmsg"
    MARKS = ("jailhouse", "Jailhouse", "Cannot assign CPU")

    def __init__(self) -> None:
        self._fd = -1
        try:
            self._fd = os.open(self.PATH, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._fd, 0, os.SEEK_END)
        except OSError:
            self.close()

    def news(self) -> list[str]:
        lines: list[str] = []
        while self._fd >= 0:
            try:
                record = os.read(self._fd, 8192)
            except BrokenPipeError:
                continue  # overwritten meanwhile: the next read goes on behind the gap
            except OSError:
                break
            if not record:
                break
            text = record.decode(errors="replace").partition(";")[2].partition("\n")[0]
            if any(mark in text for mark in self.MARKS):
                lines.append(text)
        return lines

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class HypervisorLog:
    """What the hypervisor complains about from now on, as far as its log is readable."""

    MARKS = ("refused", "not available", "returning error", "FAILED", "FATAL", "WARNING", "Not a")
    OVERLAP = 64

    def __init__(self) -> None:
        self._before = self._tail()

    @staticmethod
    def _tail() -> str:
        try:
            return sysfs.console()
        except OSError:
            return ""

    def news(self) -> list[str]:
        after = self._tail()
        if not after:
            # Not enabled: the log of a failed enable is delivered to whoever opens the device.
            try:
                after = b"".join(device.console()).decode(errors="replace")
            except device.DeviceError:
                return []
        _, found, new = after.rpartition(self._before[-self.OVERLAP :] or "\0")
        lines = (new if found else after).splitlines()
        return [line for line in lines if any(mark in line for mark in self.MARKS)]


def _no_hints(_: device.DeviceError) -> list[str]:
    return []


def enable(path: str) -> int:
    config = read_file(path)

    def explain(error: device.DeviceError) -> list[str]:
        from jailhouse import hints

        return hints.enable(path, config, error)

    status = _attempt(lambda: device.enable(config), explain)
    if status == 0:
        loads.forget_all()
    return status


def disable() -> int:
    def explain(error: device.DeviceError) -> list[str]:
        from jailhouse import hints

        return hints.disable(error)

    status = _attempt(device.disable, explain)
    if status == 0:
        loads.forget_all()
    return status


def console(follow: bool) -> int:
    for data in device.console(follow):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    return 0


def cell_create(path: str) -> int:
    config = read_file(path)

    def explain(error: device.DeviceError) -> list[str]:
        from jailhouse import hints

        return hints.create(path, config, error)

    status = _attempt(lambda: device.create(config), explain)
    if status == 0:
        loads.created(config)
    return status


def cell_load(selector: int | str, images: list[tuple[str, bool, int]]) -> int:
    contents = [
        (os.fsencode(text) + b"\0" if is_string else read_file(text), address)
        for text, is_string, address in images
    ]
    return _load(selector, contents)


def _load(selector: int | str, contents: list[device.Image]) -> int:
    status = _attempt(lambda: device.load(selector, contents), _no_hints)
    if status == 0:
        loads.loaded(selector, contents)
    return status


def cell_start(selector: int | str) -> int:
    warning = loads.warning(selector)
    status = _attempt(lambda: device.start(selector), _no_hints)
    if status == 0 and warning:
        print(f"Warning: {warning}", file=sys.stderr)
    return status


def cell_boot(path: str, name: str, contents: list[device.Image]) -> int:
    """`cell linux`: create the cell unless it is there, load, start.

    A cell that was made here and gets no further is destroyed again.
    """
    there = sysfs.find(name) is not None
    status = 0 if there else cell_create(path)
    if status:
        return status
    status = _load(name, contents) or cell_start(name)
    if status and not there:
        record = loads.record_of(name)
        with contextlib.suppress(device.DeviceError):
            device.destroy(name)
        loads.forget(record)
    return status


def cell_shutdown(selector: int | str) -> int:
    return _attempt(lambda: device.shutdown(selector), _management_hints)


def cell_destroy(selector: int | str) -> int:
    record = loads.record_of(selector)
    status = _attempt(lambda: device.destroy(selector), _management_hints)
    if status == 0:
        loads.forget(record)
    return status


def _management_hints(error: device.DeviceError) -> list[str]:
    from jailhouse import hints

    return hints.management(error)
