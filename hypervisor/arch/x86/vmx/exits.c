// SPDX-License-Identifier: GPL-2.0-only
/* What each VM exit means (SDM 3D, appendix C). */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <arch/apic.h>
#include <arch/cpu.h>
#include <arch/registers.h>
#include <arch/vcpu.h>
#include "vmx.h"
#include "vtd.h"

#define DR6_TRAPS	0xfU		/* B0 to B3 */
#define DR6_BD		(1U << 13)
#define DR6_BS		(1U << 14)
#define DR7_GD		(1U << 13)

/* false: a violation, and the line is printed. */
typedef bool (*exit_handler)(struct guest_regs *regs);

/*
 * NMIs are blocked since the exit (SDM 3C, 27.5.5); the IRET of our handler
 * lets the next one in, while events are handled already.
 */
static bool handle_nmi(void)
{
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_MANAGEMENT);
	asm volatile("int $2" : : : "memory");
	return true;
}

/* The exit has not changed DR6 and DR7, as the exception would have (SDM 3C, 27.1). */
static void update_debug_registers(void)
{
	u64 causes = vmcs_read(VMCS_QUALIFICATION) & (DR6_TRAPS | DR6_BD | DR6_BS);

	dr6_write((dr6_read() & ~(u64)DR6_TRAPS) | causes);
	if (causes & DR6_BD)
		vmcs_write(VMCS_GUEST_DR7, vmcs_read(VMCS_GUEST_DR7) & ~(u64)DR7_GD);
}

/* As it came: also INT1, which counts as an instruction. */
static void reinject(u32 event)
{
	vmcs_write(VMCS_ENTRY_EVENT, event & (EVENT_VALID | EVENT_ERROR | EVENT_TYPE_MASK | 0xff));
	if (event & EVENT_ERROR)
		vmcs_write(VMCS_ENTRY_ERROR, vmcs_read(VMCS_EXIT_ERROR));
	if ((event & EVENT_TYPE_MASK) == EVENT_PRIVILEGED)
		vmcs_write(VMCS_ENTRY_LENGTH, vmcs_read(VMCS_INSN_LENGTH));
	vmcs_end_shadow();
}

static bool exit_event(struct guest_regs *regs)
{
	u32 event = vmcs_read(VMCS_EXIT_EVENT);

	(void)regs;
	if ((event & EVENT_TYPE_MASK) == EVENT_NMI)
		return handle_nmi();
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_EXCEPTION);
	if (EVENT_VECTOR(event) == XCPT_DB)
		update_debug_registers();
	reinject(event);
	return true;
}

/* Set by the NMI handler (vcpu_exit_soon()). */
static bool exit_timer(struct guest_regs *regs)
{
	(void)regs;
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_MANAGEMENT);
	this_cpu()->arch.nmi_pending = true;
	return true;
}

static bool exit_cpuid(struct guest_regs *regs)
{
	struct vcpu_state state;

	vcpu_get_state(&state);
	vcpu_skip_instruction(vmcs_read(VMCS_INSN_LENGTH));
	x86_handle_cpuid(regs, state.cr4);
	return true;
}

/* abi.md 3.1: the kernel's, not virtual-8086 mode's; arguments of 32 bits outside 64-bit code */
static u64 argument_mask(const struct vcpu_state *state)
{
	if (state->cpl != 0 || (state->rflags & RFLAGS_VM))
		return 0;
	return vcpu_insn_mode(state) == INSN_64 ? ~0ULL : 0xffffffffULL;
}

static bool exit_hypercall(struct guest_regs *regs)
{
	struct vcpu_state state;

	vcpu_get_state(&state);
	vcpu_skip_instruction(vmcs_read(VMCS_INSN_LENGTH));
	x86_handle_hypercall(regs, argument_mask(&state));
	return true;
}

static bool exit_io(struct guest_regs *regs)
{
	u64 qualification = vmcs_read(VMCS_QUALIFICATION);
	const struct pio_exit io = {
		.port = IO_PORT(qualification),
		.size = IO_SIZE(qualification),
		.in = IO_IN(qualification),
		.string_or_rep = IO_STRING_OR_REP(qualification),
	};

	if (!x86_handle_pio(regs, &io))
		return false;
	vcpu_skip_instruction(vmcs_read(VMCS_INSN_LENGTH));
	return true;
}

/* Write back and invalidate: dropping what other cells wrote is not for guests. */
static bool exit_invd(struct guest_regs *regs)
{
	(void)regs;
	cache_write_back();
	vcpu_skip_instruction(0);
	return true;
}

/* The virtualisation extensions are the hypervisor's. */
static bool exit_undefined(struct guest_regs *regs)
{
	(void)regs;
	vcpu_inject_exception(XCPT_UD, false, 0);
	return true;
}

static bool exit_triple_fault(struct guest_regs *regs)
{
	(void)regs;
	panic_printk("FATAL: Unhandled VM-Exit, reason 2 (triple fault), cell \"%s\", CPU %u\n",
		     cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}

/* --- Control registers ----------------------------------------------------------- */

static bool inject_gp(void)
{
	vcpu_inject_exception(XCPT_GP, true, 0);
	return true;
}

/*
 * A write that changes bits which the guest only believes to have.  They become
 * what it wants to see; the instruction then runs again, and does not exit: all
 * else, with every check, is the CPU's work.
 */
static bool write_cr0(u64 value)
{
	if ((value & CR0_NW) && !(value & CR0_CD))
		return inject_gp();
	vmcs_write(VMCS_CR0_SHADOW, value & CR0_OWNED);
	vmcs_end_shadow();
	return true;
}

/* Root may believe in VMXE, so that a KVM there sees it in use; VMXON is undefined anyway. */
static bool write_cr4(u64 value)
{
	if ((value & CR4_VMXE) && this_cpu()->cell != &root_cell)
		return inject_gp();
	vmcs_write(VMCS_CR4_SHADOW, value & CR4_OWNED);
	vmcs_end_shadow();
	return true;
}

static bool exit_cr(struct guest_regs *regs)
{
	u64 qualification = vmcs_read(VMCS_QUALIFICATION);
	u64 value = *guest_reg(regs, CR_GPR(qualification));
	unsigned int number = CR_NUMBER(qualification);

	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_CR);
	if (CR_TYPE(qualification) == 0 && number == 0)
		return write_cr0(value);
	if (CR_TYPE(qualification) == 0 && number == 4)
		return write_cr4(value);
	panic_printk("FATAL: Unhandled CR access, qualification %llx, cell \"%s\", CPU %u\n",
		     qualification, cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}

/* --- Memory ------------------------------------------------------------------------ */

static bool refuse_memory(u64 address, bool is_write, const char *what)
{
	panic_printk("FATAL: Invalid MMIO/RAM %s, addr: 0x%016llx size: 8, cell \"%s\", CPU %u: "
		     "%s\n", is_write ? "write" : "read", address,
		     cell_name(this_cpu()->cell), this_cpu()->cpu_id, what);
	return false;
}

static bool exit_ept_violation(struct guest_regs *regs)
{
	u64 qualification = vmcs_read(VMCS_QUALIFICATION);
	u64 address = vmcs_read(VMCS_GUEST_PHYSICAL);
	bool is_write = qualification & EPT_QUAL_WRITE;

	/* Nothing to decode in either case. */
	if (!(qualification & EPT_QUAL_LINEAR) || !(qualification & EPT_QUAL_FINAL))
		return refuse_memory(address, is_write, "a page table of the guest");
	if (vmcs_read(VMCS_VECTORING) & EVENT_VALID)
		return refuse_memory(address, is_write,
				     "a stack or descriptor table of the guest");
	if (is_write && (address & PAGE_MASK) == XAPIC_BASE)
		return apic_handle_xapic_write(regs, address & PAGE_OFFS_MASK);
	return x86_handle_mmio(regs, gpa(address), is_write);
}

/* --- Dispatch ------------------------------------------------------------------------ */

static bool exit_unexpected(u32 reason)
{
	panic_printk("FATAL: %s, reason %u, qualification 0x%016llx, cell \"%s\", CPU %u\n",
		     reason & REASON_ENTRY_FAILED ? "VM-Entry failure" : "Unhandled VM-Exit",
		     reason & 0xffff, vmcs_read(VMCS_QUALIFICATION),
		     cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}

static const struct {
	u16 first, last;
	exit_handler handler;
} exits[] = {
	/* The frequent ones first */
	{ REASON_EPT_VIOLATION, REASON_EPT_VIOLATION, exit_ept_violation },
	{ REASON_RDMSR, REASON_RDMSR, x86_handle_msr_read },
	{ REASON_WRMSR, REASON_WRMSR, x86_handle_msr_write },
	{ REASON_EVENT, REASON_EVENT, exit_event },
	{ REASON_IO, REASON_IO, exit_io },
	{ REASON_TIMER, REASON_TIMER, exit_timer },
	{ REASON_VMCALL, REASON_VMCALL, exit_hypercall },
	{ REASON_CPUID, REASON_CPUID, exit_cpuid },
	{ REASON_CR, REASON_CR, exit_cr },
	{ REASON_XSETBV, REASON_XSETBV, x86_handle_xsetbv },
	{ REASON_INVD, REASON_INVD, exit_invd },
	{ REASON_TRIPLE_FAULT, REASON_TRIPLE_FAULT, exit_triple_fault },
	{ REASON_GETSEC, REASON_GETSEC, exit_undefined },
	{ REASON_VMCLEAR, REASON_VMXON, exit_undefined },
	{ REASON_INVEPT, REASON_INVEPT, exit_undefined },
	{ REASON_INVVPID, REASON_INVVPID, exit_undefined },
	{ REASON_VMFUNC, REASON_VMFUNC, exit_undefined },
};

static bool dispatch(struct guest_regs *regs, u32 reason)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(exits); n++)
		if (reason >= exits[n].first && reason <= exits[n].last)
			return exits[n].handler(regs);
	return exit_unexpected(reason);
}

/* A state that was refused twice is not going to be better. */
static void check_progress(struct per_cpu *cpu, u32 reason)
{
	bool failed = reason & REASON_ENTRY_FAILED;

	if (failed && cpu->arch.entry_failed) {
		exit_unexpected(reason);
		arch_panic_stop();
	}
	cpu->arch.entry_failed = failed;
}

void vmx_before_run(struct guest_regs *regs)
{
	struct per_cpu *cpu = this_cpu();

	if (cpu->flush_pending) {
		cpu->flush_pending = false;
		vcpu_flush_tlb();
	}
	vmcs_write(VMCS_GUEST_RSP, regs->rsp);
}

/*
 * The timer is taken back before the events are looked at: an NMI from here on
 * sets it again.
 */
static void handle_events(void)
{
	vmcs_write(VMCS_PIN, vmx_features.controls.word[CONTROL_PIN]);
	vtd_report_faults();
	x86_handle_events();
}

void vmx_handle_exit(struct guest_regs *regs)
{
	struct per_cpu *cpu = this_cpu();
	u32 reason = vmcs_read(VMCS_REASON);

	cpu->arch.regs = regs;
	regs->rsp = vmcs_read(VMCS_GUEST_RSP);
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_TOTAL);

	check_progress(cpu, reason);
	if (!dispatch(regs, reason))
		arch_panic_park();
	if (cpu->arch.nmi_pending)
		handle_events();
	vmx_before_run(regs);
}

void vmx_entry_refused(void)
{
	panic_printk("FATAL: VM entry refused, error %llu, cell \"%s\", CPU %u\n",
		     vmcs_read(VMCS_INSN_ERROR), cell_name(this_cpu()->cell),
		     this_cpu()->cpu_id);
	arch_panic_stop();
}
