// SPDX-License-Identifier: GPL-2.0-only
/* Per-CPU areas for FAKE_MAX_CPUS CPUs, all of them there from the start. */
#include <core/percpu.h>

#define FAKE_MAX_CPUS	8

static struct per_cpu areas[FAKE_MAX_CPUS];
_Thread_local void *fake_this_cpu = &areas[0];

struct per_cpu *per_cpu(unsigned int cpu)
{
	return &areas[cpu];
}

/* The calling thread is this CPU from now on. */
void fake_become_cpu(unsigned int cpu);
void fake_become_cpu(unsigned int cpu)
{
	fake_this_cpu = &areas[cpu];
}
