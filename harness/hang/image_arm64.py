# SPDX-License-Identifier: GPL-2.0-only
"""What the bare image of an arm64 Linux tells (Documentation/arm64/booting.rst).

It has no sections, and Debian's 6.1 names its functions only: where its data is
follows from what the image holds at a known place. All addresses count from the
image's start.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from functools import cache

from harness.hang.kallsyms import functions
from harness.hang.kallsyms import symbols as kallsyms
from harness.hang.kernel import Files
from harness.hang.layout import Btf, NoLayout
from harness.hang.program import Names
from harness.provision import KernelTree

#: Header of BTF: magic, version 1, no flags, 24 bytes.
_BTF = b"\x9f\xeb\x01\x00\x18\x00\x00\x00"
#: B, ADRP, ADD (immediate) and LDR (pre-indexed): their fixed bits (DDI 0487, C4.1).
_B, _ADRP, _ADD = (0xFC000000, 0x14000000), (0x9F000000, 0x90000000), (0xFFC00000, 0x91000000)
_LDR_PRE = (0xFFE00C00, 0xF8400C00)
#: Instructions of a function in which its first address is looked for.
_WORDS = 40
#: Where the image's size in memory is written.
_SIZE_AT = 16


@cache
def files(tree: KernelTree) -> Files:
    """Read a kernel's image, once a process (about two seconds)."""
    image = tree.payload.read_bytes()
    table = list(kallsyms(image, None))
    symbols = {name: address for address, _, name in reversed(table)}
    above = _entry(image) - symbols["primary_entry"]  # what the table counts from
    symbols = {name: address + above for name, address in symbols.items()}
    start = image.find(_BTF)
    if start < 0:
        raise NoLayout(f"{tree.payload}: no BTF")
    btf = Btf(image[start:])
    symbols["linux_banner"] = image.find(f"Linux version {tree.release} ".encode())
    symbols.setdefault("modules", first_address(image, symbols["find_module_all"]))
    symbols.setdefault("init_task", _init_task(image, btf))
    return Files(
        tree.release,
        Names([(address + above, name) for address, name in functions(table)]),
        symbols,
        btf,
        symbols["_stext"],
        symbols["_einittext"],
    )


@cache
def size(tree: KernelTree) -> int:
    """Bytes that the kernel takes in memory."""
    with tree.payload.open("rb") as file:
        return int(struct.unpack_from("<Q", file.read(64), _SIZE_AT)[0])


def _is(word: int, kind: tuple[int, int]) -> bool:
    return word & kind[0] == kind[1]


def _entry(image: bytes) -> int:
    """The second instruction leads to primary_entry."""
    word = struct.unpack_from("<I", image, 4)[0]
    if not _is(word, _B):
        raise NoLayout("the image does not begin with a branch")
    return 4 + ((int(word) & 0x3FFFFFF) << 2)


def first_address(image: bytes, function: int) -> int:
    """What the first ADRP and ADD of a function make together, and a pre-indexed LDR behind.

    The compiler reaches neighbouring variables from one anchor: the LDR adds the rest.
    """
    words: tuple[int, ...] = struct.unpack_from(f"<{_WORDS}I", image, function)
    for index, (word, after) in enumerate(itertools.pairwise(words)):
        if _is(word, _ADRP) and _is(after, _ADD):
            pages = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
            pages -= (pages & 1 << 20) << 1
            anchor = (function + index * 4 & ~0xFFF) + (pages << 12) + (after >> 10 & 0xFFF)
            return anchor + _pre_indexed(words[index + 2 :], register=after & 31)
    raise NoLayout(f"no address in the function at {function:#x}")


def _pre_indexed(words: Sequence[int], register: int) -> int:
    for word in words:
        if _is(word, _LDR_PRE) and word >> 5 & 31 == register:
            offset = word >> 12 & 0x1FF
            return offset - ((offset & 0x100) << 1)
    return 0


def _init_task(image: bytes, btf: Btf) -> int:
    """The first task, by its name and its alignment to cache lines."""
    name = btf.offset("task_struct", "comm")
    at = image.find(b"swapper\0")
    while at >= 0:
        if (at - name) % 64 == 0:
            return at - name
        at = image.find(b"swapper\0", at + 1)
    raise NoLayout("no first task")
