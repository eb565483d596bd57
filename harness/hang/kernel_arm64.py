# SPDX-License-Identifier: GPL-2.0-only
"""Linux on arm64: found in physical memory, unwound by its frame pointers.

The slide is the virtual address of the image's start, from which its symbols count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from harness.hang.image_arm64 import files, size
from harness.hang.kernel import ALIGN, Files, Kernel, NoKernel, Task
from harness.hang.memory import PAGE, ArmPaged, NotMapped, Physical, text, u32, u64
from harness.hang.program import FRAMES, Place
from harness.provision import KernelTree


class Arm64Kernel(Kernel):
    """See `Kernel`."""

    def __init__(
        self, tree: KernelTree, physical: Physical, memory: range, hints: Sequence[int]
    ) -> None:
        """`memory`: physical addresses in which it may be; `hints`: where CPUs are in it.

        NoKernel if it is not there, or no hint leads to it.
        """
        known = files(tree)
        start = _physical_start(known, physical, memory)
        tables, slide = _tables(known, physical, start, size(tree), hints)
        super().__init__(known, tables, slide)

    # --- stacks

    def trace(self, registers: dict[str, int], exact: bool = True) -> list[Place]:
        found: list[Place] = []
        for address, returned in self._addresses(registers, exact):
            if not address >> 63 or len(found) == FRAMES:
                break
            found.append(self.place(address, returned))
        return found

    def _addresses(self, registers: dict[str, int], exact: bool) -> Iterator[tuple[int, bool]]:
        """Code addresses, and whether they are return addresses (AAPCS64, 6.4.6)."""
        pc, frame = registers["PC"], registers["X29"]
        yield pc, not exact
        first = True
        while frame:
            try:
                above, back = u64(self.memory, frame), u64(self.memory, frame + 8)
            except NotMapped:
                return
            link = registers.get("X30", 0)
            if first and exact and link != back and self._from_elsewhere(pc, link):
                yield link, True
            yield back, True
            frame, first = above, False

    def _from_elsewhere(self, pc: int, link: int) -> bool:
        """Whether X30 leads out of the function at `pc`, which then keeps no frame (yet).

        Else it is what the last call of that function left there.
        """
        here, there = self.place(pc), self.place(link, returned=True)
        return bool(there.symbol) and (here.where, here.symbol) != (there.where, there.symbol)

    # --- tasks

    def _sleeper(self, task: Task) -> list[Place]:
        """From thread.cpu_context, where cpu_switch_to() saves the registers."""
        btf = self._files.btf
        context = task.address + btf.offset("task_struct", "thread.cpu_context")
        try:
            registers = {
                "PC": u64(self.memory, context + btf.offset("cpu_context", "pc")),
                "X29": u64(self.memory, context + btf.offset("cpu_context", "fp")),
            }
        except NotMapped:
            return []
        return self.trace(registers, exact=False)

    @cached_property
    def _everyone(self) -> list[Task]:
        return self.tasks()

    def current(self, cpu: int) -> Task | None:
        """Among all tasks: its pointer is in SP_EL0, which QEMU does not print."""
        where = self._files.btf.offset("task_struct", "thread_info.cpu")
        for task in self._everyone:
            if task.running and u32(self.memory, task.address + where) == cpu:
                return task
        return None


def _physical_start(known: Files, physical: Physical, memory: range) -> int:
    banner = known.symbols["linux_banner"]
    for start in range((memory.start + ALIGN - 1) & -ALIGN, memory.stop, ALIGN):
        try:
            if text(physical, start + banner, 200).startswith(f"Linux version {known.release} "):
                return start
        except NotMapped:
            break
    raise NoKernel(f"no Linux {known.release} in memory")


def _tables(
    known: Files, physical: Physical, start: int, image: int, hints: Sequence[int]
) -> tuple[ArmPaged, int]:
    """The kernel's tables, one page of its image: through them a hint leads into its code.

    Those it began with lead there, too, but have no linear map (in the lower half).
    """
    code = range(start + known.start, start + known.end)
    for hint in (one for one in hints if one >> 63):
        for page in range(start, start + image, PAGE):
            entry = u64(physical, page + (hint >> 39 & 511) * 8)
            if entry & 3 != 3 or not any(physical.read(page, PAGE // 2)):
                continue
            tables = ArmPaged(physical, page)
            try:
                where = tables.translate(hint)
            except NotMapped:
                continue
            if where in code and not (hint - (where - start)) % ALIGN:
                return tables, hint - (where - start)
    raise NoKernel(f"no CPU is in Linux {known.release}")
