# SPDX-License-Identifier: GPL-2.0-only
"""Our hypervisor as seen from outside: its CPUs, cells, exit counters, back traces.

It is found in the memory that the machine keeps for it; the build that it came
from is the one whose code is the same, byte for byte.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from harness.hang.layout import NoLayout
from harness.hang.memory import ArmPaged, Linear, NotMapped, Paged, Physical, text, u32, u64
from harness.hang.program import FRAMES, Place, Program, opened
from harness.hang.registers import Cpu
from harness.results import REPOSITORY

_SIGNATURE = b"JAILHOUS"
#: struct jailhouse_image_header (include/jailhouse/image.h).
_HEADER = struct.Struct("<8sIIQQQQQIIQQ")
_CELLS = 64
_STATES = {0: "running", 1: "running/locked", 2: "shut down", 3: "failed"}
#: In the control block's state area, the order of struct guest_regs (arch/percpu.h).
_GUEST_REGISTERS = (
    "R15", "R14", "R13", "R12", "R11", "R10", "R9", "R8",
    "RDI", "RSI", "RBP", "", "RBX", "RDX", "RCX", "",
)  # fmt: skip

#: Names of the exit counters that an architecture adds to those of all (hypercall.h).
_COUNTERS = {"x86": ("PIO", "NUM_CPU_STATS_X86"), "arm64": ("MAINTENANCE", "NUM_CPU_STATS_ARM64")}


@cache
def counter_names(
    architecture: str = "x86", header: Path = REPOSITORY / "include/jailhouse/hypercall.h"
) -> tuple[str, ...]:
    """Names of an architecture's exit counters, in the order of their numbers."""
    text = header.read_text()
    first, end = _COUNTERS[architecture]
    own = text[text.index(f"VMEXITS_{first}") : text.index(end)]
    common = text[: text.index("GENERIC_CPU_STATS")]
    words = re.findall(r"VMEXITS_(\w+)\s+(\d+)", common + own)
    return tuple(name.lower() for name, _ in sorted(words, key=lambda word: int(word[1])))


@dataclass
class Cell:
    """One cell. `state` is what the cell says of itself."""

    number: int
    name: str
    state: str
    root: bool
    #: Guest-physical to host-physical, CPUs' view.
    stage2: Paged


@dataclass
class HvCpu:
    """What the hypervisor keeps of one CPU."""

    number: int
    cell: Cell | None
    failed: bool
    suspended: bool
    asked_to_suspend: bool
    counters: dict[str, int]
    #: The guest's registers, valid while the CPU is in the hypervisor.
    guest: dict[str, int] = field(default_factory=dict)


class NoHypervisor(Exception):
    """There is none in that memory, or no build has its code."""


#: Configurations put it at multiples of this, usually at one of the reservation's ends.
_STEP = 2 << 20


def located(physical: Physical, kept: range) -> int:
    """Where in the memory kept for it and its cells it is; NoHypervisor."""
    for start in (kept.start, *reversed(range(kept.start + _STEP, kept.stop, _STEP))):
        try:
            if physical.read(start, len(_SIGNATURE)) == _SIGNATURE:
                return start
        except NotMapped:
            break
    raise NoHypervisor(f"no hypervisor in memory from {kept.start:#x} to {kept.stop:#x}")


class Hypervisor:
    """A stopped machine's hypervisor. Its structures are read again at every call."""

    def __init__(
        self, physical: Physical, start: int, candidates: Iterable[Path], architecture: str = "x86"
    ) -> None:
        """`start`: its physical memory. `candidates`: ELF files it may have come from."""
        self._physical = physical
        self._counters = counter_names(architecture)
        self._arm = architecture == "arm64"
        try:
            header = _HEADER.unpack(physical.read(start, _HEADER.size))
        except NotMapped as error:
            raise NoHypervisor(str(error)) from error
        self._core, self._stride, self._link = map(int, header[3:6])
        self._max_cpus, self._start, self._size = int(header[8]), int(header[10]), int(header[11])
        if header[0] != _SIGNATURE or self._start != start:
            raise NoHypervisor(f"no hypervisor in memory at {start:#x}")
        self.memory = Linear(physical, self._link, start, self._size)
        self.program = self._identified(candidates)

    @property
    def active(self) -> bool:
        """Whether it still runs: what it leaves behind in its memory looks the same."""
        left = self.program.names.address("leaving")
        return not self.memory.read(self._at("leaving", left, "done"), 1)[0]

    def _identified(self, candidates: Iterable[Path]) -> Program:
        for path in candidates:
            program = opened(path, "hypervisor")
            try:
                if self.memory.read(program.start, len(program.code)) == program.code:
                    return program
            except NotMapped:
                continue
        raise NoHypervisor("a hypervisor is in memory, but no build here has its code")

    def holds(self, address: int) -> bool:
        """Whether an address is in its own address space."""
        return self._link <= address < self._link + self._size

    # --- structures

    def _at(self, structure: str, address: int, path: str) -> int:
        return address + self.program.layout.offset(structure, path)

    def _percpu(self, number: int) -> int:
        return self._link + self._core + number * self._stride

    def cells(self) -> dict[int, Cell]:
        """All cells by the address of their structure, the root cell first."""
        found: dict[int, Cell] = {}
        address = self.program.names.address("root_cell")
        while address and len(found) < _CELLS:
            found[address] = self._cell(address, root=not found)
            address = u64(self.memory, self._at("cell", address, "next"))
        return found

    def _cell(self, address: int, root: bool) -> Cell:
        config = u64(self.memory, self._at("cell", address, "config"))
        comm = u64(self.memory, self._at("cell", address, "comm_page"))
        tables = u64(self.memory, self._at("cell", address, "stage2.root"))
        state = "running"
        if comm:
            number = u32(self.memory, self._at("jailhouse_comm_region", comm, "cell_state"))
            state = _STATES.get(number, f"unknown ({number})")
        return Cell(
            u32(self.memory, self._at("jailhouse_cell_desc", config, "id")),
            text(self.memory, self._at("jailhouse_cell_desc", config, "name"), 32),
            state,
            root,
            self._stage2(tables - self._link + self._start),
        )

    def _stage2(self, root: int) -> Paged:
        if not self._arm:
            return Paged(self._physical, root)
        # As stage2_init() has decided (hypervisor/arch/arm64/paging.c).
        if u32(self.memory, self.program.names.address("stage2_bits")) > 40:
            return ArmPaged(self._physical, root)
        return ArmPaged(self._physical, root, levels=3, entries=1024)

    def cpu(self, number: int, cells: dict[int, Cell]) -> HvCpu | None:
        """None if the hypervisor was never given that CPU."""
        if number >= self._max_cpus:
            return None
        area = self._percpu(number)

        def flag(name: str) -> bool:
            return bool(self.memory.read(self._at("per_cpu", area, name), 1)[0])

        if not flag("initialized"):
            return None
        names = self._counters
        raw = self.memory.read(self._at("per_cpu", area, "stats"), 4 * len(names))
        return HvCpu(
            number,
            cells.get(u64(self.memory, self._at("per_cpu", area, "cell"))),
            flag("failed"),
            flag("suspended"),
            flag("suspend_requested"),
            dict(zip(names, struct.unpack(f"<{len(names)}I", raw), strict=True)),
            self._guest_or_nothing(area),
        )

    def _guest_or_nothing(self, area: int) -> dict[str, int]:
        """Intel's and ARM's CPUs keep where a guest was in no memory (SDM 3C, 25.1; ELR_EL2)."""
        try:
            return self._guest(area)
        except NoLayout:
            return {}

    def _guest(self, area: int) -> dict[str, int]:
        block = self._at("per_cpu", area, "arch.control_block")
        saved = {
            name: u64(self.memory, self._at("vmcb", block, path))
            for name, path in (
                ("RIP", "rip"), ("RSP", "rsp"), ("RFL", "rflags"), ("CR0", "cr0"), ("CR3", "cr3"),
                ("CR4", "cr4"), ("EFER", "efer"), ("IDT", "idtr.base"), ("exitcode", "exitcode"),
            )
        }  # fmt: skip
        saved["CPL"] = self.memory.read(self._at("vmcb", block, "cpl"), 1)[0]
        registers = u64(self.memory, self._at("per_cpu", area, "arch.regs"))
        try:
            words = struct.unpack("<16Q", self.memory.read(registers, 128))
        except NotMapped:
            return saved  # no exit has been handled yet
        return saved | {n: word for n, word in zip(_GUEST_REGISTERS, words, strict=True) if n}

    # --- stacks

    def trace(self, cpu: Cpu) -> list[Place]:
        """The back trace of a CPU that is in the hypervisor, innermost first."""
        registers: dict[str, int] | None = dict(cpu.values)
        found: list[Place] = []
        top = True
        while registers is not None and len(found) < FRAMES:
            found += self.program.places(self.program.pc(registers), returned=not top)
            registers = self.program.unwind(registers, self.memory, top)
            top = False
        return found
