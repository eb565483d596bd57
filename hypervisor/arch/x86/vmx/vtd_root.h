/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A root cell that remaps interrupts itself: its table and its queue stay where they are,
 * in its memory, and mean what they did.  The unit has ours.
 */
#ifndef VMX_VTD_ROOT_H
#define VMX_VTD_ROOT_H

#include <core/device_lock.h>
#include <core/types.h>

struct cell;
struct vtd_irte;
struct vtd_unit;
struct vtd_descriptor;

/* Part of a unit, all of it 0 when Linux does not use that. */
struct vtd_root {
	u64 base;			/* of the unit's registers */
	u64 irta, iqa;			/* as Linux wrote them */
	u32 status;
	u32 tail;			/* of its queue: behind the last descriptor carried out */
	struct device_lock lock;	/* of the tail */
	struct vtd_descriptor *queue;	/* a page; NULL: Linux does not remap interrupts */
	const struct vtd_irte *table;
	unsigned int entries;		/* of the table */
};

/* What the registers have; refuses what could not be given back. */
int vtd_root_take(struct vtd_unit *unit, u64 base);
/* Also after a failed take */
void vtd_root_forget(struct vtd_unit *unit);

/* Registers as the root cell sees them */
unsigned int vtd_root_regions(const struct cell *cell);
void vtd_root_cell_init(struct cell *cell);
void vtd_root_cell_exit(struct cell *cell);

#endif
