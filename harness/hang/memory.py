# SPDX-License-Identifier: GPL-2.0-only
"""Memory of a stopped machine: physical, and through page tables.

Nothing here asks the guest or trusts the emulator's idea of a virtual address:
under nested paging it has none.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Protocol

PAGE = 0x1000
_MASK = 0x000F_FFFF_FFFF_F000
_PRESENT, _LARGE = 1 << 0, 1 << 7
_ARM_MASK, _TABLE = 0x0000_FFFF_FFFF_F000, 1 << 1
#: Pages that one question to the emulator brings.
_AHEAD = 16


class NotMapped(Exception):
    """An address that leads nowhere."""


class Memory(Protocol):
    """An address space."""

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes; NotMapped if some of them do not exist."""
        ...


def u64(memory: Memory, address: int) -> int:
    """A little-endian number of 8 bytes."""
    return int(struct.unpack("<Q", memory.read(address, 8))[0])


def u32(memory: Memory, address: int) -> int:
    return int(struct.unpack("<I", memory.read(address, 4))[0])


def text(memory: Memory, address: int, limit: int = 64) -> str:
    """A string that ends with NUL or after `limit` bytes."""
    return memory.read(address, limit).split(b"\0")[0].decode(errors="replace")


class Physical:
    """Host-physical memory, page by page, remembered until `forget()`."""

    def __init__(self, read: Callable[[int, int], bytes], size: int, base: int = 0) -> None:
        """`read(address, size)` asks the emulator; its memory is `size` bytes from `base` on."""
        self._read = read
        self._base, self._end = base, base + size
        self._pages: dict[int, bytes] = {}

    def forget(self) -> None:
        """The machine has run."""
        self._pages.clear()

    def read(self, address: int, size: int) -> bytes:
        if address < self._base or size < 0 or address + size > self._end:
            raise NotMapped(f"{address:#x} is beyond the machine's memory")
        first, last = address // PAGE, (address + max(size, 1) - 1) // PAGE
        self._fetch(first, last)
        data = b"".join(self._pages[number] for number in range(first, last + 1))
        return data[address - first * PAGE :][:size]

    def _fetch(self, first: int, last: int) -> None:
        if all(number in self._pages for number in range(first, last + 1)):
            return
        count = min(max(last - first + 1, _AHEAD), self._end // PAGE - first)
        data = self._read(first * PAGE, count * PAGE)
        for index in range(count):
            self._pages[first + index] = data[index * PAGE : (index + 1) * PAGE]


class Linear:
    """A window: `virtual` leads to `physical`, `size` bytes."""

    def __init__(self, below: Memory, virtual: int, physical: int, size: int) -> None:
        self._below = below
        self._virtual, self._physical, self._size = virtual, physical, size

    def read(self, address: int, size: int) -> bytes:
        offset = address - self._virtual
        if not 0 <= offset <= self._size - size:
            raise NotMapped(f"{address:#x}")
        return self._below.read(self._physical + offset, size)


class Paged:
    """Through x86-64 page tables of four or five levels (APM 2, 5.3); also nested ones.

    The tables themselves are read through `below`, as the CPU does.
    """

    def __init__(self, below: Memory, root: int, levels: int = 4) -> None:
        self._below = below
        self._root = root & _MASK
        self._levels = levels
        self._known: dict[int, int] = {}

    def translate(self, address: int) -> int:
        """The address one level below; NotMapped."""
        page = address & ~(PAGE - 1)
        if page not in self._known:
            self._known[page] = self._walk(page)
        return self._known[page] | (address & (PAGE - 1))

    def _walk(self, page: int) -> int:
        table = self._root
        for level in range(self._levels, 0, -1):
            shift = 12 + 9 * (level - 1)
            entry = u64(self._below, table + ((page >> shift) & 511) * 8)
            if not entry & _PRESENT:
                raise NotMapped(f"{page:#x}: level {level} is empty")
            if level == 1 or (level < 4 and entry & _LARGE):
                span = (1 << shift) - 1
                return (entry & _MASK & ~span) | (page & span)
            table = entry & _MASK
        raise NotMapped(f"{page:#x}")

    def read(self, address: int, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            part = min(size, PAGE - address % PAGE)
            parts.append(self._below.read(self.translate(address), part))
            address += part
            size -= part
        return b"".join(parts)


class ArmPaged(Paged):
    """Through tables of the 4 KiB granule (DDI 0487, D8.3.1), stage 1 or 2.

    A root of several concatenated tables (D8.2.2) has more than 512 `entries`.
    """

    def __init__(self, below: Memory, root: int, levels: int = 4, entries: int = 512) -> None:
        super().__init__(below, root, levels)
        self._entries = entries

    def _walk(self, page: int) -> int:
        table, mask = self._root, self._entries - 1
        for level in range(self._levels, 0, -1):
            shift = 12 + 9 * (level - 1)
            entry = u64(self._below, table + ((page >> shift) & mask) * 8)
            if not entry & _PRESENT:
                raise NotMapped(f"{page:#x}: level {4 - level} is empty")
            if level == 1 or not entry & _TABLE:
                span = (1 << shift) - 1
                return (entry & _ARM_MASK & ~span) | (page & span)
            table, mask = entry & _ARM_MASK, 511
        raise NotMapped(f"{page:#x}")
