/* SPDX-License-Identifier: GPL-2.0-only */
/* Data that others read without our caches, or execute. The kernel exports nothing for it. */
#ifndef DRIVER_ARM64_CACHES_H
#define DRIVER_ARM64_CACHES_H

#include <linux/types.h>
#include <asm/barrier.h>
#include <asm/sysreg.h>

/* Clean and invalidate to the point of coherency. (CTR_EL0.DminLine: log2 of words) */
static inline void caches_clean(const void *start, size_t size)
{
	size_t line = 4 << (read_sysreg(ctr_el0) >> 16 & 0xf);
	unsigned long address = (unsigned long)start & ~(line - 1);

	for (; address < (unsigned long)start + size; address += line)
		asm volatile("dc civac, %0" : : "r" (address) : "memory");
	dsb(sy);
}

static inline void caches_invalidate_instructions(void)
{
	asm volatile("ic ialluis" : : : "memory");
	dsb(ish);
	isb();
}

#endif
