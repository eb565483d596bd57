// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which controls are on.  What causes exits is on only where it has to be:
 * interrupts, HLT, MWAIT, CR3, INVLPG, RDTSC and the like stay the guest's.
 */
#include <core/printk.h>
#include "controls.h"
#include "vmcs.h"

static const struct {
	u8 control;
	bool optional;
	u32 bit;
	const char *name;
} wanted[] = {
	{ CONTROL_PIN, false, PIN_NMI_EXITING, "NMI exiting" },
	{ CONTROL_PIN, false, PIN_VIRTUAL_NMI, "virtual NMIs" },
	{ CONTROL_PRIMARY, false, PRIMARY_IO_BITMAPS, "I/O bitmaps" },
	{ CONTROL_PRIMARY, false, PRIMARY_MSR_BITMAPS, "MSR bitmaps" },
	{ CONTROL_PRIMARY, false, PRIMARY_SECONDARY, "secondary controls" },
	{ CONTROL_SECONDARY, false, SECONDARY_EPT, "extended page tables" },
	{ CONTROL_SECONDARY, false, SECONDARY_UNRESTRICTED, "unrestricted guest" },
	{ CONTROL_SECONDARY, true, SECONDARY_VPID, NULL },
	{ CONTROL_SECONDARY, true, SECONDARY_RDTSCP, NULL },
	{ CONTROL_SECONDARY, true, SECONDARY_INVPCID, NULL },
	{ CONTROL_SECONDARY, true, SECONDARY_XSAVES, NULL },
	{ CONTROL_SECONDARY, true, SECONDARY_WAITPKG, NULL },
	{ CONTROL_EXIT, false, EXIT_SAVE_DEBUG, "saving of debug controls" },
	{ CONTROL_EXIT, false, EXIT_HOST_64BIT, "64-bit host" },
	{ CONTROL_EXIT, false, EXIT_LOAD_PAT, "loading of the host's PAT" },
	{ CONTROL_EXIT, false, EXIT_SAVE_EFER, "saving of EFER" },
	{ CONTROL_EXIT, false, EXIT_LOAD_EFER, "loading of the host's EFER" },
	{ CONTROL_ENTRY, false, ENTRY_LOAD_DEBUG, "loading of debug controls" },
	{ CONTROL_ENTRY, false, ENTRY_LOAD_PAT, "loading of the guest's PAT" },
	{ CONTROL_ENTRY, false, ENTRY_LOAD_EFER, "loading of the guest's EFER" },
};

/* Reserved bits that are 1 on every CPU with true controls (SDM 3D, A.2). */
static const u32 reserved_ones[NUM_CONTROLS] = {
	[CONTROL_PIN]		= 0x00000016,
	[CONTROL_PRIMARY]	= 0x04006172,
	[CONTROL_EXIT]		= 0x00036dff,
	[CONTROL_ENTRY]		= 0x000011ff,
};

static const char *const word_names[NUM_CONTROLS] = {
	"pin-based", "primary", "secondary", "VM-exit", "VM-entry",
};

static int missing(const char *name)
{
	printk("ERROR: VMX: missing: %s\n", name);
	return -EIO;
}

/* Used for a moment only, when an NMI has come too late for the exit at hand. */
static int check_timer(u64 pin_cap)
{
	return pin_cap >> 32 & PIN_PREEMPTION_TIMER ? 0 : missing("preemption timer");
}

int vmx_controls_make(struct vmx_controls *controls, const u64 caps[NUM_CONTROLS])
{
	int err = check_timer(caps[CONTROL_PIN]);
	unsigned int n;
	u32 forced;

	*controls = (struct vmx_controls){ 0 };
	for (n = 0; n < ARRAY_SIZE(wanted); n++) {
		if (caps[wanted[n].control] >> 32 & wanted[n].bit)
			controls->word[wanted[n].control] |= wanted[n].bit;
		else if (!wanted[n].optional)
			err = missing(wanted[n].name);
	}
	for (n = 0; n < NUM_CONTROLS; n++) {
		forced = (u32)caps[n] & ~reserved_ones[n] & ~controls->word[n];
		if (forced) {
			printk("ERROR: VMX: %s controls %08x can not be switched off\n",
			       word_names[n], forced);
			err = -EIO;
		}
		controls->word[n] |= (u32)caps[n];
	}
	return err;
}

static const struct {
	unsigned int bit;
	const char *name;
} ept_needs[] = {
	{ 6, "EPT with 4 levels" },
	{ 14, "EPT with write-back tables" },
	{ 16, "EPT with 2 MiB pages" },
	{ 20, "INVEPT" },
	{ 26, "INVEPT of all contexts" },
};

int vmx_ept_check(u64 cap)
{
	unsigned int n;
	int err = 0;

	for (n = 0; n < ARRAY_SIZE(ept_needs); n++)
		if (!(cap >> ept_needs[n].bit & 1))
			err = missing(ept_needs[n].name);
	return err;
}
