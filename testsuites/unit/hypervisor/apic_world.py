# SPDX-License-Identifier: GPL-2.0-only
"""Python's side of fake/apic_world.c."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CDEF = """
struct world_write { u64 where, value; };
extern struct world_write world_log[64];
extern unsigned int world_log_count;
extern u64 world_apic[0x40];
extern u64 world_apic_base;
struct vcpu_state { u64 rip, rflags, cr0, cr3, cr4, efer; u16 cs_selector; u64 cs_base; u32 cs_attr; unsigned int cpl; };
extern struct vcpu_state world_state;
struct insn { unsigned int length, size; bool is_write, is_immediate; u64 immediate; unsigned int reg;
              bool high_byte; unsigned int reg_size; };
extern struct insn world_insn;
extern u64 world_pat, world_efer, world_xcr0;
extern int world_skipped, world_exception, world_accepted;
extern unsigned int world_cpuid_leaf;
struct leaf { u32 eax, ebx, ecx, edx; };
extern struct leaf world_cpuid_answer;
extern u8 world_memory[0x100000];
extern char fake_log[65536];
extern bool using_x2apic;
void fake_log_clear(void);
struct guest_regs { u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rsp, rbx, rdx, rcx, rax; };
int world_init(bool x2apic, const u32 *ids, u32 cell_cpus);
void world_become(unsigned int cpu);
void world_set_failed(unsigned int cpu, bool failed);
int world_next_event(unsigned int cpu);
u32 world_stat(unsigned int cpu, unsigned int n);
void world_set_apic_mode(u8 mode);
void apic_clear(void);
unsigned int world_apic_to_cpu(u32 apic_id);
bool apic_handle_xapic_write(struct guest_regs *regs, u32 offset);
bool x86_handle_msr_read(struct guest_regs *regs);
bool x86_handle_msr_write(struct guest_regs *regs);
void x86_handle_cpuid(struct guest_regs *regs, u64 cr4);
bool x86_handle_xsetbv(struct guest_regs *regs);
int msr_action(u32 msr, bool root, bool is_write);
void msr_reset_memory_types(void);
void msrpm_init(void);
const u8 *msrpm_for(bool root);
void msr_bitmaps_init(void);
const u8 *msr_bitmap_for(bool root);
unsigned int vcpu_fetch(const struct vcpu_state *state, u8 *bytes);
extern u64 page_table_generation;
int world_peeks(void);
void world_other_tables(bool other);
"""
VENDOR = {"svm": ("svm/msr", "svm/msrpm"), "vmx": ("vmx/msr",)}


def sources(vendor: str) -> list[str]:
    common = ("apic", "apic_guest", "ipi", "msr", "cpuid", "guest_walk")
    return [
        *(f"hypervisor/arch/x86/{n}.c" for n in (*common, *VENDOR[vendor])),
        "hypervisor/lib/string.c", "apic_world.c", "io.c", "printk.c",
    ]  # fmt: skip


SOURCES = sources("svm")
IDS = (0, 1, 2, 3, 0x10, 0x11, 0x12, 0xFE)
CELL_CPUS = 0b0111_0100  # CPUs 2, 4, 5, 6
GP, UD = 13, 6
INIT, NOTHING = -2, -1

FIXED, LOWEST, SMI, NMI, INIT_MODE, SIPI, EXTINT = 0x000, 0x100, 0x200, 0x400, 0x500, 0x600, 0x700
LOGICAL, ASSERT, LEVEL = 1 << 11, 1 << 14, 1 << 15
SELF, ALL, OTHERS = 1 << 18, 2 << 18, 3 << 18


class World:
    """CPU 2 of the non-root cell runs, unless a test changes it."""

    def __init__(
        self, hostlib: Any, x2apic: bool = False, ids: Sequence[int] = IDS, vendor: str = "svm"
    ) -> None:
        mod = hostlib(sources(vendor), CDEF)
        self.ffi, self.lib = mod.ffi, mod.lib
        assert self.lib.world_init(x2apic, list(ids), CELL_CPUS) == 0
        self.regs = self.ffi.new("struct guest_regs *")
        self.become(2)
        self.take()
        self.log()

    def become(self, cpu: int) -> None:
        self.lib.world_become(cpu)

    def take(self) -> list[tuple[int, int]]:
        """What was written to the hardware since the last call."""
        log = [(w.where, w.value) for w in self.lib.world_log[0 : self.lib.world_log_count]]
        self.lib.world_log_count = 0
        return log

    def log(self) -> str:
        text = self.ffi.string(self.lib.fake_log).decode()
        self.lib.fake_log_clear()
        return text

    def _outcome(self, ok: bool) -> str:
        """"done", "gp" or "fatal"."""
        skipped, exception = self.lib.world_skipped, self.lib.world_exception
        self.lib.world_skipped, self.lib.world_exception = 0, -1
        if not ok:
            assert skipped == 0
            assert exception == -1
            return "fatal"
        if exception >= 0:
            assert skipped == 0
            assert exception == GP
            return "gp"
        assert skipped > 0
        return "done"

    def wrmsr(self, msr: int, value: int) -> str:
        self.regs.rcx, self.regs.rax, self.regs.rdx = msr, value & 0xFFFFFFFF, value >> 32
        return self._outcome(self.lib.x86_handle_msr_write(self.regs))

    def rdmsr(self, msr: int) -> int | str:
        self.regs.rcx, self.regs.rax, self.regs.rdx = msr, 0xDEADBEEF00000000, 0xDEADBEEF00000000
        outcome = self._outcome(self.lib.x86_handle_msr_read(self.regs))
        return self.regs.rax | self.regs.rdx << 32 if outcome == "done" else outcome

    def xapic_write(self, offset: int, value: int, size: int = 4) -> str:
        self.lib.world_insn.length, self.lib.world_insn.size = 6, size
        self.lib.world_insn.is_write, self.lib.world_insn.immediate = True, value
        return self._outcome(self.lib.apic_handle_xapic_write(self.regs, offset))

    def icr(self, low: int, dest: int) -> str:
        """As the guest of this mode would: MSR 0x830."""
        return self.wrmsr(0x830, dest << 32 | low)

    def events(self, cpu: int) -> list[int]:
        found = []
        while (event := self.lib.world_next_event(cpu)) != NOTHING:
            found.append(event)
        return found
