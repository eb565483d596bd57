/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking CPUs out of the guest and giving them work (core/cpu.c).  The same
 * protocol on all architectures; arch/cpu.h brings the hooks.
 */
#ifndef CORE_CPU_H
#define CORE_CPU_H

#include <core/types.h>
#include <core/percpu.h>

/* Waits (bounded; names the CPU in a line on expiry) until the CPU spins in cpu_handle_events(). */
int cpu_suspend(struct per_cpu *cpu);
void cpu_resume(struct per_cpu *cpu);	/* performs what is pending, then goes on */

/* The target must be suspended.  Takes effect at cpu_resume(). */
void cpu_request_park(struct per_cpu *cpu);
void cpu_request_reset(struct per_cpu *cpu);	/* start at the cell's cpu_reset_address */
void cpu_request_flush(struct per_cpu *cpu);	/* any time; also for the calling CPU */

/*
 * Called by the architecture on the CPU itself whenever it was kicked (NMI exit,
 * SGI) and by a parked CPU that wakes.  Spins while suspended.  Returns what the
 * architecture has to do before it (re-)enters the guest.
 */
enum cpu_action { CPU_CONTINUE, CPU_PARK, CPU_RESET };
enum cpu_action cpu_handle_events(void);

/* Mark the calling CPU failed (a violation); updates the cell's state. The caller then parks. */
void cpu_mark_failed(void);

/* End of a bounded wait, in arch_ticks(); compare signed. */
u64 ticks_from_now(u64 ms);

bool cpu_set_test(const struct cell *cell, unsigned int cpu);
#define for_each_cpu(cpu, cell) \
	for ((cpu) = cell_next_cpu((cell), -1); (cpu) >= 0; (cpu) = cell_next_cpu((cell), (cpu)))
int cell_next_cpu(const struct cell *cell, int after);	/* -1: none */

#endif
