/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of this directory. */
#ifndef SVM_SVM_H
#define SVM_SVM_H

#include <core/percpu.h>
#include <arch/registers.h>
#include "vmcb.h"

/* Attributes of a code segment in a VMCB (APM 2, 15.5.1) */
#define ATTR_L		(1U << 9)
#define ATTR_D		(1U << 10)

static inline struct vmcb *this_vmcb(void)
{
	return (struct vmcb *)this_cpu()->arch.control_block;
}

/* MSR permission maps (svm/msrpm.c) */
void msrpm_init(void);
const void *msrpm_for(bool root);

/*
 * The first VMRUN and all that follow (svm/world.S).  regs->rax: the physical
 * address of the VMCB; the guest's RAX and RSP are in there already.
 */
void svm_run(struct guest_regs *regs) __noreturn;
/* Where world.S keeps the guest's registers: below the word at the top of the stack. */
static inline struct guest_regs *svm_guest_regs(struct per_cpu *cpu)
{
	return (struct guest_regs *)((char *)cpu + PERCPU_SIZE - sizeof(u64)) - 1;
}
/* From world.S, after each #VMEXIT. */
void svm_handle_exit(struct guest_regs *regs, struct vmcb *vmcb);

static inline bool svm_in_64bit_code(const struct vmcb *vmcb)
{
	return (vmcb->efer & EFER_LMA) && (vmcb->cs.attr & ATTR_L);
}

static inline void svm_skip(struct vmcb *vmcb, unsigned int length)
{
	u64 rip = vmcb->rip + length;

	vmcb->rip = svm_in_64bit_code(vmcb) ? rip : (u32)rip;
	vmcb->interrupt_shadow = 0;
}

#endif
