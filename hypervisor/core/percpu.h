/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Per-CPU area: percpu_size bytes, aligned to percpu_size, the stack at its
 * top.  The address follows from the stack pointer, so no register is tied up.
 */
#ifndef CORE_PERCPU_H
#define CORE_PERCPU_H

#include <core/types.h>
#include <core/paging.h>
#include <arch/percpu.h>	/* struct arch_percpu, PERCPU_SIZE, struct arch_handover, NUM_CPU_STATS */

struct cell;

struct per_cpu {
	struct arch_handover handover;	/* first: shared with the driver's stub */

	unsigned int cpu_id;		/* Linux's logical number */
	struct cell *cell;
	bool initialized;
	volatile bool failed;
	u32 stats[NUM_CPU_STATS];

	/* Management (core/cpu.c); control_lock guards the four. */
	u32 control_lock;
	volatile bool suspend_requested;
	volatile bool suspended;	/* spins in the hypervisor, touches nothing */
	volatile bool park_pending;
	volatile bool reset_pending;
	volatile bool flush_pending;	/* stage-2 TLB, before the next guest entry */

	/* NUM_TEMP_PAGES and NUM_PEEK_PAGES of hypervisor address space, and their entries */
	void *temp_window;
	u64 *temp_leaves;
	/* What the latter show: a guest page, the tables it was looked up in, and when */
	struct {
		u64 page;
		const u64 *tables;	/* NULL: nothing yet */
		u64 generation;
	} peeks[NUM_PEEK_PAGES];
	struct arch_percpu arch;
	/* the stack fills the rest of PERCPU_SIZE */
};

struct per_cpu *per_cpu(unsigned int cpu);	/* cpu < max_cpus */

static inline struct per_cpu *this_cpu(void)
{
	return (struct per_cpu *)arch_percpu_base();
}

#define CPU_STAT(n)	(this_cpu()->stats[n]++)

#endif
