/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The world switch (APM 2, 15.5, 15.6).  VMRUN and #VMEXIT switch what Linux
 * and the hypervisor disagree on; FS, GS, TR, LDTR and the system call MSRs stay
 * the guest's all the time, as the hypervisor uses none of them.  GIF is 0
 * outside the guest: NMIs stay pending.
 */
#include <arch/asm-offsets.h>

	.text

/* svm_run(regs): regs->rax is the physical address of the VMCB. */
	.globl svm_run
svm_run:
	mov	%rdi, %rsp
restore:
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
	add	$8, %rsp		/* RSP is in the VMCB */
	pop	%rbx
	pop	%rdx
	pop	%rcx
	pop	%rax
	vmrun	%rax

	/* struct guest_regs; RAX and RSP come from the VMCB. */
	push	%rax
	push	%rcx
	push	%rdx
	push	%rbx
	push	%rax
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
	xor	%ebp, %ebp
	call	svm_handle_exit
	jmp	restore

	.section .note.GNU-stack, "", @progbits
