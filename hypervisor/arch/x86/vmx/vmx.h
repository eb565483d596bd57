/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of this directory. */
#ifndef VMX_VMX_H
#define VMX_VMX_H

#include <core/cell.h>
#include <core/percpu.h>
#include "controls.h"
#include "msr_bitmap.h"
#include "vmcs.h"

#define MSR_FEATURE_CONTROL	0x03a
#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_VMX_BASIC		0x480
#define MSR_VMX_MISC		0x485
#define MSR_VMX_CR0_FIXED0	0x486
#define MSR_VMX_CR0_FIXED1	0x487
#define MSR_VMX_CR4_FIXED0	0x488
#define MSR_VMX_CR4_FIXED1	0x489
#define MSR_VMX_SECONDARY	0x48b
#define MSR_VMX_EPT_VPID	0x48c
#define MSR_VMX_TRUE_PIN	0x48d
#define MSR_VMX_TRUE_PRIMARY	0x48e
#define MSR_VMX_TRUE_EXIT	0x48f
#define MSR_VMX_TRUE_ENTRY	0x490
#define MSR_STAR		0xc0000081	/* to SFMASK, 0xc0000084 */
#define MSR_SFMASK		0xc0000084
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102

#define CR0_TS			(1UL << 3)
#define CR0_EM			(1UL << 2)
#define CR0_NE			(1UL << 5)
#define CR4_VMXE		(1UL << 13)

/* What guests see is a shadow; writes that change it exit (exits.c). */
#define CR0_OWNED		(CR0_NE | CR0_NW | CR0_CD)
#define CR4_OWNED		CR4_VMXE

/* Capabilities (vmx/features.c): the master's, and every CPU's are checked. */
struct vmx_features {
	struct vmx_controls controls;
	u32 revision;
	bool hlt_activity;
};
extern struct vmx_features vmx_features;
int vmx_features_get(struct vmx_features *features);

/* VMX operation of this CPU (vmx/on.c) */
int vmx_on(struct per_cpu *cpu);
void vmx_off(struct per_cpu *cpu);

/* Linux becomes the guest (vmx/state.c) */
void vmcs_init(struct per_cpu *cpu);
void vmcs_set_cell(const struct cell *cell);
void vmcs_set_reset_state(void);
void vmcs_set_tables(const struct page_table *tables);
void vmcs_set_segment(enum vmcs_segment n, u16 selector, u32 rights, u32 limit, u64 base);

/*
 * The instruction behind STI or MOV SS is over, or will run again: with TF set
 * the CPU refuses an entry into the shadow (SDM 3C, 26.3.1.5).
 */
void vmcs_end_shadow(void);

/* What the guest sees */
static inline u64 visible_cr0(void)
{
	return (vmcs_read(VMCS_GUEST_CR0) & ~CR0_OWNED) |
		(vmcs_read(VMCS_CR0_SHADOW) & CR0_OWNED);
}

static inline u64 visible_cr4(void)
{
	return (vmcs_read(VMCS_GUEST_CR4) & ~CR4_OWNED) |
		(vmcs_read(VMCS_CR4_SHADOW) & CR4_OWNED);
}

/* The first VM entry and all that follow (vmx/world.S); regs: on the stack, aligned to 16. */
void vmx_run(struct guest_regs *regs) __noreturn;
extern const char vmx_exit[];
/* From world.S, after each VM exit, and when there is no way in. */
void vmx_handle_exit(struct guest_regs *regs);
void vmx_entry_refused(void) __noreturn;
/* What is left to do before the next entry. */
void vmx_before_run(struct guest_regs *regs);

#endif
