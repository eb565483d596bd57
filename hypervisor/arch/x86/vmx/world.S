/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The world switch (SDM 3C, 26, 27).  VM entry and exit switch what the VMCS
 * has; CR2, debug registers, system call MSRs, KERNEL_GS_BASE and the FPU stay
 * the guest's all the time, as the hypervisor uses none of them.
 */

	.text

/* vmx_run(regs) */
	.globl vmx_run
vmx_run:
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
	add	$8, %rsp		/* RSP is in the VMCS */
	pop	%rbx
	pop	%rdx
	pop	%rcx
	pop	%rax
	vmresume
	/* Only flags have changed: not yet launched, or no way in. */
	vmlaunch
	and	$~0xf, %rsp
	call	vmx_entry_refused
	ud2

/* HOST_RIP; HOST_RSP is behind struct guest_regs. */
	.globl vmx_exit
vmx_exit:
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
	call	vmx_handle_exit
	jmp	restore

	.section .note.GNU-stack, "", @progbits
