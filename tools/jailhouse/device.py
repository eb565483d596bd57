# SPDX-License-Identifier: GPL-2.0-only
"""The driver's ioctls on /dev/jailhouse (abi.md 5.1).

Every failure is a DeviceError: an OSError with the driver's errno whose text
is the line that the command prints.  A cell is selected by number (int) or
name (str).

    OSError
     +-- DeviceError    operation: "JAILHOUSE_CELL_CREATE", ... or "opening PATH"
"""

from __future__ import annotations

import array
import errno
import fcntl
import mmap
import os
import struct
from collections.abc import Iterable, Iterator

DEVICE = "/dev/jailhouse"

PAGE = 4096
NAME_FIELD = 32

_POINTER = struct.calcsize("P")
IOCTLS = {
    "JAILHOUSE_ENABLE": 0x40000000 | _POINTER << 16,
    "JAILHOUSE_DISABLE": 0x00000001,
    "JAILHOUSE_CELL_CREATE": 0x40100002,
    "JAILHOUSE_CELL_LOAD": 0x40300003,
    "JAILHOUSE_CELL_START": 0x40280004,
    "JAILHOUSE_CELL_DESTROY": 0x40280005,
}

_CELL_ID = struct.Struct("<ii32s")
_CREATE = struct.Struct("<QIi")
_LOAD_COUNT = struct.Struct("<Ii")
_IMAGE = struct.Struct("<QQQQ")

Image = tuple[bytes, int]
"""Content and guest-physical target address."""


class DeviceError(OSError):
    """An operation of the driver failed; ``operation`` says which, ``errno`` why."""

    def __init__(self, code: int, operation: str) -> None:
        super().__init__(code, os.strerror(code))
        self.operation = operation

    def __str__(self) -> str:
        return f"{self.operation}: {self.strerror}"

    def __reduce__(self) -> tuple[type[DeviceError], tuple[int, str]]:
        return DeviceError, (self.errno or 0, self.operation)


def open_device(flags: int = os.O_RDWR) -> int:
    """File descriptor of the driver's node; the caller closes it."""
    try:
        return os.open(DEVICE, flags | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceError(error.errno or errno.EIO, f"opening {DEVICE}") from None


def request(operation: str, record: int | bytearray | memoryview | mmap.mmap) -> None:
    """One ioctl.  Records above 1 KiB are passed in place, smaller ones as a copy."""
    fd = open_device()
    try:
        fcntl.ioctl(fd, IOCTLS[operation], record)
    except OSError as error:
        raise DeviceError(error.errno or errno.EIO, operation) from None
    finally:
        os.close(fd)


def enable(config: bytes) -> None:
    """Start the hypervisor.

    The driver learns no length and trusts the counts in the configuration, so
    it is placed where the memory ends with it: what a truncated file would
    make the driver read is not there (EFAULT) instead of some of our heap.
    """
    length = max(-(-len(config) // PAGE), 1) * PAGE
    fd = os.memfd_create("jailhouse-config")
    try:
        os.ftruncate(fd, length + PAGE)
        with mmap.mmap(fd, length + PAGE) as area:
            area[length - len(config) : length] = config
            os.ftruncate(fd, length)
            # Reaches into the missing page: above 1 KiB, hence never copied by fcntl.
            with memoryview(area)[length - len(config) :] as view:
                request("JAILHOUSE_ENABLE", view)
    finally:
        os.close(fd)


def disable() -> None:
    request("JAILHOUSE_DISABLE", 0)


def create(config: bytes) -> None:
    content = array.array("B", config)
    address = content.buffer_info()[0]
    request("JAILHOUSE_CELL_CREATE", bytearray(_CREATE.pack(address, len(content), 0)))


def load(selector: int | str, images: Iterable[Image]) -> None:
    """Make the cell loadable and copy images in order; no image means shut down."""
    contents = [(array.array("B", data), target) for data, target in images]
    record = bytearray(_cell_id(selector, "JAILHOUSE_CELL_LOAD"))
    record += _LOAD_COUNT.pack(len(contents), 0)
    for content, target in contents:
        record += _IMAGE.pack(content.buffer_info()[0], len(content), target, 0)
    request("JAILHOUSE_CELL_LOAD", record)


def start(selector: int | str) -> None:
    _request_for(selector, "JAILHOUSE_CELL_START")


def shutdown(selector: int | str) -> None:
    load(selector, ())


def destroy(selector: int | str) -> None:
    _request_for(selector, "JAILHOUSE_CELL_DESTROY")


def console(follow: bool = False, chunk: int = 128) -> Iterator[bytes]:
    """The hypervisor log in pieces; ends at the first empty read unless following.

    Errors as "read(console)": EAGAIN when not enabled, EPERM when the
    configuration does not permit it.
    """
    fd = open_device(os.O_RDONLY | (0 if follow else os.O_NONBLOCK))
    try:
        while True:
            try:
                data = os.read(fd, chunk)
            except OSError as error:
                raise DeviceError(error.errno or errno.EIO, "read(console)") from None
            if data:
                yield data
            elif not follow:
                return
    finally:
        os.close(fd)


def _request_for(selector: int | str, operation: str) -> None:
    request(operation, bytearray(_cell_id(selector, operation)))


def _cell_id(selector: int | str, operation: str) -> bytes:
    if isinstance(selector, int):
        if not 0 <= selector < 1 << 31:
            raise DeviceError(errno.ENOENT, operation)
        return _CELL_ID.pack(selector, 0, b"")
    name = os.fsencode(selector)[: NAME_FIELD - 1]
    return _CELL_ID.pack(-1, 0, name)
