/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Units: subsystems with a share in each cell.  Their order is the table
 * `units` (NULL-terminated) in arch/<arch>/units.c and nothing else; shutdown
 * and cell_exit run in reverse.
 */
#ifndef CORE_UNIT_H
#define CORE_UNIT_H

#include <core/types.h>

struct cell;
struct jailhouse_memory;

struct unit {
	const char *name;			/* "Initializing unit: <name>" */
	int (*init)(void);			/* master; may be NULL, as all of these */
	void (*shutdown)(void);			/* undo init on a failed enable or disable */
	unsigned int (*mmio_regions)(const struct cell *cell);	/* how many it registers at most */
	int (*cell_init)(struct cell *cell);	/* also for the root cell, after init */
	void (*cell_exit)(struct cell *cell);	/* give everything back (to the root cell) */
	void (*cell_reset)(struct cell *cell);	/* start, set loadable: devices to reset state */
	/* IOMMU units only */
	int (*map_region)(struct cell *cell, const struct jailhouse_memory *mem);
	int (*unmap_region)(struct cell *cell, const struct jailhouse_memory *mem);
	/* After any change of ownership; cell == NULL: root only (enable, disable). */
	void (*config_commit)(struct cell *changed);
};

extern const struct unit *const units[];

#endif
