/* SPDX-License-Identifier: GPL-2.0-only */
/* Policy for model-specific registers (arch/x86/msr.c). */
#ifndef ARCH_MSR_H
#define ARCH_MSR_H

#include <core/percpu.h>

enum msr_action {
	MSR_PASS,	/* direct, no exit where a bitmap can say so */
	MSR_NATIVE,	/* performed for the guest; what the CPU refuses is #GP */
	MSR_GP,
	MSR_IGNORE,	/* writes do nothing, reads give 0 */
	MSR_FATAL,	/* a violation */
	MSR_EMULATE,
	MSR_X2APIC,	/* only in the table: MSR_PASS or MSR_EMULATE, by mode */
};

/* First match counts. Columns: root read, root write, cell read, cell write. */
struct msr_rule {
	u32 first, last;
	u8 action[4];
};
/* Handlers for MSR_EMULATE; false: a violation */
struct msr_emulation {
	u32 msr;
	bool is_write;
	bool (*handler)(struct guest_regs *regs);
};

/* Of the vendor; rules come before the common ones. */
extern const struct msr_rule vendor_msr_rules[];
extern const unsigned int vendor_num_msr_rules;
extern const struct msr_emulation vendor_msr_emulations[];
extern const unsigned int vendor_num_msr_emulations;

/* For handlers */
u64 msr_operand(const struct guest_regs *regs);
void msr_done(void);		/* on to the next instruction */
bool msr_inject_gp(void);	/* true */

enum msr_action msr_action(u32 msr, bool root, bool is_write);

/* The last register from msr on that is certain to have the same actions: for bitmaps. */
u32 msr_run_end(u32 msr);

/* Of the vendor: can an access be made direct? */
bool msr_has_bitmap(u32 msr);
void vcpu_set_pat(u64 pat);
bool vcpu_set_efer(u64 efer);	/* false: not acceptable, #GP */

/* Cell start: PAT's reset value, MTRRs disabled (abi.md 7.1). */
void msr_reset_memory_types(void);

#endif
