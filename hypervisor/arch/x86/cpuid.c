// SPDX-License-Identifier: GPL-2.0-only
/* CPUID and XSETBV of guests (abi.md 3.2, 7.4). */
#include <core/cell.h>
#include <core/printk.h>
#include <arch/registers.h>
#include <arch/vcpu.h>

#define XSETBV_INSN_LENGTH	3

#define CPUID_1_ECX_VMX		(1U << 5)
#define CPUID_1_ECX_OSXSAVE	(1U << 27)
#define CPUID_1_ECX_HYPERVISOR	(1U << 31)
#define CPUID_80000001_ECX_SVM	(1U << 2)
#define CPUID_XSTATE		0xd

static void set_result(struct guest_regs *regs, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	regs->rax = eax;
	regs->rbx = ebx;
	regs->rcx = ecx;
	regs->rdx = edx;
}

static u32 adjust_features(u32 ecx, u64 cr4, bool root)
{
	/* The instruction runs with the hypervisor's CR4. */
	ecx &= ~CPUID_1_ECX_OSXSAVE;
	ecx |= (cr4 & CR4_OSXSAVE) * (CPUID_1_ECX_OSXSAVE / CR4_OSXSAVE);
	return root ? ecx : (ecx & ~CPUID_1_ECX_VMX) | CPUID_1_ECX_HYPERVISOR;
}

static void execute(struct guest_regs *regs, u32 leaf, u64 cr4)
{
	struct cpuid r = cpuid(leaf, regs->rcx);
	bool root = this_cpu()->cell == &root_cell;

	if (leaf == 1)
		r.ecx = adjust_features(r.ecx, cr4, root);
	else if (leaf == 0x80000001 && !root)
		r.ecx &= ~CPUID_80000001_ECX_SVM;
	set_result(regs, r.eax, r.ebx, r.ecx, r.edx);
}

void x86_handle_cpuid(struct guest_regs *regs, u64 cr4)
{
	u32 leaf = regs->rax;

	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_CPUID);
	if (leaf - JAILHOUSE_CPUID_SIGNATURE > JAILHOUSE_CPUID_FEATURES - JAILHOUSE_CPUID_SIGNATURE)
		execute(regs, leaf, cr4);
	else if (leaf == JAILHOUSE_CPUID_SIGNATURE)
		set_result(regs, JAILHOUSE_CPUID_FEATURES, 0x6c69614a, 0x73756f68, 0x65);
	else
		set_result(regs, 0, 0, 0, 0);
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
