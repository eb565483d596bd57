// SPDX-License-Identifier: GPL-2.0-only
/* Model-specific registers of Intel (abi.md 7.4, decisions.md 8); common ones: arch/x86/msr.c. */
#include <arch/msr.h>
#include <arch/registers.h>
#include <arch/vcpu.h>
#include "msr_bitmap.h"

const struct msr_rule vendor_msr_rules[] = {
	/* FEATURE_CONTROL */
	{ 0x03a, 0x03a, { MSR_PASS, MSR_GP, MSR_PASS, MSR_FATAL } },
	/* SMM: monitor control, range registers, and of processor-reserved memory */
	{ 0x09b, 0x09b, { MSR_PASS, MSR_GP, MSR_GP, MSR_FATAL } },
	{ 0x1f2, 0x1f5, { MSR_PASS, MSR_GP, MSR_PASS, MSR_FATAL } },
	/* Shows the enable bit as emulated */
	{ 0x2ff, 0x2ff, { MSR_EMULATE, MSR_EMULATE, MSR_EMULATE, MSR_EMULATE } },
	/* Counters raise NMIs, which are the hypervisor's (abi.md 7.4). */
	{ 0x38f, 0x38f, { MSR_PASS, MSR_IGNORE, MSR_PASS, MSR_IGNORE } },
	/* Capabilities of VMX */
	{ 0x480, 0x493, { MSR_PASS, MSR_GP, MSR_GP, MSR_GP } },
	/* Cache and bandwidth allocation, and all behind the x2APIC up to BNDCFGS */
	{ 0x840, 0xd8f, { MSR_PASS, MSR_GP, MSR_PASS, MSR_FATAL } },
	/* Memory encryption; where hardware writes its feedback: a physical address */
	{ 0x981, 0x983, { MSR_PASS, MSR_GP, MSR_PASS, MSR_FATAL } },
	{ 0x17d0, 0x17d1, { MSR_PASS, MSR_GP, MSR_PASS, MSR_FATAL } },
};
const unsigned int vendor_num_msr_rules = ARRAY_SIZE(vendor_msr_rules);

/* EFER is part of the guest's state in the VMCS: nothing to emulate. */
const struct msr_emulation vendor_msr_emulations[] = {};
const unsigned int vendor_num_msr_emulations;

/* --- Bitmaps (SDM 3C, 24.6.9): read low, read high, write low, write high -------- */

#define RANGE_MSRS	0x2000
#define RANGE_BYTES	(RANGE_MSRS / 8)
#define WRITE_BITMAPS	(2 * RANGE_BYTES)

static const u32 range_start[] = { 0, 0xc0000000 };

static u8 bitmaps[2][PAGE_SIZE] __aligned(PAGE_SIZE);	/* cells, root */

bool msr_has_bitmap(u32 msr)
{
	return msr - range_start[0] < RANGE_MSRS || msr - range_start[1] < RANGE_MSRS;
}

static void set_range(u8 *map, u32 start, bool root)
{
	u32 n;

	for (n = 0; n < RANGE_MSRS; n++) {
		if (msr_action(start + n, root, false) != MSR_PASS)
			map[n / 8] |= 1U << n % 8;
		if (msr_action(start + n, root, true) != MSR_PASS)
			map[WRITE_BITMAPS + n / 8] |= 1U << n % 8;
	}
}

void msr_bitmaps_init(void)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(range_start); n++) {
		set_range(bitmaps[false] + n * RANGE_BYTES, range_start[n], false);
		set_range(bitmaps[true] + n * RANGE_BYTES, range_start[n], true);
	}
}

const void *msr_bitmap_for(bool root)
{
	return bitmaps[root];
}
