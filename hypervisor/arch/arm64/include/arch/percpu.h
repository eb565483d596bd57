/* SPDX-License-Identifier: GPL-2.0-only */
/* arm64 share of the per-CPU area. */
#ifndef ARCH_PERCPU_H
#define ARCH_PERCPU_H

#include <jailhouse/hypercall.h>
#include <core/types.h>
#include <arch/asm-offsets.h>

#define NUM_CPU_STATS	JAILHOUSE_NUM_CPU_STATS_ARM64

/* Guest registers as the vectors store them, at the top of the stack. */
struct guest_regs {
	u64 x[31];
	u64 unused;
};

/* What Linux had when it came, for the way back (decisions.md 5). */
struct arch_handover {
	u64 x18_x30[13];
	u64 unused;
	u64 sctlr, tcr, mair, ttbr0, vbar;
	u64 hcr, cptr, mdcr, hstr, cnthctl, cntvoff, vpidr, vmpidr, tpidr, vtcr, vttbr;
	u64 elr, spsr;
};

enum cpu_power { CPU_POWER_ON, CPU_POWER_OFF, CPU_POWER_STARTING };

#define NUM_SGIS	16
#define MAX_IRQS	1024

struct arch_percpu {
	u64 mpidr;

	/* PSCI: power_lock guards the three */
	u32 power_lock;
	volatile enum cpu_power power;
	u64 start_entry, start_context;

	volatile bool moved;		/* came from another cell: clean FP, debug, PMU */

	/* Lines that the guest may cause in this period (guest_line_allowed()) */
	u64 lines_until;		/* ticks */
	unsigned int lines;

	/* GIC: this CPU's redistributor (GICv3), its target bit (GICv2) */
	void *redist;
	unsigned int redist_index;
	u8 gicv2_target;

	/*
	 * Software generated interrupts are virtual: what the guest thinks of
	 * them.  Other CPUs set bits of sgi_pending; all else belongs to this CPU.
	 */
	u32 sgi_pending;
	u8 sgi_sources[NUM_SGIS];	/* GICv2: sending CPUs */
	u32 sgi_enabled;
	u8 sgi_priority[NUM_SGIS];

	/* Acknowledged, active in hardware, waiting for a list register */
	bool overflow;
	unsigned int num_waiting;
	u64 waiting[MAX_IRQS / 64];

	/* Linux' GIC state that is not its own while we are there */
	u64 linux_sre, linux_vmcr, linux_hcr;
	u32 linux_ctlr, linux_pmr, linux_bpr, linux_grpen;
	u8 linux_priority[3];		/* of our SGIs and the maintenance interrupt */
	u32 linux_enabled;		/* ISENABLER0 */
	bool gic_taken;
};

static inline unsigned long arch_percpu_base(void)
{
	unsigned long sp;

	asm("mov %0, sp" : "=r" (sp));
	return sp & ~(PERCPU_SIZE - 1UL);
}

#endif
