// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSR permission maps, from the policy in msr.c: two bits a register (read,
 * write), 2 KiB for each of three ranges (APM 2, 15.11).
 */
#include <arch/msr.h>
#include <lib/string.h>
#include "svm.h"

#define MSRPM_SIZE	0x2000
#define RANGE_MSRS	0x2000
#define RANGE_BYTES	0x800

static const u32 range_start[] = { 0, 0xc0000000, 0xc0010000 };

static u8 msrpm[2][MSRPM_SIZE] __aligned(PAGE_SIZE);	/* cells, root */

bool msr_has_bitmap(u32 msr)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(range_start); n++)
		if (msr - range_start[n] < RANGE_MSRS)
			return true;
	return false;
}

/* The bits that trap what does not pass */
static unsigned int trapped(u32 msr, bool root)
{
	unsigned int bits = 0;

	if (msr_action(msr, root, false) != MSR_PASS)
		bits |= 1;
	if (msr_action(msr, root, true) != MSR_PASS)
		bits |= 2;
	return bits;
}

/* Run by run: most of 8192 registers have no rule of their own. */
static void set_range(u8 *map, u32 start, bool root)
{
	u32 n, end, bits;

	for (n = 0; n < RANGE_MSRS; n = end + 1) {
		end = MIN(msr_run_end(start + n) - start, RANGE_MSRS - 1U);
		bits = trapped(start + n, root);
		for (; bits && n <= end; n++)
			map[n / 4] |= bits << (n % 4 * 2);
	}
}

static void set_map(u8 *map, bool root)
{
	unsigned int n;

	memset(map, 0, ARRAY_SIZE(range_start) * RANGE_BYTES);
	memset(map + ARRAY_SIZE(range_start) * RANGE_BYTES, 0xff,
	       MSRPM_SIZE - ARRAY_SIZE(range_start) * RANGE_BYTES);
	for (n = 0; n < ARRAY_SIZE(range_start); n++)
		set_range(map + n * RANGE_BYTES, range_start[n], root);
}

/* After the APIC mode is known. */
void msrpm_init(void)
{
	set_map(msrpm[false], false);
	set_map(msrpm[true], true);
}

const void *msrpm_for(bool root)
{
	return msrpm[root];
}
