/* SPDX-License-Identifier: GPL-2.0-only */
/* What both vendors' stubs do.  RDI: this CPU's handover area. */
#ifndef DRIVER_X86_STUB_MACROS_H
#define DRIVER_X86_STUB_MACROS_H

#include <asm/processor-flags.h>

#define H(field)	JAILHOUSE_HANDOVER_##field(%rdi)

/* What the C calling convention keeps, selectors, tables; leaves Linux' CR3 in R11. */
	.macro	save_linux
	mov	%rsp, H(RSP)		/* at the return address */
	mov	%rbp, H(RBP)
	mov	%rbx, H(RBX)
	mov	%r12, H(R12)
	mov	%r13, H(R13)
	mov	%r14, H(R14)
	mov	%r15, H(R15)
	lea	jailhouse_stub_resume(%rip), %rax
	mov	%rax, H(RIP)
	movq	$X86_EFLAGS_FIXED, H(RFLAGS)
	xor	%eax, %eax
	mov	%cs, %ax
	mov	%rax, H(CS)
	mov	%ds, %ax
	mov	%rax, H(DS)
	mov	%es, %ax
	mov	%rax, H(ES)
	mov	%cr3, %r11
	mov	%r11, H(CR3)
	mov	%cr4, %rax
	mov	%rax, H(CR4)
	sgdt	H(GDTR)
	sidt	H(IDTR)
	.endm

/* From Linux' tables (CR3 in R11) to those at RSI. */
	.macro	enter_tables
	/* Without PCID bits first: CR3[11:0] changes its meaning with PCIDE. */
	and	$~0xfff, %r11
	mov	%r11, %cr3
	mov	H(CR4), %rax
	and	$~(X86_CR4_PGE | X86_CR4_PCIDE), %rax
	mov	%rax, %cr4		/* flushes global entries too */
	mov	%rsi, %cr3
	.endm

/* From the hypervisor's tables to Linux' (CR3 in RSI). */
	.macro	leave_tables
	and	$~0xfff, %rsi
	mov	%rsi, %cr3		/* Linux' tables: RDI is valid now */
	mov	H(CR4), %rax
	mov	%rax, %cr4		/* PCIDE 0 -> 1 needs CR3[11:0] = 0 */
	mov	H(CR3), %rax
	mov	%rax, %cr3
	.endm

/* On Linux' stack: the rest, and back to who called. */
	.macro	restore_linux
	push	H(RIP)
	push	H(RFLAGS)
	mov	H(RBP), %rbp
	mov	H(RBX), %rbx
	mov	H(R12), %r12
	mov	H(R13), %r13
	mov	H(R14), %r14
	mov	H(R15), %r15
	mov	H(RAX), %rax
	mov	H(RCX), %rcx
	mov	H(RDX), %rdx
	mov	H(RSI), %rsi
	mov	H(R8), %r8
	mov	H(R9), %r9
	mov	H(R10), %r10
	mov	H(R11), %r11
	mov	H(RDI), %rdi
	popfq
	ANNOTATE_UNRET_SAFE
	ret
	int3
	.endm

#endif
