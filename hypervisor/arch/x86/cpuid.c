// SPDX-License-Identifier: GPL-2.0-only
/* CPUID and XSETBV of guests (abi.md 3.2, 7.4). */
#include <core/cell.h>
#include <core/printk.h>
#include <arch/registers.h>
#include <arch/vcpu.h>

#define CPUID_INSN_LENGTH	2
#define XSETBV_INSN_LENGTH	3

#define CPUID_1_ECX_VMX		(1U << 5)
#define CPUID_1_ECX_OSXSAVE	(1U << 27)
#define CPUID_1_ECX_HYPERVISOR	(1U << 31)
#define CPUID_80000001_ECX_SVM	(1U << 2)
#define CPUID_XSTATE		0xd

static void adjust_features(struct cpuid *leaf, bool root)
{
	struct vcpu_state state;

	/* The instruction runs with the hypervisor's CR4. */
	vcpu_get_state(&state);
	leaf->ecx &= ~CPUID_1_ECX_OSXSAVE;
	if (state.cr4 & CR4_OSXSAVE)
		leaf->ecx |= CPUID_1_ECX_OSXSAVE;
	if (root)
		return;
	leaf->ecx &= ~CPUID_1_ECX_VMX;
	leaf->ecx |= CPUID_1_ECX_HYPERVISOR;
}

static struct cpuid guest_cpuid(u32 leaf, u32 sub, bool root)
{
	struct cpuid r;

	switch (leaf) {
	case JAILHOUSE_CPUID_SIGNATURE:
		return (struct cpuid){ JAILHOUSE_CPUID_FEATURES, 0x6c69614a, 0x73756f68, 0x65 };
	case JAILHOUSE_CPUID_FEATURES:
		return (struct cpuid){ 0, 0, 0, 0 };
	}
	r = cpuid(leaf, sub);
	if (leaf == 1)
		adjust_features(&r, root);
	else if (leaf == 0x80000001 && !root)
		r.ecx &= ~CPUID_80000001_ECX_SVM;
	return r;
}

void x86_handle_cpuid(struct guest_regs *regs)
{
	struct cpuid r;

	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_CPUID);
	r = guest_cpuid(regs->rax, regs->rcx, this_cpu()->cell == &root_cell);
	regs->rax = r.eax;
	regs->rbx = r.ebx;
	regs->rcx = r.ecx;
	regs->rdx = r.edx;
	vcpu_skip_instruction(CPUID_INSN_LENGTH);
}

#ifndef JAILHOUSE_HOST_BUILD
static bool xsetbv_safe(u32 index, u32 lo, u32 hi)
{
	int ok = 0;

	asm volatile("1: xsetbv\n\t"
		     "mov $1, %0\n"
		     "2:\n\t"
		     ".pushsection .ex_table, \"a\"\n\t"
		     ".balign 8\n\t"
		     ".quad 1b, 2b\n\t"
		     ".popsection"
		     : "+r" (ok) : "c" (index), "a" (lo), "d" (hi) : "memory");
	return ok;
}
#else
bool xsetbv_safe(u32 index, u32 lo, u32 hi);
#endif

/* abi.md 7.4; combinations that the CPU refuses (AVX without SSE) are #GP. */
bool x86_handle_xsetbv(struct guest_regs *regs)
{
	u32 lo = regs->rax, hi = regs->rdx, index = regs->rcx;
	struct vcpu_state state;

	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_XSETBV);
	vcpu_get_state(&state);
	if (!(state.cr4 & CR4_OSXSAVE) || index || hi || !(lo & 1) ||
	    (lo & ~cpuid(CPUID_XSTATE, 0).eax)) {
		panic_printk("FATAL: Invalid xsetbv parameters: xcr[%u] = %08x:%08x, cell \"%s\", CPU %u\n",
			     index, hi, lo, cell_name(this_cpu()->cell), this_cpu()->cpu_id);
		return false;
	}
	if (state.cpl || !xsetbv_safe(index, lo, hi))
		vcpu_inject_exception(XCPT_GP, true, 0);
	else
		vcpu_skip_instruction(XSETBV_INSN_LENGTH);
	return true;
}
