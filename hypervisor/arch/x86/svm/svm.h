/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of this directory. */
#ifndef SVM_SVM_H
#define SVM_SVM_H

#include <core/percpu.h>
#include "vmcb.h"

static inline struct vmcb *this_vmcb(void)
{
	return (struct vmcb *)this_cpu()->arch.control_block;
}

/* MSR permission maps (svm/msrpm.c) */
void msrpm_init(void);
const void *msrpm_for(bool root);

/* The first VMRUN and all that follow (svm/world.S); regs: on the stack, aligned to 16. */
void svm_run(struct guest_regs *regs) __noreturn;
/* From world.S, after each #VMEXIT. */
void svm_handle_exit(struct guest_regs *regs);
/* Registers from and to the control block. */
void svm_before_run(struct guest_regs *regs);

#endif
