# SPDX-License-Identifier: GPL-2.0-only
"""Ioctls as the driver sees them: numbers, records, memory behind the pointers (abi.md 5.1)."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import pickle
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jailhouse import device


@dataclass
class FakeDriver:
    """Takes the place of fcntl.ioctl and remembers what it was given."""

    calls: list[tuple[int, bytes]] = field(default_factory=list)
    pointed: list[bytes] = field(default_factory=list)
    error: int = 0
    limit: int = 48
    """How much of a record is looked at: behind a configuration there is nothing."""

    def ioctl(self, fd: int, number: int, record: int | bytearray | memoryview) -> int:
        data = b"" if isinstance(record, int) else bytes(record[: self.limit])
        self.calls.append((number, data))
        if number == 0x40100002:
            address, size, _ = struct.unpack("<QIi", data[:16])
            self.pointed.append(ctypes.string_at(address, size))
        if number == 0x40300003:
            self._images(bytes(record))
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        return 0

    def _images(self, record: bytes) -> None:
        (count,) = struct.unpack_from("<I", record, 40)
        assert len(record) == 48 + 32 * count
        for index in range(count):
            address, size, target, _ = struct.unpack_from("<QQQQ", record, 48 + 32 * index)
            self.pointed.append(b"%x:" % target + ctypes.string_at(address, size))


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDriver]:
    (tmp_path / "node").touch()
    monkeypatch.setattr(device, "DEVICE", str(tmp_path / "node"))
    fake = FakeDriver()
    monkeypatch.setattr(fcntl, "ioctl", fake.ioctl)
    before = os.listdir("/proc/self/fd")
    yield fake
    assert len(os.listdir("/proc/self/fd")) == len(before), "a descriptor is left open"


def test_numbers_are_those_of_the_contract() -> None:
    assert device.IOCTLS == {
        "JAILHOUSE_ENABLE": 0x40080000,
        "JAILHOUSE_DISABLE": 0x00000001,
        "JAILHOUSE_CELL_CREATE": 0x40100002,
        "JAILHOUSE_CELL_LOAD": 0x40300003,
        "JAILHOUSE_CELL_START": 0x40280004,
        "JAILHOUSE_CELL_DESTROY": 0x40280005,
    }


@pytest.mark.parametrize("size", [0, 7, 100, 1024, 4095, 4096, 4097, 10000])
def test_enable_passes_the_configuration_itself(driver: FakeDriver, size: int) -> None:
    config = os.urandom(size)
    driver.limit = size
    device.enable(config)
    assert driver.calls == [(0x40080000, config)]


def test_enable_ends_where_the_memory_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that follows counts too far gets EFAULT, as a read into a pipe shows."""
    (tmp_path / "node").touch()
    monkeypatch.setattr(device, "DEVICE", str(tmp_path / "node"))
    results: list[int | str] = []

    def probe(fd: int, number: int, record: memoryview) -> int:
        reader, writer = os.pipe()
        try:
            results.append(os.write(writer, record[:300]))
            # The kernel copies page by page: all of it is there, or EFAULT.
            address = ctypes.addressof(ctypes.c_char.from_buffer(record))
            libc = ctypes.CDLL(None, use_errno=True)
            done = libc.write(writer, ctypes.c_void_p(address + 300), ctypes.c_size_t(1))
            results.append(errno.errorcode[ctypes.get_errno()] if done < 0 else "readable")
        finally:
            os.close(reader)
            os.close(writer)
        return 0

    monkeypatch.setattr(fcntl, "ioctl", probe)
    device.enable(b"c" * 300)
    assert results == [300, "EFAULT"]


def test_disable(driver: FakeDriver) -> None:
    device.disable()
    assert driver.calls == [(1, b"")]


def test_create(driver: FakeDriver) -> None:
    device.create(b"configuration")
    assert driver.pointed == [b"configuration"]


@pytest.mark.parametrize(
    ("selector", "record"),
    [
        (3, struct.pack("<ii32s", 3, 0, b"")),
        ("demo", struct.pack("<ii32s", -1, 0, b"demo")),
        ("x" * 40, struct.pack("<ii32s", -1, 0, b"x" * 31)),
        ("7", struct.pack("<ii32s", -1, 0, b"7")),
    ],
)
def test_start_and_destroy(driver: FakeDriver, selector: int | str, record: bytes) -> None:
    device.start(selector)
    device.destroy(selector)
    assert driver.calls == [(0x40280004, record), (0x40280005, record)]


def test_load_keeps_the_order(driver: FakeDriver) -> None:
    device.load("demo", [(b"first", 0), (b"", 0x10), (b"second" * 1000, 0xF0000)])
    assert driver.pointed == [b"0:first", b"10:", b"f0000:" + b"second" * 1000]


def test_load_of_many_images(driver: FakeDriver) -> None:
    """More than 1 KiB of records: fcntl passes those in place."""
    images = [(b"%d" % number, number) for number in range(64)]
    device.load(1, images)
    assert driver.pointed == [b"%x:%d" % (number, number) for number in range(64)]


def test_shutdown_is_a_load_of_nothing(driver: FakeDriver) -> None:
    device.shutdown(1)
    assert driver.calls == [(0x40300003, struct.pack("<ii32sIi", 1, 0, b"", 0, 0))]


def test_errors_say_which_operation(driver: FakeDriver) -> None:
    driver.error = errno.EBUSY
    with pytest.raises(device.DeviceError) as caught:
        device.enable(bytes(100))
    assert str(caught.value) == "JAILHOUSE_ENABLE: Device or resource busy"
    assert caught.value.errno == errno.EBUSY
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_numbers_beyond_32_bits_are_no_cell(driver: FakeDriver) -> None:
    with pytest.raises(device.DeviceError) as caught:
        device.start(1 << 31)
    assert caught.value.errno == errno.ENOENT
    assert driver.calls == []


def test_missing_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "DEVICE", "/dev/does-not-exist")
    with pytest.raises(device.DeviceError) as caught:
        device.disable()
    assert str(caught.value) == "opening /dev/does-not-exist: No such file or directory"


def test_console_until_the_first_empty_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "node").write_bytes(b"0123456789" * 30)
    monkeypatch.setattr(device, "DEVICE", str(tmp_path / "node"))
    assert [len(piece) for piece in device.console()] == [128, 128, 44]


def test_console_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "DEVICE", str(tmp_path))
    with pytest.raises(device.DeviceError, match=r"read\(console\): Is a directory"):
        list(device.console())
