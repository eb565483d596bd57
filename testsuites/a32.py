# SPDX-License-Identifier: GPL-2.0-only
"""Programs of 32-bit ARM code, as far as tests need them: no assembler for it is at hand.

::

    program = Program()
    program.load(0, 0x84000000)     # LDR r0, =0x84000000
    program.add(SMC)
    data = program.image()

Encodings: Arm DDI 0406, A8.
"""

from __future__ import annotations

import struct

SMC = 0xE1600070
WFI = 0xE320F003
READ_MODE = 0xE10F4000  # MRS r4, CPSR


def hvc(immediate: int) -> int:
    return 0xE1400070 | immediate >> 4 << 8 | immediate & 0xF


def mov(register: int, value: int, condition: int = 0xE) -> int:
    """MOV of an 8-bit constant; condition 0 is EQ, 1 is NE."""
    return condition << 28 | 0x03A00000 | register << 12 | value


def compare(register: int, value: int) -> int:
    return 0xE3500000 | register << 16 | value


def compare_registers(first: int, second: int) -> int:
    return 0xE1500000 | first << 16 | second


def mask(register: int, value: int) -> int:
    """AND with an 8-bit constant."""
    return 0xE2000000 | register << 16 | register << 12 | value


def store(value: int, base: int) -> int:
    return 0xE5800000 | base << 16 | value << 12


def store_byte(value: int, base: int) -> int:
    return 0xE5C00000 | base << 16 | value << 12


def fetch(target: int, base: int) -> int:
    return 0xE5900000 | base << 16 | target << 12


def fetch_signed_byte(target: int, base: int) -> int:
    return 0xE1D000D0 | base << 16 | target << 12


class Program:
    """Instructions, and the constants that they load from behind them."""

    def __init__(self) -> None:
        self._words: list[int] = []
        self._constants: list[int] = []
        self._loads: list[tuple[int, int]] = []

    def add(self, *words: int) -> None:
        self._words += words

    def load(self, register: int, value: int) -> None:
        """LDR register, =value."""
        if value not in self._constants:
            self._constants.append(value)
        self._loads.append((len(self._words), self._constants.index(value)))
        self._words.append(0xE59F0000 | register << 12)

    def say(self, text: str, uart: int = 8) -> None:
        """Characters to the data register that `uart` points to; r9 is lost."""
        for character in text:
            self.add(mov(9, ord(character)), store(9, uart))

    def verdict(self, uart: int = 8) -> None:
        """Y or N, as the last comparison was equal or not."""
        self.add(mov(9, ord("Y"), 0), mov(9, ord("N"), 1), store(9, uart))

    def stay(self) -> None:
        self.add(WFI, 0xEAFFFFFD)

    def image(self) -> bytes:
        words = list(self._words)
        for at, constant in self._loads:
            words[at] |= 4 * (len(words) + constant) - (4 * at + 8)
        return struct.pack(f"<{len(words) + len(self._constants)}I", *words, *self._constants)
