/* SPDX-License-Identifier: GPL-2.0-only */
/* Ticket lock of a device's shadow state: a waiting CPU is served in its turn. */
#ifndef CORE_DEVICE_LOCK_H
#define CORE_DEVICE_LOCK_H

#include <arch/cpu.h>

struct device_lock {
	u16 serving, next;
};

static inline void device_lock(struct device_lock *lock)
{
	u16 ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket)
		cpu_relax();
}

static inline void device_unlock(struct device_lock *lock)
{
	__atomic_store_n(&lock->serving, (u16)(lock->serving + 1), __ATOMIC_RELEASE);
}

#endif
