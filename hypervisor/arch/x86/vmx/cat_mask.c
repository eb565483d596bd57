// SPDX-License-Identifier: GPL-2.0-only
/* Arithmetic of cache allocation: pure, for host tests (bugs.md A58). */
#include "cat_mask.h"

#define MAX_WAYS	32

u32 cat_mask_make(u32 start, u32 size, unsigned int ways)
{
	if (ways > MAX_WAYS || size == 0 || size > ways || start > ways - size)
		return 0;
	return (u32)((1ULL << size) - 1) << start;
}

unsigned int cat_ways(u32 mask)
{
	unsigned int count;

	for (count = 0; mask; count++)
		mask &= mask - 1;
	return count;
}

/* The run of ones that begins at the lowest one. */
static u32 lowest_run(u32 mask)
{
	u64 lowest = mask & -(u64)mask;

	/* Adding carries through the run. */
	return mask & ~(u32)(mask + lowest);
}

u32 cat_root_mask(u32 own, u32 taken)
{
	u32 left = own & ~taken, best = 0, run;

	while (left) {
		run = lowest_run(left);
		if (cat_ways(run) > cat_ways(best))
			best = run;
		left &= ~run;
	}
	return best;
}
