/* SPDX-License-Identifier: GPL-2.0-only */
/* Ways of a shared cache as bit masks (vmx/cat_mask.c). */
#ifndef VMX_CAT_MASK_H
#define VMX_CAT_MASK_H

#include <core/types.h>

/* Ways start to start + size - 1 of `ways` there are; 0: none, or not all exist. */
u32 cat_mask_make(u32 start, u32 size, unsigned int ways);

unsigned int cat_ways(u32 mask);	/* how many */

/*
 * What root may use of its own ways when others own some: the longest run, as
 * masks must be contiguous (SDM 3B, 17.19.2); of equals the lowest.  It depends
 * on nothing else, so that a cell that goes leaves no trace.
 */
u32 cat_root_mask(u32 own, u32 taken);

#endif
