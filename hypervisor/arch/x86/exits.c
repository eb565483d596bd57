// SPDX-License-Identifier: GPL-2.0-only
/* What happens to a CPU outside its guest: events, hypercalls, the end. */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <core/seed.h>
#include <arch/apic.h>
#include <arch/cpu.h>
#include <arch/ipi.h>
#include <arch/msr.h>
#include <arch/registers.h>
#include <arch/vcpu.h>

/* --- Events -------------------------------------------------------------- */

static void start_cpu(unsigned int vector)
{
	struct per_cpu *cpu = this_cpu();

	printk("CPU %u received SIPI, vector %x\n", cpu->cpu_id, vector);
	if (cpu->arch.moved) {
		x86_reset_moved_cpu();
		cpu->arch.moved = false;
	}
	if (vector == SIPI_CELL_START) {
		apic_clear();
		msr_reset_memory_types();
	}
	vcpu_reset(vector);
}

static void handle_management(void)
{
	switch (cpu_handle_events()) {
	case CPU_PARK:
		vcpu_park();
		break;
	case CPU_RESET:
		start_cpu(SIPI_CELL_START);
		break;
	case CPU_CONTINUE:
		break;
	}
}

static void handle_ipi_events(void)
{
	unsigned int vector = 0;
	enum ipi_event event;

	while ((event = ipi_next_event(this_cpu(), &vector)) != IPI_EVENT_NONE) {
		if (event == IPI_EVENT_SIPI) {
			start_cpu(vector);
		} else {
			apic_clear();
			vcpu_park();
		}
	}
}

/*
 * An NMI that arrives meanwhile is only remembered by the IDT's handler, so
 * look again; one that arrives later ends the next guest entry at once.
 */
void x86_handle_events(void)
{
	struct arch_percpu *arch = &this_cpu()->arch;

	do {
		arch->nmi_pending = false;
		handle_management();
		handle_ipi_events();
	} while (arch->nmi_pending);
}

/* --- Console ------------------------------------------------------------- */

#define GUEST_LINES		16
#define GUEST_LINES_PERIOD_MS	1000

bool guest_line_allowed(void)
{
	struct arch_percpu *arch = &this_cpu()->arch;

	if ((s64)(arch_ticks() - arch->lines_until) > 0) {
		arch->lines_until = ticks_from_now(GUEST_LINES_PERIOD_MS);
		arch->lines = 0;
	}
	return arch->lines++ < GUEST_LINES;
}

/* --- Hypercalls ---------------------------------------------------------- */

static __cold void report_unknown(u32 code)
{
	struct vcpu_state state;

	if (!guest_line_allowed())
		return;
	vcpu_get_state(&state);
	printk("CPU %u: Unknown hypercall %u, RIP: 0x%016llx\n", this_cpu()->cpu_id, code,
	       state.rip);
}

static __cold long refuse_caller(void)
{
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_HYPERCALL);
	return -EPERM;
}

static __cold long disable(void)
{
	long result = hypercall(JAILHOUSE_HC_DISABLE, 0, 0);

	if (result == 0)
		arch_cpu_leave();
	return result;
}

void x86_handle_hypercall(struct guest_regs *regs, u64 mask)
{
	u32 code = (u32)regs->rax;
	long result;

	seeded_cost_hypercall();
	if (!mask)
		result = refuse_caller();
	else if (code == JAILHOUSE_HC_DISABLE)
		result = disable();
	else
		result = hypercall(code, regs->rdi & mask, regs->rsi & mask);
	if (result == -ENOSYS)
		report_unknown(code);
	regs->rax = result;
}

/* --- The end -------------------------------------------------------------- */

static void dump_guest(const struct guest_regs *regs)
{
	struct vcpu_state state;

	vcpu_get_state(&state);
	panic_printk("RIP: 0x%016llx RSP: 0x%016llx FLAGS: %llx\n", state.rip, regs->rsp,
		     state.rflags);
	panic_printk("RAX: 0x%016llx RBX: 0x%016llx RCX: 0x%016llx\n", regs->rax, regs->rbx,
		     regs->rcx);
	panic_printk("RDX: 0x%016llx RSI: 0x%016llx RDI: 0x%016llx\n", regs->rdx, regs->rsi,
		     regs->rdi);
	panic_printk("CS: %x BASE: 0x%016llx AR-BYTES: %x EFER.LMA %d\n", state.cs_selector,
		     state.cs_base, state.cs_attr, !!(state.efer & EFER_LMA));
	panic_printk("CR0: 0x%016llx CR3: 0x%016llx CR4: 0x%016llx\n", state.cr0, state.cr3,
		     state.cr4);
	panic_printk("EFER: 0x%016llx\n", state.efer);
}

static const char *own_cell_name(void)
{
	return this_cpu()->cell ? cell_name(this_cpu()->cell) : "none";
}

void arch_panic_park(void)
{
	struct per_cpu *cpu = this_cpu();

	panic_begin();
	dump_guest(cpu->arch.regs);
	/* First: who has read the line may ask for the state. */
	cpu_mark_failed();
	panic_printk("Parking CPU %u (Cell: \"%s\")\n", cpu->cpu_id, own_cell_name());
#ifdef CONFIG_CRASH_CELL_ON_PANIC
	/* abi.md 10.1: on at address 0, all else unchanged */
	vcpu_set_rip(0);
#else
	vcpu_park();
#endif
	panic_end();
}

void arch_panic_stop(void)
{
	panic_begin();
	panic_printk("Stopping CPU %u (Cell: \"%s\")\n", this_cpu()->cpu_id, own_cell_name());
	panic_end();
	for (;;)
		asm volatile("cli; hlt");
}
