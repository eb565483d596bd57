# SPDX-License-Identifier: GPL-2.0-only
"""Registers of all CPUs, out of what QEMU's `info registers -a` prints."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

#: EFER.SVME (APM 2, 3.1.7): set while the hypervisor owns the CPU, in host and guest.
SVME = 1 << 12
#: CR4.VMXE (SDM 3C, 24.8): the same on Intel; guests see it cleared, the register has it.
VMXE = 1 << 13
#: EFER.LMA: long mode is active.
LMA = 1 << 10

_GENERAL = re.compile(r"\b([RE][A-Z]{2}|R\d{1,2}|CR\d|EFER)\s*=\s*([0-9a-f]+)")
_TABLE = re.compile(r"\b(GDT|IDT)=\s+([0-9a-f]+) ([0-9a-f]+)")
_SEGMENT = re.compile(r"^([CDEFGS]S) =([0-9a-f]{4}) ([0-9a-f]+)", re.MULTILINE)
_FLAG = re.compile(r"\b(CPL|HLT|SMM)=(\d)")
_ARM = re.compile(r"\b(PC|SP|PSTATE|PSR|X\d\d|R\d\d)=([0-9a-f]+)")
#: Execution state and exception level in PSTATE (DDI 0487, C5.2.19 SPSR_EL1.M).
_AARCH32, _EL = 1 << 4, 0xC


@dataclass(frozen=True)
class Cpu:
    """One CPU at one moment. Names in upper case without width: RAX, RIP, CR3."""

    number: int
    values: dict[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> int:
        """A register; KeyError if it was not printed."""
        return self.values[name]

    def get(self, name: str) -> int:
        """A register, or 0."""
        return self.values.get(name, 0)

    @property
    def pc(self) -> int:
        return self.get("RIP")

    @property
    def halted(self) -> bool:
        return bool(self.get("HLT"))

    @property
    def user(self) -> bool:
        """Not in a kernel: user mode, EL0."""
        return bool(self.get("CPL"))

    @property
    def owned(self) -> bool:
        """Whether the hypervisor may run this CPU: x86 in host and guest, arm64 only in EL2."""
        return bool(self.get("EFER") & SVME or self.get("CR4") & VMXE)

    @property
    def wide(self) -> bool:
        """Whether it executes 64-bit code."""
        return bool(self.get("EFER") & LMA)


class ArmCpu(Cpu):
    """Names as QEMU prints them: PC, SP, PSTATE, X00; R15 and PSR in AArch32.

    It prints neither system registers nor whether a CPU is in WFI.
    """

    @property
    def pc(self) -> int:
        return self.get("PC") if self.wide else self.get("R15")

    @property
    def _el(self) -> int:
        return (self.get("PSTATE") & _EL) >> 2

    @property
    def user(self) -> bool:
        return self.wide and self._el == 0

    @property
    def owned(self) -> bool:
        return self.wide and self._el == 2

    @property
    def wide(self) -> bool:
        return "PC" in self.values and not self.get("PSTATE") & _AARCH32


def parse(text: str, architecture: str = "x86") -> list[Cpu]:
    """All CPUs, by number; an empty list if the text is none of QEMU's."""
    parts = re.split(r"(?m)^CPU#(\d+)\s*$", text)
    blocks = [(int(n), block) for n, block in zip(parts[1::2], parts[2::2], strict=True)]
    if architecture == "arm64":
        return [
            ArmCpu(number, {name: int(value, 16) for name, value in _ARM.findall(block)})
            for number, block in blocks
        ]
    return [Cpu(number, _values(block)) for number, block in blocks]


def _values(block: str) -> dict[str, int]:
    found = {_wide(name): int(value, 16) for name, value in _GENERAL.findall(block)}
    found |= {name: int(base, 16) for name, base, _ in _TABLE.findall(block)}
    found |= {f"{name}.base": int(base, 16) for name, _, base in _SEGMENT.findall(block)}
    found |= {name: int(value) for name, value in _FLAG.findall(block)}
    return found


def _wide(name: str) -> str:
    """EAX, EIP, EFL of a 32-bit CPU under the names of a 64-bit one."""
    return "R" + name[1:] if re.fullmatch(r"E(?!FER)[A-Z]{2}", name) else name
