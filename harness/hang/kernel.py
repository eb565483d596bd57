# SPDX-License-Identifier: GPL-2.0-only
"""Linux as seen from outside: symbols, back traces, tasks, modules.

Nothing is asked of the guest, which may be dead. Addresses come from the
kernel's own kallsyms, structures from its BTF, all out of the file that was
booted; modules describe themselves in memory. How its memory is reached, how
far a kernel with randomised addresses slid, and how it is unwound is the
architecture's: `kernel_x86`, `kernel_arm64`.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

from harness.hang.layout import Btf, NoLayout
from harness.hang.memory import Memory, NotMapped, text, u32, u64
from harness.hang.program import Names, Place

#: Linux aligns its text to this; every slide is a multiple.
ALIGN = 0x200000
_UNINTERRUPTIBLE, _NOLOAD = 0x2, 0x400
_TASKS, _MODULES, _SYMBOLS = 4000, 300, 20000
_SYMBOL = struct.Struct("<IBBHQQ")


@dataclass(frozen=True)
class Files:
    """What does not depend on a machine: one kernel's symbols, structures, tables."""

    release: str
    text: Names
    symbols: dict[str, int]
    btf: Btf
    start: int
    end: int


@dataclass
class Module:
    """A loaded module: its structure's address, its code and names."""

    address: int
    name: str
    start: int
    size: int
    names: Names

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
    frames: list[Place] = field(default_factory=list)

    @property
    def blocked(self) -> bool:
        """It waits and nothing but what it waits for wakes it ("D")."""
        return bool(self.state & _UNINTERRUPTIBLE) and not self.state & _NOLOAD

    def __str__(self) -> str:
        return f"{self.name} ({self.pid})"


class NoKernel(Exception):
    """No running kernel of that release was found."""


class Kernel(ABC):
    """A stopped machine's Linux, through one set of its page tables."""

    def __init__(self, known: Files, memory: Memory, slide: int) -> None:
        """`slide`: how far its symbols are from where `known` has them."""
        self._files = known
        self.memory = memory
        self.slide = slide

    def symbol(self, name: str) -> int:
        """Where a symbol is now."""
        return self._files.symbols[name] + self.slide

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
        try:
            for entry in self._list(head, _MODULES):
                with suppress(NotMapped, NoLayout):
                    yield self._module(entry - link)
        except NotMapped:
            return  # a list that was being changed when the machine stopped

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
        return Module(module, name, start, size, self._module_names(module, start, size))

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

    @abstractmethod
    def trace(self, registers: dict[str, int], exact: bool = True) -> list[Place]:
        """The back trace from these registers, innermost first.

        Not `exact`: the program counter is a return address.
        """

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
        )

    @abstractmethod
    def _sleeper(self, task: Task) -> list[Place]:
        """The back trace of a task that is not on a CPU."""

    @abstractmethod
    def current(self, cpu: int) -> Task | None:
        """What runs on a CPU (Linux's number); None if that can not be read."""
