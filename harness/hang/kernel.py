# SPDX-License-Identifier: GPL-2.0-only
"""Linux as seen from outside: symbols, back traces, tasks, modules. x86-64.

Nothing is asked of the guest, which may be dead. Addresses come from the
kernel's own kallsyms, structures from its BTF, unwinding from its ORC tables,
all out of the file that was booted; modules describe themselves in memory. The
slide of a kernel with randomised addresses is found through its interrupt table.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property

from elftools.elf.elffile import ELFFile

from harness.hang.kallsyms import symbols as kallsyms
from harness.hang.layout import Btf, NoLayout
from harness.hang.memory import Memory, NotMapped, Paged, Physical, text, u32, u64
from harness.hang.orc import ENTRY, Frame, Orc
from harness.hang.program import Names, Place, section
from harness.provision import KernelTree

#: Linux aligns its text to this (CONFIG_PHYSICAL_ALIGN); every slide is a multiple.
_ALIGN = 0x200000
#: Flags of ELF sections.
_ALLOCATED, _EXECUTABLE = 0x2, 0x4
#: Kernel's tables: page-table isolation keeps the user's in the page behind (arch/x86/mm/pti.c).
_TABLES = ~0x1FFF
_UNINTERRUPTIBLE, _NOLOAD = 0x2, 0x400
_TASKS, _FRAMES, _MODULES, _SYMBOLS = 4000, 40, 300, 20000
_SYMBOL = struct.Struct("<IBBHQQ")


@dataclass(frozen=True)
class Files:
    """What does not depend on a machine: one kernel's symbols, structures, tables."""

    release: str
    text: Names
    symbols: dict[str, int]
    btf: Btf
    orc: Orc
    start: int
    end: int


@cache
def files(tree: KernelTree) -> Files:
    """Read a kernel's files, once a process (about a second)."""
    with tree.payload.open("rb") as file:
        elf = ELFFile(file)
        loaded = [one for one in elf.iter_sections() if one["sh_flags"] & _ALLOCATED]
        code = [one for one in loaded if one["sh_flags"] & _EXECUTABLE]
        start = min(one["sh_addr"] for one in code)
        table = list(kallsyms(section(elf, ".rodata").data(), start))
        ips = section(elf, ".orc_unwind_ip")
        # The header of 6.4 came with the new meaning of the types.
        new = elf.get_section_by_name(".orc_header") is not None
        orc = Orc(ips.data(), section(elf, ".orc_unwind").data(), ips["sh_addr"], new)
        btf = Btf(section(elf, ".BTF").data())
    return Files(
        tree.release,
        Names([(address, name) for address, kind, name in table if kind in "tTwW"]),
        {name: address for address, _, name in reversed(table)},
        btf,
        orc,
        start,
        max(one["sh_addr"] + one["sh_size"] for one in code),
    )


@dataclass
class Module:
    """A loaded module: its code and names; `orc` unwinds it."""

    name: str
    start: int
    size: int
    names: Names
    orc: Orc

    def holds(self, address: int) -> bool:
        return self.start <= address < self.start + self.size


@dataclass
class Task:
    """One thread. `state` is the kernel's bit mask."""

    address: int
    pid: int
    name: str
    state: int
    running: bool
    stack_pointer: int
    frames: list[Place] = field(default_factory=list)

    @property
    def blocked(self) -> bool:
        """It waits and nothing but what it waits for wakes it ("D")."""
        return bool(self.state & _UNINTERRUPTIBLE) and not self.state & _NOLOAD

    def __str__(self) -> str:
        return f"{self.name} ({self.pid})"


class NoKernel(Exception):
    """No running kernel of that release was found."""


class Kernel:
    """A stopped machine's Linux, through one set of its page tables."""

    def __init__(self, tree: KernelTree, physical: Physical, cr3: int, idt: int) -> None:
        """`cr3` and `idt` of any CPU that is in Linux; NoKernel if these lead to none."""
        self._files = files(tree)
        self.memory: Memory = Paged(physical, cr3 & _TABLES)
        self.slide = self._find_slide(idt)

    def _find_slide(self, idt: int) -> int:
        """From gate 0 of the interrupt table (APM 2, 8.9.2: offset in three parts)."""
        try:
            low, _, _, middle, high = struct.unpack("<HHHHI", self.memory.read(idt, 12))
            gate: int = high << 32 | middle << 16 | low
            found = gate - self.symbol("asm_exc_divide_error", 0)
            banner = text(self.memory, self.symbol("linux_banner", found), 200)
        except (NotMapped, KeyError) as error:
            raise NoKernel(f"no interrupt table of Linux at {idt:#x}: {error}") from error
        if found % _ALIGN or not banner.startswith(f"Linux version {self._files.release} "):
            raise NoKernel(f"no Linux {self._files.release} with slide {found:#x}")
        return found

    def symbol(self, name: str, slide: int | None = None) -> int:
        """Where a symbol is now; per-CPU symbols are offsets and do not slide."""
        return self._files.symbols[name] + (self.slide if slide is None else slide)

    # --- code

    def holds(self, address: int) -> bool:
        return self._files.start <= address - self.slide < self._files.end

    @cached_property
    def modules(self) -> list[Module]:
        """All loaded modules; what is unreadable is left out."""
        return list(self._modules())

    def _modules(self) -> Iterator[Module]:
        btf = self._files.btf
        head = self.symbol("modules")
        link = btf.offset("module", "list")
        for entry in self._list(head, _MODULES):
            try:
                yield self._module(entry - link)
            except (NotMapped, NoLayout):
                continue

    def _module(self, module: int) -> Module:
        btf = self._files.btf
        if btf.has("module", "mem"):  # since 6.4; its first element is the code
            area = module + btf.offset("module", "mem")
            start = u64(self.memory, area + btf.offset("module_memory", "base"))
            size = u32(self.memory, area + btf.offset("module_memory", "size"))
        else:
            start = u64(self.memory, module + btf.offset("module", "core_layout.base"))
            size = u32(self.memory, module + btf.offset("module", "core_layout.text_size"))
        name = text(self.memory, module + btf.offset("module", "name"))
        return Module(name, start, size, self._module_names(module, start, size),
                      self._module_orc(module))  # fmt: skip

    def _module_names(self, module: int, start: int, size: int) -> Names:
        btf = self._files.btf
        table = u64(self.memory, module + btf.offset("module", "kallsyms"))
        symbols = u64(self.memory, table + btf.offset("mod_kallsyms", "symtab"))
        count = u32(self.memory, table + btf.offset("mod_kallsyms", "num_symtab"))
        strings = u64(self.memory, table + btf.offset("mod_kallsyms", "strtab"))
        raw = self.memory.read(symbols, min(count, _SYMBOLS) * _SYMBOL.size)
        return Names([
            (value, text(self.memory, strings + name))
            for name, _, _, _, value, _ in _SYMBOL.iter_unpack(raw)
            if start <= value < start + size
        ])  # fmt: skip

    def _module_orc(self, module: int) -> Orc:
        btf = self._files.btf
        count = u32(self.memory, module + btf.offset("module", "arch.num_orcs"))
        ips = u64(self.memory, module + btf.offset("module", "arch.orc_unwind_ip"))
        entries = u64(self.memory, module + btf.offset("module", "arch.orc_unwind"))
        new = btf.has("module", "mem")
        if not count:
            return Orc(b"", b"", 0, new)
        return Orc(self.memory.read(ips, count * 4),
                   self.memory.read(entries, count * ENTRY.size), ips, new)  # fmt: skip

    def place(self, address: int, returned: bool = False) -> Place:
        """What is there; `returned` as in `Program.place()`."""
        asked = address - 1 if returned else address
        if self.holds(asked):
            symbol, offset = self._files.text.of(asked - self.slide)
            return Place(address, symbol, offset + returned, where="linux")
        for module in self.modules:
            if module.holds(asked):
                symbol, offset = module.names.of(asked)
                return Place(address, symbol, offset + returned, where=module.name)
        return Place(address, where="linux" if asked >> 47 else "user")

    # --- stacks

    def trace(self, registers: dict[str, int], exact: bool = True) -> list[Place]:
        """The back trace from these registers, innermost first."""
        frame: Frame | None = Frame(registers, exact)
        found: list[Place] = []
        while frame is not None and len(found) < _FRAMES:
            address = frame.registers["RIP"]
            if not address >> 63:
                break
            found.append(self.place(address, returned=not frame.exact))
            try:
                frame = self._unwind(frame)
            except NotMapped:
                break
        return found

    def _unwind(self, frame: Frame) -> Frame | None:
        address = frame.registers["RIP"]
        if self.holds(address):
            moved = Frame({**frame.registers, "RIP": address - self.slide}, frame.exact)
            return self._files.orc.unwind(moved, self.memory)
        for module in self.modules:
            if module.holds(address):
                return module.orc.unwind(frame, self.memory)
        return None

    # --- tasks

    def _list(self, head: int, limit: int) -> Iterator[int]:
        """Addresses of the links of a struct list_head."""
        link = u64(self.memory, head)
        while link != head and limit:
            yield link
            link = u64(self.memory, link)
            limit -= 1

    def tasks(self) -> list[Task]:
        """Every thread but the idle ones; those that are blocked with their back trace."""
        found = []
        try:
            for address in self._threads():
                task = self._task(address)
                if task.blocked:
                    task.frames = self._sleeper(task)
                found.append(task)
        except NotMapped:
            pass  # a list that was being changed when the machine stopped
        return found

    def _threads(self) -> Iterator[int]:
        btf = self._files.btf
        tasks = btf.offset("task_struct", "tasks")
        node = btf.offset("task_struct", "thread_node")
        for leader in self._list(self.symbol("init_task") + tasks, _TASKS):
            signal = u64(self.memory, leader - tasks + btf.offset("task_struct", "signal"))
            head = signal + btf.offset("signal_struct", "thread_head")
            for thread in self._list(head, _TASKS):
                yield thread - node

    def _task(self, address: int) -> Task:
        btf = self._files.btf

        def at(path: str) -> int:
            return address + btf.offset("task_struct", path)

        return Task(
            address,
            u32(self.memory, at("pid")),
            text(self.memory, at("comm"), 16),
            u32(self.memory, at("__state")),
            bool(u32(self.memory, at("on_cpu"))),
            u64(self.memory, at("thread.sp")),
        )

    def _sleeper(self, task: Task) -> list[Place]:
        """From struct inactive_task_frame: r15 to r12, rbx, rbp, return address."""
        stack = task.stack_pointer
        try:
            registers = {
                "RBP": u64(self.memory, stack + 40),
                "RIP": u64(self.memory, stack + 48),
                "RSP": stack + 56,
            }
        except NotMapped:
            return []
        return self.trace(registers, exact=False)

    def current(self, cpu: int) -> Task | None:
        """What runs on a CPU (Linux's number); None if that can not be read."""
        symbols = self._files.symbols
        # In struct pcpu_hot since 6.2 (its first member), a variable of its own before.
        name = "pcpu_hot" if "pcpu_hot" in symbols else "current_task"
        try:
            area = u64(self.memory, self.symbol("__per_cpu_offset") + cpu * 8)
            return self._task(u64(self.memory, (area + symbols[name]) % (1 << 64)))
        except (NotMapped, KeyError, NoLayout):
            return None
