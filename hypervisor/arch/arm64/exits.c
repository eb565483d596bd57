// SPDX-License-Identifier: GPL-2.0-only
/* Why a CPU came out of its guest, and the end. */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <arch/cpu.h>
#include <arch/exits.h>
#include <arch/irqchip.h>
#include <arch/sysregs.h>
#include <lib/spinlock.h>

#define HYPERCALL_IMMEDIATE	0x4a48
#define HVC_IMMEDIATE(esr)	((esr) & 0xffff)

u64 exit_sync(struct guest_regs *regs);
void exit_irq(struct guest_regs *regs);
void exit_fiq(struct guest_regs *regs);
void exit_serror(struct guest_regs *regs);
void exception_of_hypervisor(struct guest_regs *regs, unsigned int vector) __noreturn;

/* The IT bits are 15:10 and 26:25 of the SPSR (DDI 0487, C5.2.18 and F1.2.2). */
static u64 advance_it(u64 spsr)
{
	u32 it = (u32)((spsr >> 8 & 0xfc) | (spsr >> 25 & 3));

	it = it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
	return (spsr & ~0x0600fc00ULL) | (u64)(it & 0xfc) << 8 | (u64)(it & 3) << 25;
}

void guest_advance_it(void)
{
	sysreg_write(spsr_el2, advance_it(sysreg_read(spsr_el2)));
}

/* --- Events --------------------------------------------------------------------- */

/* The lowest CPU starts, all others wait for CPU_ON (abi.md 7.6). */
static void start_lowest(struct per_cpu *cpu)
{
	if (cell_next_cpu(cpu->cell, -1) != (int)cpu->cpu_id)
		return;
	spin_lock(&cpu->arch.power_lock);
	cpu->arch.start_entry = cpu->cell->config->cpu_reset_address;
	cpu->arch.start_context = 0;
	cpu->arch.power = CPU_POWER_STARTING;
	spin_unlock(&cpu->arch.power_lock);
}

/* Who asked for parking or reset has switched this CPU off (arch_cpu_forget_signals()). */
static void handle_management(struct per_cpu *cpu)
{
	if (cpu_handle_events() == CPU_RESET)
		start_lowest(cpu);
}

/* An interrupt that comes between the look and the WFI ends the WFI at once. */
void arm_handle_events(void)
{
	struct per_cpu *cpu = this_cpu();

	for (;;) {
		handle_management(cpu);
		if (cpu->arch.power == CPU_POWER_ON || psci_take_start(cpu))
			return;
		do
			wait_for_interrupt();
		while (!irq_while_parked());
	}
}

/* --- Console --------------------------------------------------------------------- */

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

/* --- Exits ------------------------------------------------------------------------ */

static void handle_event_sgi(void)
{
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_MANAGEMENT);
	arm_handle_events();
}

/* Interrupts for the hypervisor itself. */
static void handle_own_interrupt(u32 iar, u32 irq)
{
	gic.ops->drop(iar);
	gic.ops->deactivate(iar);
	if (irq == SGI_EVENT) {
		handle_event_sgi();
	} else if (irq == gic.maintenance_irq) {
		CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_MAINTENANCE);
		inject_pending();
	} else if (irq < NUM_SGIS) {
		CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_VIRT_SGI);
		inject_pending();
	}
}

static bool is_foreign(u32 irq)
{
	return IS_SPI(irq) && !cell_owns_irq(this_cpu()->cell, irq);
}

void exit_irq(struct guest_regs *regs)
{
	u32 iar, irq;
	u8 priority;

	(void)regs;
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_TOTAL);
	iar = gic.ops->acknowledge();
	irq = iar & gic.iar_mask;
	if (irq >= 1020)
		return;
	if (irq < NUM_SGIS || irq == gic.maintenance_irq) {
		handle_own_interrupt(iar, irq);
		return;
	}
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_VIRT_IRQ);
	priority = gic.ops->running_priority();
	gic.ops->drop(iar);
	/* Of somebody else: stays active, and thereby quiet, until its owner resets it. */
	if (!is_foreign(irq))
		inject_physical(irq, priority);
}

/* FIQs are for interrupts of group 0, of which nobody has any. */
void exit_fiq(struct guest_regs *regs)
{
	exit_irq(regs);
}

static bool handle_hypercall(struct guest_regs *regs, u64 esr, u64 mask)
{
	long result;

	if (HVC_IMMEDIATE(esr) != HYPERCALL_IMMEDIATE) {
		panic_printk("FATAL: forbidden access (HVC #0x%x), cell \"%s\", CPU %u\n",
			     (unsigned int)HVC_IMMEDIATE(esr), cell_name(this_cpu()->cell),
			     this_cpu()->cpu_id);
		return false;
	}
	result = hypercall((u32)regs->x[0], regs->x[1] & mask, regs->x[2] & mask);
	if (result == 0 && (u32)regs->x[0] == JAILHOUSE_HC_DISABLE)
		arch_cpu_leave();
	regs->x[0] = (u64)result;
	return true;
}

static bool handle_instruction_abort(u64 esr)
{
	(void)esr;
	panic_printk("FATAL: instruction abort at 0x%llx, cell \"%s\", CPU %u: no .mem_regions entry "
		     "with JAILHOUSE_MEM_EXECUTE covers it\n",
		     (sysreg_read(hpfar_el2) & 0xfffffffff0ULL) << 8 |
		     (sysreg_read(far_el2) & 0xfff),
		     cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}

static bool unhandled_trap(u64 esr)
{
	panic_printk("FATAL: unhandled trap (exception class 0x%02x), cell \"%s\", CPU %u\n",
		     (unsigned int)ESR_EC(esr), cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}

static bool dispatch_rare(struct guest_regs *regs, u64 esr)
{
	switch (ESR_EC(esr)) {
	case EC_HVC32:
		return handle_hypercall(regs, esr, 0xffffffffULL);
	case EC_SMC32:
		return handle_smc(regs);
	case EC_INSN_ABORT:
		return handle_instruction_abort(esr);
	default:
		return unhandled_trap(esr);
	}
}

/* What healthy 64-bit guests do, most frequent first. */
static inline bool dispatch(struct guest_regs *regs, u64 esr)
{
	u64 class = ESR_EC(esr);

	if (class == EC_DATA_ABORT)
		return handle_data_abort(regs, esr);
	if (class == EC_HVC64)
		return handle_hypercall(regs, esr, ~0ULL);
	if (class == EC_SMC64)
		return handle_smc(regs);
	if (class == EC_SYSREG)
		return handle_sysreg(regs, esr);
	return dispatch_rare(regs, esr);
}

/* 0: of the frame nothing has changed that C functions preserve (x19 to x29). */
u64 exit_sync(struct guest_regs *regs)
{
	u64 esr = sysreg_read(esr_el2);

	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_TOTAL);
	if (!dispatch(regs, esr))
		arch_panic_park();
	else if (ESR_EC(esr) == EC_HVC64)
		return 0;
	return 1;
}

void exit_serror(struct guest_regs *regs)
{
	(void)regs;
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_TOTAL);
	panic_printk("FATAL: system error, ESR: 0x%llx\n", sysreg_read(esr_el2));
	arch_panic_park();
}

/* --- The end -------------------------------------------------------------------------- */

static void dump_registers(const struct guest_regs *regs)
{
	u64 esr = sysreg_read(esr_el2), spsr = sysreg_read(spsr_el2);

	panic_printk(" pc: %016llx   lr: %016llx spsr: %08llx     %s\n", sysreg_read(elr_el2),
		     regs->x[30], spsr,
		     spsr & SPSR_AARCH32 ? "AArch32" : SPSR_MODE(spsr) == 0 ? "EL0" : "EL1");
	panic_printk(" sp: %016llx  esr: %02x %01x %07x\n", sysreg_read(sp_el1),
		     (unsigned int)ESR_EC(esr), (unsigned int)(esr >> 25 & 1),
		     (unsigned int)ESR_ISS(esr));
	for (unsigned int n = 0; n < 31; n++)
		panic_printk("%sx%u: %016llx%s", n < 10 ? " " : "", n, regs->x[n],
			     n % 3 == 2 || n == 30 ? "\n" : "   ");
}

static const char *own_cell_name(void)
{
	return this_cpu()->cell ? cell_name(this_cpu()->cell) : "none";
}

void arch_panic_park(void)
{
	struct per_cpu *cpu = this_cpu();

	panic_begin();
	panic_printk("Cell state before exception:\n");
	dump_registers(guest_regs());
	/* First: who has read the line may ask for the state. */
	cpu_mark_failed();
	panic_printk("Parking CPU %u (Cell: \"%s\")\n", cpu->cpu_id, own_cell_name());
	panic_end();
#ifdef CONFIG_CRASH_CELL_ON_PANIC
	/* abi.md 10.1: on at address 0, all else unchanged */
	sysreg_write(elr_el2, 0);
#else
	psci_cpu_off(cpu);
	arm_handle_events();
#endif
}

void arch_panic_stop(void)
{
	panic_begin();
	panic_printk("Stopping CPU %u (Cell: \"%s\")\n", this_cpu()->cpu_id, own_cell_name());
	panic_end();
	for (;;)
		wait_for_interrupt();
}

/* Vectors of EL2 itself; on a stack that may be what is wrong. */
void exception_of_hypervisor(struct guest_regs *regs, unsigned int vector)
{
	panic_begin();
	panic_printk("FATAL: Jailhouse triggered exception #%u, FAR: 0x%llx\n", vector,
		     sysreg_read(far_el2));
	panic_printk("Hypervisor state before exception:\n");
	dump_registers(regs);
	arch_panic_stop();
}
