/* SPDX-License-Identifier: GPL-2.0-only */
/* Spin locks on a plain u32, so that zeroed memory is an open lock. */
#ifndef LIB_SPINLOCK_H
#define LIB_SPINLOCK_H

#include <core/types.h>
#include <arch/cpu.h>		/* cpu_relax() */

static inline bool spin_trylock(u32 *lock)
{
	return __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline void spin_lock(u32 *lock)
{
	while (!spin_trylock(lock))
		while (__atomic_load_n(lock, __ATOMIC_RELAXED))
			cpu_relax();
}

static inline void spin_unlock(u32 *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

#endif
