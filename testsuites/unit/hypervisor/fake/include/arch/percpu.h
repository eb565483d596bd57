/* SPDX-License-Identifier: GPL-2.0-only */
/* The real structures; "this CPU" is a thread-local pointer instead of the stack. */
#ifndef FAKE_ARCH_PERCPU_H
#define FAKE_ARCH_PERCPU_H

#define arch_percpu_base	arch_percpu_base_of_stack
#include_next <arch/percpu.h>
#undef arch_percpu_base

extern _Thread_local void *fake_this_cpu;	/* fake/percpu.c */

static inline unsigned long arch_percpu_base(void)
{
	return (unsigned long)fake_this_cpu;
}

#endif
