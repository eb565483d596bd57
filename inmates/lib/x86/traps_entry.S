/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One stub per vector, the common path behind it, and trap_catch(). */

/* Vectors that come with an error code: 8, 10-14, 17, 21, 29, 30 */
#define HAS_ERROR(v)	((0x60227d00 >> (v)) & 1)

	.text
	.balign	16
	.globl	trap_stubs
trap_stubs:
	vector = 0
	.rept	256
	.balign	16
	.if	vector >= 32
	push	$0
	.elseif	!HAS_ERROR(vector)
	push	$0
	.endif
	push	$vector
	jmp	trap_common
	vector = vector + 1
	.endr

#ifdef __x86_64__
trap_common:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	call	trap_dispatch
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	addq	$16, %rsp
	iretq

	.globl	trap_catch
trap_catch:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$8, %rsp
	movq	%rsp, trap_catch_sp
	movq	%rdi, %rax
	movq	%rsi, %rdi
	call	*%rax
	movl	$-1, %eax
1:	movq	$0, trap_catch_sp
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

	.globl	trap_landing
trap_landing:
	movq	trap_catch_sp, %rsp
	movl	trap_caught, %eax
	jmp	1b
#else
trap_common:
	pushal
	cld
	pushl	%esp
	call	trap_dispatch
	addl	$4, %esp
	popal
	addl	$8, %esp
	iretl

	.globl	trap_catch
trap_catch:
	movl	4(%esp), %eax
	movl	8(%esp), %ecx
	pushl	%ebx
	pushl	%ebp
	pushl	%esi
	pushl	%edi
	movl	%esp, trap_catch_sp
	pushl	%ecx
	call	*%eax
	addl	$4, %esp
	movl	$-1, %eax
1:	movl	$0, trap_catch_sp
	popl	%edi
	popl	%esi
	popl	%ebp
	popl	%ebx
	ret

	.globl	trap_landing
trap_landing:
	movl	trap_catch_sp, %esp
	movl	trap_caught, %eax
	jmp	1b
#endif

	.section ".note.GNU-stack", "", @progbits
