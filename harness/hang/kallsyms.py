# SPDX-License-Identifier: GPL-2.0-only
"""Every symbol of a Linux kernel, out of the table that it carries for itself.

Distributions ship neither a symbol table in vmlinux nor a System.map. What
kallsyms (scripts/kallsyms.c) writes into .rodata is, without names of its own::

    6.1:   offsets, base, |
    all:                  | count, names, markers, [order,] tokens, index of tokens |
    6.4+:                                                            offsets, base  |

each aligned to 8. The tokens for the digits give it away: no compressor
replaces them, so "0\\0" "1\\0" ... "9\\0" stand in a row. The base is the
address of the kernel's text.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator

_DIGITS = b"".join(bytes([digit]) + b"\0" for digit in b"0123456789")
#: Names between two markers.
_GROUP = 256
_MOST = 1_000_000


class NoSymbols(LookupError):
    """There is no table that we understand."""


def symbols(rodata: bytes, text: int | None) -> Iterator[tuple[int, str, str]]:
    """Address, kind (as in System.map) and name of each symbol; NoSymbols.

    `text` is the address of the kernel's text; per-CPU symbols are offsets (x86).
    None: of an image that is relocated when it boots, whose base is still 0; all
    addresses count from its start (arm64).
    """
    digits = rodata.find(_DIGITS)
    while digits >= 0:
        found = _index(rodata, digits)
        if found is not None:
            yield from _Table(rodata, *found, text).symbols()
            return
        digits = rodata.find(_DIGITS, digits + 1)
    raise NoSymbols("no kallsyms table in .rodata")


def functions(table: Iterable[tuple[int, str, str]]) -> list[tuple[int, str]]:
    """Address and name of what is code in a table of `symbols`."""
    return [(address, name) for address, kind, name in table if kind in "tTwW"]


def _index(rodata: bytes, digits: int) -> tuple[int, int] | None:
    """Places of the tokens and of their index, from where the digits' tokens are."""
    for start in range((digits + 7) & ~7, digits + 8192, 8):
        if start + 512 > len(rodata):
            return None
        offsets = struct.unpack_from("<256H", rodata, start)
        tokens = digits - offsets[ord("0")]
        if offsets[0] == 0 and 0 < tokens < start and _agrees(rodata, tokens, offsets):
            return tokens, start
    return None


def _agrees(rodata: bytes, tokens: int, offsets: tuple[int, ...]) -> bool:
    """Each token starts behind the end of the one before."""
    return all(
        before < here and rodata[tokens + here - 1] == 0
        for before, here in itertools.pairwise(offsets)
    )


class _Table:
    def __init__(self, rodata: bytes, tokens: int, index: int, text: int | None) -> None:
        self._data = rodata
        offsets = struct.unpack_from("<256H", rodata, index)
        self._tokens = [
            rodata[tokens + at : rodata.index(b"\0", tokens + at)].decode() for at in offsets
        ]
        self._base = text or 0
        self._relocated = text is None
        self._names, self._number, self._offsets = self._before(tokens) or self._behind(
            tokens, index + 512)  # fmt: skip

    def _u32(self, at: int) -> int:
        return int(struct.unpack_from("<I", self._data, at)[0])

    def _size(self, number: int) -> int:
        """Bytes of that many offsets."""
        return (number * 4 + 7) & ~7

    # --- where names and offsets are, and how many

    def _before(self, tokens: int) -> tuple[int, int, int] | None:
        """6.1: the count follows the base, which follows the offsets."""
        base = struct.pack("<Q", self._base)
        at = self._data.rfind(base, 0, tokens)
        while at >= 0:
            number, names = self._u32(at + 8), at + 16
            if _GROUP < number < _MOST and names + number * 2 < tokens:
                second = self._skip(names, _GROUP)
                markers = (self._skip(names, number) + 7) & ~7
                if self._u32(markers) == 0 and self._u32(markers + 4) == second - names:
                    return names, number, at - self._size(number)
            at = self._data.rfind(base, 0, at)
        return None

    def _behind(self, tokens: int, offsets: int) -> tuple[int, int, int]:
        """6.4 and later: the offsets follow the index, the markers are before the tokens."""
        start, markers = self._markers(tokens)
        groups = len(markers)
        for at in range((start - markers[-1] - 8) & ~7, start - markers[-1] - _GROUP * 512, -8):
            number = self._u32(at)
            fits = (groups - 1) * _GROUP < number <= groups * _GROUP
            if fits and self._skip(at + 8, _GROUP) == at + 8 + markers[1]:
                base = struct.unpack_from("<Q", self._data, offsets + self._size(number))[0]
                if base == self._base:
                    return at + 8, number, offsets
        raise NoSymbols("kallsyms: the number of symbols was not found")

    def _markers(self, tokens: int) -> tuple[int, list[int]]:
        """Where the markers begin, and they: ascending offsets into the names, from 0."""
        at = tokens - 4
        while self._u32(at) == 0:  # padding
            at -= 4
        found = [self._u32(at)]
        while found[-1]:
            at -= 4
            found.append(self._u32(at))
            if found[-1] >= found[-2]:
                raise NoSymbols("kallsyms: the markers do not ascend")
        return at, found[::-1]

    def _length(self, at: int) -> tuple[int, int]:
        """Bytes of the name there, and where they begin (names over 127 since 6.1)."""
        length = self._data[at]
        if length & 0x80:
            return (length & 0x7F) | self._data[at + 1] << 7, at + 2
        return length, at + 1

    def _skip(self, at: int, names: int) -> int:
        for _ in range(names):
            length, start = self._length(at)
            at = start + length
        return at

    # --- what they say

    def symbols(self) -> Iterator[tuple[int, str, str]]:
        at, tokens = self._names, self._tokens
        # x86: from 0 up they are absolute (per CPU), below 0 they count from the base.
        form = "I" if self._relocated else "i"
        for value in struct.unpack_from(f"<{self._number}{form}", self._data, self._offsets):
            length, start = self._length(at)
            at = start + length
            name = "".join([tokens[byte] for byte in self._data[start:at]])
            yield value if value >= 0 else self._base - 1 - value, name[0], name[1:]
