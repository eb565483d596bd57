/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guest can cause, one file each.  false: violation, line printed; the caller parks. */
#ifndef ARCH_EXITS_H
#define ARCH_EXITS_H

#include <core/percpu.h>
#include <arch/sysregs.h>

/* Register 31 of an instruction is the zero register here: reads 0, writes are lost. */
static inline u64 guest_reg_get(const struct guest_regs *regs, unsigned int n)
{
	return n == 31 ? 0 : regs->x[n];
}
static inline void guest_reg_set(struct guest_regs *regs, unsigned int n, u64 value)
{
	if (n != 31)
		regs->x[n] = value;
}

/* The frame of the calling CPU's guest. */
static inline struct guest_regs *guest_regs(void)
{
	return (struct guest_regs *)((char *)this_cpu() + PERCPU_SIZE) - 1;
}

/* Past the trapped instruction; also moves on the IT block of an AArch32 guest. */
void guest_advance_it(void);
static inline void guest_skip_instruction(bool is_32bit_insn)
{
	const u64 thumb = SPSR_AARCH32 | SPSR_THUMB;

	sysreg_write(elr_el2, sysreg_read(elr_el2) + (is_32bit_insn ? 4 : 2));
	if ((sysreg_read(spsr_el2) & thumb) == thumb)
		guest_advance_it();
}

/* Management requests, PSCI starts: whatever waits for this CPU.  Returns when it may run. */
void arm_handle_events(void);

/*
 * May a warning that the guest can cause at will be printed now?  A few a
 * second and CPU: the console is everybody's, and slow.
 */
bool guest_line_allowed(void);

bool handle_data_abort(struct guest_regs *regs, u64 esr);	/* mmio_exit.c */
bool handle_sysreg(struct guest_regs *regs, u64 esr);		/* sysreg.c */
bool handle_smc(struct guest_regs *regs);			/* smccc.c */
bool psci_call(struct guest_regs *regs, u32 function);		/* psci.c */
/* Off until somebody starts this CPU. The caller returns to arm_handle_events(). */
void psci_cpu_off(struct per_cpu *cpu);
/* This CPU is off: start requests are taken, all else is waited for. */
bool psci_take_start(struct per_cpu *cpu);

/* cpu_state.c: registers of EL1 and EL0 to what cells find at start (abi.md 7.6). */
void guest_reset(struct guest_regs *regs, u64 entry, u64 context);

#endif
