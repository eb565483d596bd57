/* SPDX-License-Identifier: GPL-2.0-only */
/* Control words from what we need and what the CPU can do (vmx/controls.c). */
#ifndef VMX_CONTROLS_H
#define VMX_CONTROLS_H

#include <core/types.h>

enum vmx_control {
	CONTROL_PIN, CONTROL_PRIMARY, CONTROL_SECONDARY, CONTROL_EXIT, CONTROL_ENTRY,
	NUM_CONTROLS
};

struct vmx_controls {
	u32 word[NUM_CONTROLS];
};

/*
 * @caps: IA32_VMX_TRUE_PINBASED_CTLS etc.: bits that must be 1 in the lower
 * half, bits that may be 1 in the upper (SDM 3D, A.3 to A.5).
 * 0; -EIO: something is missing or cannot be switched off, and a line names each.
 */
int vmx_controls_make(struct vmx_controls *controls, const u64 caps[NUM_CONTROLS]);

/* IA32_VMX_EPT_VPID_CAP (SDM 3D, A.10). As above. */
int vmx_ept_check(u64 cap);

#endif
