# SPDX-License-Identifier: GPL-2.0-only
"""Linux on x86-64: found through its interrupt table, unwound by its ORC tables."""

from __future__ import annotations

import struct
from functools import cache

from elftools.elf.elffile import ELFFile

from harness.hang.kallsyms import functions
from harness.hang.kallsyms import symbols as kallsyms
from harness.hang.kernel import ALIGN, Files, Kernel, Module, NoKernel, Task
from harness.hang.layout import Btf, NoLayout
from harness.hang.memory import NotMapped, Paged, Physical, text, u32, u64
from harness.hang.orc import ENTRY, Frame, Orc
from harness.hang.program import FRAMES, Names, Place, section
from harness.provision import KernelTree

#: Flags of ELF sections.
_ALLOCATED, _EXECUTABLE = 0x2, 0x4
#: Kernel's tables: page-table isolation keeps the user's in the page behind (arch/x86/mm/pti.c).
_TABLES = ~0x1FFF


@cache
def files(tree: KernelTree) -> Files:
    """Read a kernel's files, once a process (about a second)."""
    with tree.payload.open("rb") as file:
        elf = ELFFile(file)
        loaded = [one for one in elf.iter_sections() if one["sh_flags"] & _ALLOCATED]
        code = [one for one in loaded if one["sh_flags"] & _EXECUTABLE]
        start = min(one["sh_addr"] for one in code)
        table = list(kallsyms(section(elf, ".rodata").data(), start))
        btf = Btf(section(elf, ".BTF").data())
    return Files(
        tree.release,
        Names(functions(table)),
        {name: address for address, _, name in reversed(table)},
        btf,
        start,
        max(one["sh_addr"] + one["sh_size"] for one in code),
    )


@cache
def unwinder(tree: KernelTree) -> Orc:
    """The kernel's own table, once a process."""
    with tree.payload.open("rb") as file:
        elf = ELFFile(file)
        ips = section(elf, ".orc_unwind_ip")
        # The header of 6.4 came with the new meaning of the types.
        new = elf.get_section_by_name(".orc_header") is not None
        return Orc(ips.data(), section(elf, ".orc_unwind").data(), ips["sh_addr"], new)


class X86Kernel(Kernel):
    """See `Kernel`."""

    def __init__(self, tree: KernelTree, physical: Physical, cr3: int, idt: int) -> None:
        """`cr3` and `idt` of any CPU that is in Linux; NoKernel if these lead to none."""
        known = files(tree)
        memory = Paged(physical, cr3 & _TABLES)
        super().__init__(known, memory, _slide(known, memory, idt))
        self._orc = unwinder(tree)
        self._orcs: dict[int, Orc] = {}

    # --- stacks

    def trace(self, registers: dict[str, int], exact: bool = True) -> list[Place]:
        frame: Frame | None = Frame(registers, exact)
        found: list[Place] = []
        while frame is not None and len(found) < FRAMES:
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
            return self._orc.unwind(moved, self.memory)
        for module in self.modules:
            if module.holds(address):
                return self._module_orc(module).unwind(frame, self.memory)
        return None

    def _module_orc(self, module: Module) -> Orc:
        if module.address not in self._orcs:
            self._orcs[module.address] = self._read_orc(module.address)
        return self._orcs[module.address]

    def _read_orc(self, module: int) -> Orc:
        btf = self._files.btf
        count = u32(self.memory, module + btf.offset("module", "arch.num_orcs"))
        ips = u64(self.memory, module + btf.offset("module", "arch.orc_unwind_ip"))
        entries = u64(self.memory, module + btf.offset("module", "arch.orc_unwind"))
        new = btf.has("module", "mem")
        if not count:
            return Orc(b"", b"", 0, new)
        return Orc(self.memory.read(ips, count * 4),
                   self.memory.read(entries, count * ENTRY.size), ips, new)  # fmt: skip

    def _sleeper(self, task: Task) -> list[Place]:
        """From struct inactive_task_frame: r15 to r12, rbx, rbp, return address."""
        try:
            stack = u64(
                self.memory, task.address + self._files.btf.offset("task_struct", "thread.sp")
            )
            registers = {
                "RBP": u64(self.memory, stack + 40),
                "RIP": u64(self.memory, stack + 48),
                "RSP": stack + 56,
            }
        except NotMapped:
            return []
        return self.trace(registers, exact=False)

    def current(self, cpu: int) -> Task | None:
        symbols = self._files.symbols
        # In struct pcpu_hot since 6.2 (its first member), a variable of its own before.
        name = "pcpu_hot" if "pcpu_hot" in symbols else "current_task"
        try:
            area = u64(self.memory, self.symbol("__per_cpu_offset") + cpu * 8)
            return self._task(u64(self.memory, (area + symbols[name]) % (1 << 64)))
        except (NotMapped, KeyError, NoLayout):
            return None


def _slide(known: Files, memory: Paged, idt: int) -> int:
    """From gate 0 of the interrupt table (APM 2, 8.9.2: offset in three parts)."""
    try:
        low, _, _, middle, high = struct.unpack("<HHHHI", memory.read(idt, 12))
        gate: int = high << 32 | middle << 16 | low
        found = gate - known.symbols["asm_exc_divide_error"]
        banner = text(memory, known.symbols["linux_banner"] + found, 200)
    except (NotMapped, KeyError) as error:
        raise NoKernel(f"no interrupt table of Linux at {idt:#x}: {error}") from error
    if found % ALIGN or not banner.startswith(f"Linux version {known.release} "):
        raise NoKernel(f"no Linux {known.release} with slide {found:#x}")
    return found
