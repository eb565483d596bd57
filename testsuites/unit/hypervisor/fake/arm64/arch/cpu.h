/* SPDX-License-Identifier: GPL-2.0-only */
/* Barriers of the host. */
#ifndef FAKE_ARCH_CPU_H
#define FAKE_ARCH_CPU_H

#define cpu_relax	cpu_relax_of_hardware
#define memory_barrier	memory_barrier_of_hardware
#include_next <arch/cpu.h>
#undef cpu_relax
#undef memory_barrier

static inline void cpu_relax(void) { }
static inline void memory_barrier(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

#endif
