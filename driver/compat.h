/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between the kernels that this module is built for.
 * Seen working: 6.1 (Debian 12) and 6.12 (Debian 12 backports, Debian 13).
 */
#ifndef DRIVER_COMPAT_H
#define DRIVER_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "kernels before 6.1 are not supported"
#endif

#ifdef __ASSEMBLY__

/* 6.4 split "no unwinding from here" into two hints. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define JAILHOUSE_UNWIND_UNKNOWN	UNWIND_HINT_EMPTY
#else
#define JAILHOUSE_UNWIND_UNKNOWN	UNWIND_HINT_END_OF_STACK
#endif

#else /* !__ASSEMBLY__ */

/* 6.13 made the attribute of a binary file constant. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define JAILHOUSE_BIN_ATTR	struct bin_attribute
#else
#define JAILHOUSE_BIN_ATTR	const struct bin_attribute
#endif

/* 6.16 renamed the accessors of model specific registers. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define rdmsrl_safe	rdmsrq_safe
#define wrmsrl_safe	wrmsrq_safe
#define rdmsrl		rdmsrq
#define wrmsrl		wrmsrq
#endif

/* Exported to modules since 4.1, but declared in kernel/rcu/rcu.h only. */
void rcu_expedite_gp(void);
void rcu_unexpedite_gp(void);

#endif /* !__ASSEMBLY__ */
#endif
