// SPDX-License-Identifier: GPL-2.0-only
/* What each #VMEXIT means (APM 2, appendix C). */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <arch/apic.h>
#include <arch/apic_hw.h>
#include <arch/cpu.h>
#include <arch/registers.h>
#include <arch/vcpu.h>
#include "../vmx/vtd.h"
#include "offsets.h"
#include "svm.h"

#define CPUID_INSN_LENGTH	2
#define INVD_INSN_LENGTH	2
#define VMMCALL_INSN_LENGTH	3

/* false: a violation, and the line is printed. */
typedef bool (*exit_handler)(struct guest_regs *regs, struct vmcb *vmcb);

/* The NMI itself is still pending: GIF is 0.  Our IDT takes it. */
static bool exit_nmi(struct guest_regs *regs, struct vmcb *vmcb)
{
	(void)regs;
	(void)vmcb;
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_MANAGEMENT);
	asm volatile("stgi; nop; clgi" : : : "memory");
	this_cpu()->arch.nmi_pending = true;
	return true;
}

static bool exit_cpuid(struct guest_regs *regs, struct vmcb *vmcb)
{
	svm_skip(vmcb, CPUID_INSN_LENGTH);
	x86_handle_cpuid(regs, vmcb->cr4);
	return true;
}

/* abi.md 3.1: the kernel's, not virtual-8086 mode's */
static bool may_call(const struct vmcb *vmcb)
{
	return vmcb->cpl == 0 && !(vmcb->rflags & RFLAGS_VM);
}

static bool exit_hypercall(struct guest_regs *regs, struct vmcb *vmcb)
{
	u64 mask = svm_in_64bit_code(vmcb) ? ~0ULL : 0xffffffffULL;

	vmcb->rip = (vmcb->rip + VMMCALL_INSN_LENGTH) & mask;
	vmcb->interrupt_shadow = 0;
	x86_handle_hypercall(regs, may_call(vmcb) ? mask : 0);
	return true;
}

static bool exit_xsetbv(struct guest_regs *regs, struct vmcb *vmcb)
{
	(void)vmcb;
	return x86_handle_xsetbv(regs);
}

static bool exit_msr(struct guest_regs *regs, struct vmcb *vmcb)
{
	return vmcb->exitinfo1 ? x86_handle_msr_write(regs) : x86_handle_msr_read(regs);
}

static bool exit_ioio(struct guest_regs *regs, struct vmcb *vmcb)
{
	const struct pio_exit io = {
		.port = IOIO_PORT(vmcb->exitinfo1),
		.size = IOIO_SIZE(vmcb->exitinfo1),
		.in = vmcb->exitinfo1 & IOIO_IN,
		.string_or_rep = vmcb->exitinfo1 & (IOIO_STRING | IOIO_REP),
	};

	if (!x86_handle_pio(regs, &io))
		return false;
	/* The CPU reports where it would go on (APM 2, 15.10.2). */
	svm_skip(vmcb, (u32)(vmcb->exitinfo2 - vmcb->rip));
	return true;
}

/* Write back and invalidate: dropping what other cells wrote is not for guests. */
static bool exit_invd(struct guest_regs *regs, struct vmcb *vmcb)
{
	(void)regs;
	if (vmcb->cpl) {
		vcpu_inject_exception(XCPT_GP, true, 0);
		return true;
	}
	cache_write_back();
	vcpu_skip_instruction(INVD_INSN_LENGTH);
	return true;
}

/* The virtualisation extensions are the hypervisor's. */
static bool exit_undefined(struct guest_regs *regs, struct vmcb *vmcb)
{
	(void)regs;
	(void)vmcb;
	vcpu_inject_exception(XCPT_UD, false, 0);
	return true;
}

static bool exit_debug(struct guest_regs *regs, struct vmcb *vmcb)
{
	(void)regs;
	(void)vmcb;
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_EXCEPTION);
	vcpu_inject_exception(XCPT_DB, false, 0);
	return true;
}

static bool exit_alignment(struct guest_regs *regs, struct vmcb *vmcb)
{
	(void)regs;
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_EXCEPTION);
	vcpu_inject_exception(XCPT_AC, true, vmcb->exitinfo1);
	return true;
}

static bool exit_shutdown(struct guest_regs *regs, struct vmcb *vmcb)
{
	(void)regs;
	(void)vmcb;
	panic_printk("FATAL: Unexpected #VMEXIT, exitcode 7f (triple fault), cell \"%s\", CPU %u\n",
		     cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}

/* The guest's own page tables lie outside its memory: nothing to decode (APM 2, 15.25.6). */
static bool refuse_page_table(u64 address, bool is_write)
{
	panic_printk("FATAL: Invalid MMIO/RAM %s, addr: 0x%016llx size: 8, cell \"%s\", CPU %u: "
		     "a page table of the guest\n", is_write ? "write" : "read", address,
		     cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}

static bool exit_npf(struct guest_regs *regs, struct vmcb *vmcb)
{
	bool is_write = vmcb->exitinfo1 & NPF_WRITE;
	u64 address = vmcb->exitinfo2;

	if (vmcb->exitinfo1 & NPF_PAGE_WALK)
		return refuse_page_table(address, is_write);
	if (is_write && (address & PAGE_MASK) == XAPIC_BASE)
		return apic_handle_xapic_write(regs, address & PAGE_OFFS_MASK);
	return x86_handle_mmio(regs, gpa(address), is_write);
}

static bool exit_unexpected(struct guest_regs *regs, struct vmcb *vmcb)
{
	(void)regs;
	panic_printk("FATAL: Unexpected #VMEXIT, exitcode %llx, exitinfo1 0x%016llx exitinfo2 0x%016llx, cell \"%s\", CPU %u\n",
		     vmcb->exitcode, vmcb->exitinfo1, vmcb->exitinfo2,
		     cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}

/* By exit code; the one that does not fit is a nested page fault. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const exit_handler handlers[] = {
	[0 ... EXIT_XSETBV] = exit_unexpected,
	[EXIT_EXCEPTION(XCPT_DB)] = exit_debug,
	[EXIT_EXCEPTION(XCPT_AC)] = exit_alignment,
	[EXIT_NMI] = exit_nmi,
	[EXIT_CPUID] = exit_cpuid,
	[EXIT_INVD] = exit_invd,
	[EXIT_INVLPGA] = exit_undefined,
	[EXIT_IOIO] = exit_ioio,
	[EXIT_MSR] = exit_msr,
	[EXIT_SHUTDOWN] = exit_shutdown,
	[EXIT_VMRUN] = exit_undefined,
	[EXIT_VMMCALL] = exit_hypercall,
	[EXIT_VMLOAD] = exit_undefined,
	[EXIT_VMSAVE] = exit_undefined,
	[EXIT_STGI] = exit_undefined,
	[EXIT_CLGI] = exit_undefined,
	[EXIT_SKINIT] = exit_undefined,
	[EXIT_XSETBV] = exit_xsetbv,
};
#pragma GCC diagnostic pop

static exit_handler find_handler(u64 code)
{
	if (code < ARRAY_SIZE(handlers))
		return handlers[code];
	return code == EXIT_NPF ? exit_npf : exit_unexpected;
}

/* What rarely happens between an exit and the next entry */
static void before_run(struct per_cpu *cpu)
{
	if (cpu->arch.nmi_pending) {
#ifdef CONFIG_VTD
		vtd_report_faults();
#endif
		x86_handle_events();
	}
	if (cpu->flush_pending) {
		cpu->flush_pending = false;
		vcpu_flush_tlb();
	}
}

/* world.S has put the guest's RAX and RSP into regs, and takes them from there. */
void svm_handle_exit(struct guest_regs *regs, struct vmcb *vmcb)
{
	struct per_cpu *cpu = (struct per_cpu *)((char *)vmcb - PERCPU_CONTROL_BLOCK);

	vmcb->tlb_control = 0;
	vmcb->eventinj = 0;
	cpu->stats[JAILHOUSE_CPU_STAT_VMEXITS_TOTAL]++;

	if (!find_handler(vmcb->exitcode)(regs, vmcb))
		arch_panic_park();
	if (cpu->arch.nmi_pending | cpu->flush_pending)
		before_run(cpu);
}

/* svm/offsets.h */
_Static_assert(offsetof(struct vmcb, rsp) == VMCB_RSP, "VMCB");
_Static_assert(offsetof(struct vmcb, rax) == VMCB_RAX, "VMCB");
_Static_assert(offsetof(struct guest_regs, rax) == SVM_REGS_RAX, "registers");
_Static_assert(sizeof(struct guest_regs) == SVM_REGS_SIZE, "registers");
_Static_assert(offsetof(struct per_cpu, arch.control_block) == PERCPU_CONTROL_BLOCK, "VMCB");
