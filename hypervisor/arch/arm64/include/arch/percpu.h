/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_PERCPU_H
#define ARCH_PERCPU_H

#include <jailhouse/hypercall.h>
#include <core/types.h>

#define PERCPU_SIZE	0x4000
#define NUM_CPU_STATS	JAILHOUSE_NUM_CPU_STATS_ARM64

struct arch_handover {
	u64 linux_sp;
};

struct arch_percpu {
	u64 mpidr;
};

static inline unsigned long arch_percpu_base(void)
{
	unsigned long sp;

	asm("mov %0, sp" : "=r" (sp));
	return sp & ~(PERCPU_SIZE - 1UL);
}

#endif
