/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way into the hypervisor and back on Intel.  The contract is in stub.h.
 *
 * Intel has no CLGI: an NMI may come between any two instructions.  While
 * neither Linux' nor the hypervisor's descriptor tables and stacks are mapped it
 * meets the window: tables and a stack in the handover area, which has the same
 * address in both page tables, and the two handlers below.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>
#include <asm/unwind_hints.h>
#include <jailhouse/image.h>
#include "../compat.h"
#include "stub_macros.S"

#define PENDING		(JAILHOUSE_WINDOW_IDT + JAILHOUSE_WINDOW_IDT_SIZE)

	.macro	save_msr msr, field
	mov	$\msr, %ecx
	rdmsr
	mov	%eax, \field
	mov	%edx, 4 + \field
	.endm

	.macro	restore_msr msr, field
	mov	$\msr, %ecx
	mov	\field, %eax
	mov	4 + \field, %edx
	wrmsr
	.endm

	/* LIDT or LGDT with a table of the handover area; uses RAX and the stack */
	.macro	load_table insn, table, size
	lea	\table(%rdi), %rax
	push	%rax
	pushw	$(\size - 1)
	\insn	(%rsp)
	add	$10, %rsp
	.endm

	.text
	/* Under 1 KiB and aligned to that: cannot straddle pages. */
	.balign 1024

SYM_CODE_START_NOALIGN(jailhouse_vmx_enter)
	UNWIND_HINT_FUNC
	ENDBR
	save_linux
	xor	%eax, %eax
	mov	%fs, %ax
	mov	%rax, H(FS)
	mov	%gs, %ax
	mov	%rax, H(GS)

	mov	%rdx, %r9		/* entry */
	mov	%rcx, %r10		/* cpu_id */
	save_msr MSR_EFER, H(EFER)
	save_msr MSR_FS_BASE, H(FS_BASE)
	save_msr MSR_GS_BASE, H(GS_BASE)

	JAILHOUSE_UNWIND_UNKNOWN
	lea	JAILHOUSE_HANDOVER_SIZE(%rdi), %rsp
	load_table lidt, JAILHOUSE_WINDOW_IDT, JAILHOUSE_WINDOW_IDT_SIZE
	load_table lgdt, JAILHOUSE_WINDOW_GDT, JAILHOUSE_WINDOW_GDT_SIZE

	enter_tables

	mov	%r10, %rdi
	mov	%r8, %rsi
	ANNOTATE_RETPOLINE_SAFE
	jmp	*%r9
SYM_CODE_END(jailhouse_vmx_enter)

SYM_CODE_START_NOALIGN(jailhouse_vmx_leave)
	JAILHOUSE_UNWIND_UNKNOWN
	ENDBR
	lea	JAILHOUSE_HANDOVER_SIZE(%rdi), %rsp
	leave_tables

	/* The window's GDT has Linux' code and data segments. */
	push	H(CS)
	lea	.Llinux_cs(%rip), %rax
	push	%rax
	lretq
.Llinux_cs:
	JAILHOUSE_UNWIND_UNKNOWN
	ANNOTATE_NOENDBR
	mov	$__KERNEL_DS, %eax
	mov	%eax, %ss
	lgdt	H(GDTR)
	mov	H(DS), %rax
	mov	%eax, %ds
	mov	H(ES), %rax
	mov	%eax, %es
	mov	H(FS), %rax
	mov	%eax, %fs
	mov	H(GS), %rax
	mov	%eax, %gs
	restore_msr MSR_FS_BASE, H(FS_BASE)
	restore_msr MSR_GS_BASE, H(GS_BASE)
	restore_msr MSR_EFER, H(EFER)
	lidt	H(IDTR)
	mov	H(RSP), %rsp

	/* What was kept from Linux meanwhile */
	testb	$JAILHOUSE_PENDING_NMI, PENDING(%rdi)
	jz	.Lno_nmi
	int	$2
.Lno_nmi:
	restore_linux
SYM_CODE_END(jailhouse_vmx_leave)

SYM_CODE_START_NOALIGN(jailhouse_vmx_nmi)
	JAILHOUSE_UNWIND_UNKNOWN
	ENDBR
	push	%rax
	mov	$JAILHOUSE_PENDING_NMI, %eax
	jmp	.Lrecord
SYM_CODE_END(jailhouse_vmx_nmi)

SYM_CODE_START_NOALIGN(jailhouse_vmx_mc)
	JAILHOUSE_UNWIND_UNKNOWN
	ENDBR
	push	%rax
	mov	$JAILHOUSE_PENDING_MC, %eax
.Lrecord:
	/* Whatever the stack is, IDTR leads to the handover area. */
	push	%rbx
	sub	$16, %rsp
	sidt	(%rsp)
	mov	2(%rsp), %rbx
	or	%rax, JAILHOUSE_WINDOW_IDT_SIZE(%rbx)
	add	$16, %rsp
	pop	%rbx
	pop	%rax
	iretq
SYM_CODE_END(jailhouse_vmx_mc)

	/* An error if the stub has outgrown its alignment */
	.org jailhouse_vmx_enter + 1024, 0xcc
