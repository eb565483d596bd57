/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Complete validation of untrusted configurations, before anything acts on
 * them (core/config.c).  Pure functions: no hardware, no allocation.
 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include <core/cell.h>

/* What the machine allows; filled by boot.c, by hand in unit tests. */
struct config_limits {
	u64 hv_start, hv_size;		/* hypervisor memory */
	u64 max_phys;			/* first address past the physical address width */
	u64 max_guest_phys;		/* same for guest-physical addresses */
	unsigned int max_cpus;		/* CPUs that exist (root bitmap) */
	u64 mmconfig_base, mmconfig_size;
};

/* The system configuration as copied by the driver, `size` bytes mapped. */
int config_check_system(const struct jailhouse_system *sys, u64 size,
			const struct config_limits *limits);

/*
 * A cell's descriptor. `size`: bytes that may be read. Sets *total to the computed size.
 * -EINVAL, -E2BIG (more than 16 pages), -ERANGE; prints one line naming field and value.
 */
int config_check_cell(const struct jailhouse_cell_desc *desc, u64 size,
		      const struct config_limits *limits, u64 *total);

/* Physical overlap with regions of other non-root cells (decisions.md 10). */
int config_check_overlap(const struct jailhouse_cell_desc *desc, const struct cell *others);

#endif
