/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Seeded defects: the test suite must fail on builds that have one of them.
 * Never set in a build that is used for anything else.
 */
#ifndef CORE_SEED_H
#define CORE_SEED_H

#include <core/types.h>

/* CONFIG_SEED_LOCK: the locked state of cells is not enforced. */
static inline bool seeded_lock(void)
{
#ifdef CONFIG_SEED_LOCK
	return true;
#else
	return false;
#endif
}

/* CONFIG_SEED_RAM: memory of a cell stays mapped in the root cell. */
static inline bool seeded_ram(void)
{
#ifdef CONFIG_SEED_RAM
	return true;
#else
	return false;
#endif
}

/* CONFIG_SEED_CPU: the last CPU of a destroyed cell is not given back. */
static inline bool seeded_cpu(void)
{
#ifdef CONFIG_SEED_CPU
	return true;
#else
	return false;
#endif
}

/* CONFIG_SEED_PORT: non-root cells reach all ports that need no emulation. */
static inline bool seeded_port(void)
{
#ifdef CONFIG_SEED_PORT
	return true;
#else
	return false;
#endif
}

/*
 * CONFIG_SEED_COST_*: one instruction more on the way of one kind of exit, which
 * the comparison of jitter with its baseline must see.
 */
static inline void seeded_cost_msr(void)
{
#ifdef CONFIG_SEED_COST_MSR
	asm volatile("nop");
#endif
}

static inline void seeded_cost_mmio(void)
{
#ifdef CONFIG_SEED_COST_MMIO
	asm volatile("nop");
#endif
}

static inline void seeded_cost_hypercall(void)
{
#ifdef CONFIG_SEED_COST_HYPERCALL
	asm volatile("nop");
#endif
}

static inline void seeded_cost_ipi(void)
{
#ifdef CONFIG_SEED_COST_IPI
	asm volatile("nop");
#endif
}

#endif
