# SPDX-License-Identifier: GPL-2.0-only
"""The ioctl of the unattended guest, between two readings of the counter, on this host."""

import errno
import mmap
import os
import termios
from collections.abc import Iterator

import pytest

from harness.guest.unattended import TimedIoctl


@pytest.fixture
def pipe() -> Iterator[int]:
    """The reading end of one with five bytes in it."""
    read, write = os.pipe()
    os.write(write, b"bytes")
    yield read
    os.close(read)
    os.close(write)


def test_the_record_is_passed_in_place(pipe: int) -> None:
    timed, record = TimedIoctl(), bytearray(4)
    assert timed.ticks == 0
    assert timed.ioctl(pipe, termios.FIONREAD, record) == 0
    assert int.from_bytes(record, "little") == 5
    assert timed.ticks > 0
    timed.forget()
    assert timed.ticks == 0


def test_a_number_is_an_argument(pipe: int) -> None:
    timed = TimedIoctl()
    assert timed.ioctl(pipe, termios.FIOCLEX, 0) == 0
    assert not os.get_inheritable(pipe)
    assert timed.ioctl(pipe, termios.FIONCLEX, 0) == 0
    assert os.get_inheritable(pipe)


def test_a_refusal_has_its_number_and_frees_the_record(pipe: int) -> None:
    """The memory can be closed while the exception is still there."""
    with mmap.mmap(-1, mmap.PAGESIZE) as area, memoryview(area) as view:
        with pytest.raises(OSError, match="Inappropriate ioctl") as refused:
            TimedIoctl().ioctl(pipe, termios.TIOCGWINSZ, view)
        assert refused.value.errno == errno.ENOTTY
