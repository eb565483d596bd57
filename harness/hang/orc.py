# SPDX-License-Identifier: GPL-2.0-only
"""Unwinding Linux by its own tables (Documentation/arch/x86/orc-unwinder.rst).

A table is two arrays: code addresses, each relative to its own place and in
ascending order, and what to do from there on.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from harness.hang.memory import Memory, u64

ENTRY = struct.Struct("<hhH")
_UNDEFINED, _PREV_SP, _DX, _DI, _BP, _SP, _R10, _R13, _BP_INDIRECT, _SP_INDIRECT = range(10)
_BASE = {_DX: "RDX", _DI: "RDI", _BP: "RBP", _SP: "RSP", _R10: "R10", _R13: "R13",
         _BP_INDIRECT: "RBP", _SP_INDIRECT: "RSP"}  # fmt: skip
#: struct pt_regs: bytes from its start.
_REGS_BP, _REGS_IP, _REGS_SP = 32, 128, 152
_CALL, _REGS, _PARTIAL, _END = "call", "regs", "partial", "end"
#: Meaning of the type field, up to 6.3 and from 6.4 on.
_TYPES_OLD = {0: _CALL, 1: _REGS, 2: _PARTIAL}
_TYPES_NEW = {0: _END, 1: _END, 2: _CALL, 3: _REGS, 4: _PARTIAL}


@dataclass(frozen=True)
class Frame:
    """`exact`: RIP is where it was interrupted, not a return address."""

    registers: dict[str, int]
    exact: bool


class Orc:
    """One table: the kernel's, or a module's."""

    def __init__(self, ips: bytes, entries: bytes, ip_base: int, new: bool) -> None:
        """`ip_base` is where `ips` lies; `new`: the types of Linux 6.4 and later."""
        self._ips, self._entries, self._base, self._new = ips, entries, ip_base, new
        self._count = min(len(ips) // 4, len(entries) // ENTRY.size)

    def _address(self, index: int) -> int:
        relative: int = struct.unpack_from("<i", self._ips, index * 4)[0]
        return self._base + index * 4 + relative

    def _find(self, address: int) -> tuple[int, int, int] | None:
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._address(middle) <= address:
                low = middle + 1
            else:
                high = middle
        if low == 0:
            return None
        found: tuple[int, int, int] = ENTRY.unpack_from(self._entries, (low - 1) * ENTRY.size)
        return found

    def _kind(self, flags: int) -> str:
        if self._new:
            return _TYPES_NEW.get(flags >> 8 & 7, _END)
        if flags >> 10 & 1:
            return _END
        return _TYPES_OLD.get(flags >> 8 & 3, _END)

    def unwind(self, frame: Frame, memory: Memory) -> Frame | None:
        """The caller's frame; None at the end. Raises NotMapped on a broken stack."""
        registers = frame.registers
        entry = self._find(registers["RIP"] - (not frame.exact))
        if entry is None:
            return None
        sp_offset, bp_offset, flags = entry
        kind, base = self._kind(flags), _BASE.get(flags & 15)
        if kind == _END or base is None or base not in registers:
            return None
        stack = registers[base]
        if flags & 15 == _SP_INDIRECT:
            stack = u64(memory, stack) + sp_offset
        else:
            stack += sp_offset
            if flags & 15 == _BP_INDIRECT:
                stack = u64(memory, stack)
        caller = self._caller(kind, stack, memory)
        if "RBP" not in caller:
            caller["RBP"] = self._frame_pointer(flags >> 4 & 15, bp_offset, stack, frame, memory)
        return Frame(caller, kind != _CALL)

    @staticmethod
    def _caller(kind: str, stack: int, memory: Memory) -> dict[str, int]:
        if kind == _REGS:
            return {
                "RIP": u64(memory, stack + _REGS_IP),
                "RSP": u64(memory, stack + _REGS_SP),
                "RBP": u64(memory, stack + _REGS_BP),
            }
        if kind == _PARTIAL:
            return {"RIP": u64(memory, stack), "RSP": u64(memory, stack + 24)}
        return {"RIP": u64(memory, stack - 8), "RSP": stack}

    @staticmethod
    def _frame_pointer(register: int, offset: int, stack: int, frame: Frame, memory: Memory) -> int:
        before = frame.registers.get("RBP", 0)
        if register == _PREV_SP:
            return u64(memory, stack + offset)
        if register == _BP:
            return u64(memory, before + offset)
        return before
