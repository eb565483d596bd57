/* SPDX-License-Identifier: GPL-2.0-only */
/* What core/ asks of the architecture.  All implemented in arch/arm64. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <core/types.h>
#include <core/percpu.h>

struct cell;
struct jailhouse_memory;

static inline void cpu_relax(void)
{
	asm volatile("yield" ::: "memory");
}
static inline void memory_barrier(void)
{
	asm volatile("dmb ish" ::: "memory");
}
#define memory_load_barrier()	asm volatile("dmb ishld" ::: "memory")
#define memory_store_barrier()	asm volatile("dmb ishst" ::: "memory")

/* --- Boot (core/boot.c), in this order --- */
/* Master, first. Fills machine_limits' widths. */
int arch_early_init(void);
/* Each CPU, serialised: GIC and virtual interface from Linux's state. */
int arch_cpu_init(struct per_cpu *cpu);
/* Each CPU: enter the guest (Linux resumes with 0). Does not return. */
void arch_cpu_activate(void) __noreturn;
/* Undo arch_cpu_init of this CPU (failed enable). Returns; the caller's error goes to Linux. */
void arch_cpu_restore(struct per_cpu *cpu);
/* Failed enable, master, last. */
void arch_shutdown(void);
/* After a successful hypercall 0: this CPU goes back to Linux with x0 = 0. */
void arch_cpu_leave(void) __noreturn;

/* --- Cells (root cell too) --- */
int arch_cell_init(struct cell *cell);		/* stage 2 root */
void arch_cell_exit(struct cell *cell);
int arch_map_memory_region(struct cell *cell, const struct jailhouse_memory *mem);
int arch_unmap_memory_region(struct cell *cell, const struct jailhouse_memory *mem);
/* Fill the architecture's part of the communication region (every start). */
void arch_fill_comm_region(struct cell *cell);
/* Ownership changed. TLBs are core's business. */
void arch_config_commit(struct cell *changed);
/* A CPU moved into or out of a cell: FP, debug, PMU state reset when it next runs (decisions 13) */
void arch_cpu_moved(struct per_cpu *cpu);
/*
 * The target (suspended) is about to be parked or reset: start signals that were
 * sent to it before are void.  Not the target's job: those sent afterwards, while
 * it is still on its way, count.
 */
void arch_cpu_forget_signals(struct per_cpu *cpu);

/* --- Management events --- */
void arch_cpu_kick(struct per_cpu *cpu);	/* make it exit to the hypervisor (SGI) */
void arch_flush_stage2(void);			/* this CPU, before its next entry */
/* Time for bounded waits: monotonic ticks, and how many make one millisecond (0: unknown yet). */
u64 arch_ticks(void);
u64 arch_ticks_per_ms(void);

/* A fatal access of the running guest: dump registers, mark failed, park (does not touch others). */
void arch_panic_park(void);
/* A fatal error of the hypervisor itself: dump, stop this CPU. */
void arch_panic_stop(void) __noreturn;

#endif
