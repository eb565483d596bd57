/* SPDX-License-Identifier: GPL-2.0-only */
/* Policy for model-specific registers (arch/x86/msr.c). */
#ifndef ARCH_MSR_H
#define ARCH_MSR_H

#include <core/types.h>

enum msr_action {
	MSR_PASS,	/* direct, no exit where a bitmap can say so */
	MSR_NATIVE,	/* performed for the guest; what the CPU refuses is #GP */
	MSR_GP,
	MSR_IGNORE,	/* writes do nothing, reads give 0 */
	MSR_FATAL,	/* a violation */
	MSR_EMULATE,
	MSR_X2APIC,	/* only in the table: MSR_PASS or MSR_EMULATE, by mode */
};

enum msr_action msr_action(u32 msr, bool root, bool is_write);

/* Of the vendor: can an access be made direct? */
bool msr_has_bitmap(u32 msr);
void vcpu_set_pat(u64 pat);
bool vcpu_set_efer(u64 efer);	/* false: not acceptable, #GP */

/* Cell start: PAT's reset value, MTRRs disabled (abi.md 7.1). */
void msr_reset_memory_types(void);

#endif
