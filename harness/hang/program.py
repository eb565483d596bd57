# SPDX-License-Identifier: GPL-2.0-only
"""One of our ELF files: names and source lines of its addresses, and how its frames unwind."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from harness.hang.inlined import calls_at
from harness.hang.layout import Dwarf, NoLayout
from harness.hang.memory import Memory, NotMapped, u64

#: Of a back trace at most.
FRAMES = 40


@dataclass(frozen=True)
class Convention:
    """How an architecture calls. `names`: DWARF's numbers of its registers."""

    names: tuple[str, ...]
    pc: str
    sp: str
    #: Where a call leaves the return address; "" is the stack.
    link: str = ""


#: x86-64 psABI, figure 3.36; DWARF for the Arm 64-bit Architecture, table 1.
X86 = Convention(
    (
        "RAX", "RDX", "RCX", "RBX", "RSI", "RDI", "RBP", "RSP",
        "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15", "RIP",
    ),
    "RIP", "RSP",
)  # fmt: skip
ARM64 = Convention((*(f"X{n:02}" for n in range(31)), "SP"), "PC", "SP", "X30")


@dataclass(frozen=True)
class Place:
    """What people call an address: "function+0x12 (file.c:34)"."""

    address: int
    symbol: str = ""
    offset: int = 0
    file: str = ""
    line: int = 0
    #: Which binary: "hypervisor", "linux", a module's or an inmate's name.
    where: str = ""

    @property
    def source(self) -> str:
        """File and line ("a.c:7"), or the symbol where the lines are not known."""
        return f"{self.file}:{self.line}" if self.file else self.name

    @property
    def name(self) -> str:
        if not self.symbol:
            return f"{self.address:#x}"
        return f"{self.symbol}+{self.offset:#x}" if self.offset else self.symbol

    def __str__(self) -> str:
        source = f" at {self.file}:{self.line}" if self.file else ""
        return f"{self.address:#018x} {self.name}{source} [{self.where or '?'}]"


class Names:
    """Sorted symbols; an address belongs to the last one at or below it."""

    def __init__(self, symbols: list[tuple[int, str]]) -> None:
        ordered = sorted(symbols)
        self._addresses = [address for address, _ in ordered]
        self._names = [name for _, name in ordered]
        self._by_name = {name: address for address, name in reversed(ordered)}

    def of(self, address: int) -> tuple[str, int]:
        """Name and offset; ("", 0) below the first one."""
        index = bisect.bisect_right(self._addresses, address) - 1
        if index < 0:
            return "", 0
        return self._names[index], address - self._addresses[index]

    def address(self, name: str) -> int:
        """KeyError if there is no such symbol."""
        return self._by_name[name]


def section(elf: ELFFile, name: str) -> Any:
    """A section that must be there; NoLayout."""
    found = elf.get_section_by_name(name)
    if found is None:
        raise NoLayout(f"no section {name}")
    return found


class Program:
    """An ELF file with DWARF, at the addresses it was linked for."""

    def __init__(self, path: Path, where: str) -> None:
        self.path = path
        self.where = where
        self._file = path.open("rb")
        self._elf = ELFFile(self._file)
        text = section(self._elf, ".text")
        self.start: int = text["sh_addr"]
        self.code: bytes = text.data()
        self._calls = ARM64 if self._elf["e_machine"] == "EM_AARCH64" else X86

    @cached_property
    def _dwarf(self) -> Any:
        return self._elf.get_dwarf_info()

    @cached_property
    def layout(self) -> Dwarf:
        return Dwarf(self._dwarf)

    @cached_property
    def names(self) -> Names:
        table = section(self._elf, ".symtab")
        kinds = ("STT_FUNC", "STT_NOTYPE", "STT_OBJECT")
        return Names([
            (symbol["st_value"], symbol.name)
            for symbol in table.iter_symbols()
            if symbol.name and symbol["st_info"]["type"] in kinds
        ])  # fmt: skip

    def holds(self, address: int) -> bool:
        """Whether the address is in this program's code."""
        return self.start <= address < self.start + len(self.code)

    def place(self, address: int, returned: bool = False) -> Place:
        """`returned`: it is a return address, whose call is one byte before.

        Where it is in an inlined function, the line is that of the call.
        """
        return self.places(address, returned)[-1]

    def places(self, address: int, returned: bool = False) -> list[Place]:
        """The same with what was inlined there, innermost first."""
        asked = address - 1 if returned else address
        symbol, offset = self.names.of(asked)
        file, line = self._line(asked)
        found = []
        for name, call_file, call_line in reversed(calls_at(self._dwarf, asked)):
            found.append(Place(address, f"{name} (inlined)", 0, file, line, self.where))
            file, line = self._call_file(asked, call_file), call_line
        return [*found, Place(address, symbol, offset + returned, file, line, self.where)]

    def _call_file(self, address: int, number: int) -> str:
        unit = self._dwarf.get_CU_at(self._dwarf.get_aranges().cu_offset_at_addr(address))
        return _files(self._dwarf.line_program_for_CU(unit)).get(number, "")

    # --- lines

    @cached_property
    def _lines(self) -> tuple[list[int], list[tuple[str, int]]]:
        rows = sorted(self._rows(), key=lambda row: row[0])
        return [address for address, *_ in rows], [(file, line) for _, file, line in rows]

    def _rows(self) -> Iterator[tuple[int, str, int]]:
        for unit in self._dwarf.iter_CUs():
            program = self._dwarf.line_program_for_CU(unit)
            if program is None:
                continue
            files = _files(program)
            for entry in program.get_entries():
                state = entry.state
                if state is None or not self.holds(state.address):
                    continue
                yield state.address, "" if state.end_sequence else files[state.file], state.line

    def _line(self, address: int) -> tuple[str, int]:
        addresses, rows = self._lines
        index = bisect.bisect_right(addresses, address) - 1
        return rows[index] if index >= 0 and rows[index][0] else ("", 0)

    # --- frames

    @cached_property
    def _frames(self) -> tuple[list[int], list[Any]]:
        if not self._dwarf.has_CFI():
            return [], []
        entries = [e for e in self._dwarf.CFI_entries() if "initial_location" in e.header]
        entries.sort(key=lambda entry: entry["initial_location"])
        return [entry["initial_location"] for entry in entries], entries

    def _rules(self, address: int) -> Any:
        """The row of the unwind table for an address; None in assembly."""
        starts, entries = self._frames
        index = bisect.bisect_right(starts, address) - 1
        if index < 0 or address >= starts[index] + entries[index]["address_range"]:
            return None
        rows = [row for row in entries[index].get_decoded().table if row["pc"] <= address]
        return rows[-1] if rows else None

    def unwind(self, registers: dict[str, int], memory: Memory, top: bool) -> dict[str, int] | None:
        """The caller's registers; None at the end of what can be unwound.

        `top`: the program counter is where the CPU is, not a return address.
        """
        calls = self._calls
        rules = self._rules(registers[calls.pc] - (not top))
        try:
            if rules is None:
                return self._leaf(registers, memory) if top else None
            if rules["cfa"].reg is None:
                return None
            cfa = registers[calls.names[rules["cfa"].reg]] + rules["cfa"].offset
            caller = {**registers, calls.sp: cfa}
            saved = set()
            for number, rule in rules.items():
                if isinstance(number, int) and number < len(calls.names) and rule.type == "OFFSET":
                    caller[calls.names[number]] = u64(memory, cfa + rule.arg)
                    saved.add(calls.names[number])
        except (NotMapped, KeyError):
            return None
        if calls.link:
            if not top and calls.link not in saved:
                return None  # only the innermost function may have it in the register still
            caller[calls.pc] = caller[calls.link]
        return caller if self.holds(caller[calls.pc]) else None

    def _leaf(self, registers: dict[str, int], memory: Memory) -> dict[str, int] | None:
        """A function in assembly that has pushed nothing."""
        calls = self._calls
        stack = registers[calls.sp]
        back = registers[calls.link] if calls.link else u64(memory, stack)
        if not self.holds(back):
            return None
        return {**registers, calls.pc: back, calls.sp: stack + (0 if calls.link else 8)}

    def pc(self, registers: dict[str, int]) -> int:
        """The program counter among registers."""
        return registers[self._calls.pc]


def _files(program: Any) -> dict[int, str]:
    """Names by number, relative to the source tree (DWARF 5 counts from 0, older from 1)."""
    version = program.header["version"]
    folders = [
        name.decode() if isinstance(name, bytes) else name
        for name in program.header["include_directory"]
    ]
    found = {}
    for number, entry in enumerate(program.header["file_entry"], start=version < 5):
        folder = entry.dir_index if version >= 5 else entry.dir_index - 1
        path = Path(folders[folder] if 0 <= folder < len(folders) else "") / entry.name.decode()
        found[number] = _shortened(str(path))
    return found


def _shortened(path: str) -> str:
    """Below the source tree, as people write it."""
    for folder in ("hypervisor/", "inmates/"):
        start = path.find(folder)
        if start >= 0:
            return path[start:]
    return path


@cache
def _opened(path: Path, where: str, _stamp: int) -> Program:
    return Program(path, where)


def opened(path: Path, where: str) -> Program:
    """A program, read once as long as the file does not change."""
    return _opened(path, where, path.stat().st_mtime_ns)
