/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The world switch (APM 2, 15.5, 15.6).  VMRUN and #VMEXIT switch what Linux
 * and the hypervisor disagree on; FS, GS, TR, LDTR and the system call MSRs stay
 * the guest's all the time, as the hypervisor uses none of them.  GIF is 0
 * outside the guest: NMIs stay pending.
 *
 * While a guest runs, the stack always ends at the same place: at its top the
 * VMCB's physical address, below it struct guest_regs.  So the VMCB is at a
 * constant distance, and the guest's RAX and RSP move between the two without a
 * detour (PUSH takes the address before it decrements RSP, POP after it has
 * incremented it: APM 3).  Each instruction here is paid at each exit.
 */
#include <arch/asm-offsets.h>
#include "offsets.h"

/* Where field f of the VMCB is, seen from the stack when `below` bytes are on it. */
#define VMCB(f, below)	(below) - PERCPU_SIZE + PERCPU_CONTROL_BLOCK + (f)(%rsp)

	.text

/*
 * svm_run(regs): regs->rax is the physical address of the VMCB, which has the
 * guest's RAX and RSP already.
 */
	.globl svm_run
svm_run:
	mov	%rsp, %rax
	and	$-PERCPU_SIZE, %rax
	mov	SVM_REGS_RAX(%rdi), %rcx
	mov	%rcx, (PERCPU_SIZE - 8)(%rax)
	mov	%rdi, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rbp
	add	$8, %rsp
	pop	%rbx
	pop	%rdx
	pop	%rcx
	lea	(PERCPU_SIZE - 8)(%rax), %rsp
enter:
	mov	(%rsp), %rax
	vmrun	%rax
	push	VMCB(VMCB_RAX, 8)
	push	%rcx
	push	%rdx
	push	%rbx
	push	VMCB(VMCB_RSP, 40)
	push	%rbp
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, %rdi
	lea	VMCB(0, 8 + SVM_REGS_SIZE), %rsi
	call	svm_handle_exit
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rbp
	pop	VMCB(VMCB_RSP, 40)
	pop	%rbx
	pop	%rdx
	pop	%rcx
	pop	VMCB(VMCB_RAX, 8)
	jmp	enter

	.section .note.GNU-stack, "", @progbits
