/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The other CPUs of the cell: found and started by PSCI. */
#include <inmate.h>

#define STACK_SIZE	4096UL
/* Where CPUs may be: two affinity levels, as GICs number them */
#define MAX_CLUSTERS	8
#define MAX_CORES	16
#define NOT_IN_CELL	(-3)

/* secondary_entry finds it by the context of CPU_ON. */
struct smp_start {
	u64 stack, entry;
};

void secondary_entry(void);
void secondary_start(void (*entry)(void));

bool smp_other_mpidr(unsigned int n, u64 *mpidr)
{
	u64 candidate;
	unsigned int cluster, core;

	for (cluster = 0; cluster < MAX_CLUSTERS; cluster++)
		for (core = 0; core < MAX_CORES; core++) {
			candidate = (u64)cluster << 8 | core;
			if (candidate == cpu_mpidr() ||
			    smc(PSCI_AFFINITY_INFO, candidate, 0, 0) == NOT_IN_CELL)
				continue;
			if (n-- == 0) {
				*mpidr = candidate;
				return true;
			}
		}
	return false;
}

void secondary_start(void (*entry)(void))
{
	entry();
	smc(PSCI_CPU_OFF, 0, 0, 0);
	halt();
}

long smp_start_cpu(u64 mpidr, void (*entry)(void))
{
	struct smp_start *start = heap_alloc(sizeof(*start), 64);
	unsigned long line;

	start->stack = (u64)heap_alloc(STACK_SIZE, 16) + STACK_SIZE;
	start->entry = (u64)entry;
	/* It reads this with its caches off. */
	line = (unsigned long)start;
	asm volatile("dc civac, %0\n\tdsb sy" : : "r" (line) : "memory");
	return smc(PSCI_CPU_ON, mpidr, (u64)secondary_entry, (u64)start);
}
