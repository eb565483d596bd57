# SPDX-License-Identifier: GPL-2.0-only
"""Loads and stores without syndrome (arch/arm64/insn.c), encoded by the cross assembler."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hostlib import clean_env

CDEF = """
struct insn { unsigned int size; unsigned int count; unsigned int reg[2]; unsigned int base; bool is_write;
              bool sign_extend; bool wide; bool writeback; bool post_index; s64 offset; };
bool insn_decode(u32 word, struct insn *insn);
"""

# text: size, count, registers, base, write, sign, wide, write-back, post, offset
KNOWN = {
    "ldr x1, [x2], #8": (8, 1, [1], 2, False, False, True, True, True, 8),
    "ldr w3, [x4, #-4]!": (4, 1, [3], 4, False, False, False, True, False, -4),
    "str x5, [sp, #-256]!": (8, 1, [5], 31, True, False, True, True, False, -256),
    "str wzr, [x6], #255": (4, 1, [31], 6, True, False, False, True, True, 255),
    "ldrb w7, [x8], #1": (1, 1, [7], 8, False, False, False, True, True, 1),
    "strb w9, [x10, #1]!": (1, 1, [9], 10, True, False, False, True, False, 1),
    "ldrh w11, [x12], #2": (2, 1, [11], 12, False, False, False, True, True, 2),
    "ldrsb x13, [x14], #1": (1, 1, [13], 14, False, True, True, True, True, 1),
    "ldrsh w15, [x16, #2]!": (2, 1, [15], 16, False, True, False, True, False, 2),
    "ldrsw x17, [x18], #4": (4, 1, [17], 18, False, True, True, True, True, 4),
    "ldp x0, x1, [x2]": (8, 2, [0, 1], 2, False, False, True, False, False, 0),
    "stp w3, w4, [x5, #-256]": (4, 2, [3, 4], 5, True, False, False, False, False, -256),
    "ldp x6, xzr, [sp], #16": (8, 2, [6, 31], 31, False, False, True, True, True, 16),
    "stp x7, x8, [x9, #-512]!": (8, 2, [7, 8], 9, True, False, True, True, False, -512),
    "ldpsw x10, x11, [x12, #252]": (4, 2, [10, 11], 12, False, True, True, False, False, 252),
    "ldnp x13, x14, [x15]": (8, 2, [13, 14], 15, False, False, True, False, False, 0),
}
REFUSED = [
    "ldr x0, [x1]", "ldr x0, [x1, x2]", "ldxr x0, [x1]", "ldr q0, [x1], #16", "ldp q0, q1, [x2]",
    "stp d0, d1, [x2, #16]!", "add x0, x1, x2", "nop", "prfm pldl1keep, [x0]", "str b0, [x1], #1",
]


def encode(text: str, folder: Path) -> int:
    source, target = folder / "insn.s", folder / "insn.o"
    source.write_text(text + "\n")
    binary = folder / "insn.bin"
    subprocess.run(["aarch64-linux-gnu-as", "-o", target, source], check=True, env=clean_env())
    subprocess.run(
        ["aarch64-linux-gnu-objcopy", "-O", "binary", target, binary], check=True, env=clean_env()
    )
    (word,) = struct.unpack("<I", binary.read_bytes())
    return int(word)


@pytest.fixture
def mod(hostlib: Any) -> Any:
    return hostlib(["hypervisor/arch/arm64/insn.c"], CDEF, headers=["arch/insn.h"], arch="arm64")


@pytest.mark.parametrize("text", KNOWN)
def test_decodes(mod: Any, tmp_path: Path, text: str) -> None:
    insn = mod.ffi.new("struct insn *")
    assert mod.lib.insn_decode(encode(text, tmp_path), insn)
    size, count, registers, base, write, sign, wide, writeback, post, offset = KNOWN[text]
    assert (insn.size, insn.count, insn.base, insn.offset) == (size, count, base, offset)
    assert list(insn.reg)[:count] == registers
    assert (insn.is_write, insn.sign_extend, insn.wide) == (write, sign, wide)
    assert (insn.writeback, insn.post_index) == (writeback, post)


@pytest.mark.parametrize("text", REFUSED)
def test_refuses(mod: Any, tmp_path: Path, text: str) -> None:
    """What comes with a syndrome, what needs FP registers, what is no access at all."""
    assert not mod.lib.insn_decode(encode(text, tmp_path), mod.ffi.new("struct insn *"))


def test_nothing_undefined_is_decoded(mod: Any) -> None:
    """opc 3 of pairs, sign extension where there is nothing to extend."""
    insn = mod.ffi.new("struct insn *")
    for word in (0xE8C00000, 0xF8C00400, 0xB8C00400, 0x68800000):
        assert not mod.lib.insn_decode(word, insn), hex(word)
