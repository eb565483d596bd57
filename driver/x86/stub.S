/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way into the hypervisor and back on AMD.  The contract is in stub.h.
 *
 * All of it lies in one page, and after CR3 has been switched nothing but
 * registers and this page is used.
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

	.text
	/* Under 1 KiB and aligned to that: cannot straddle pages. */
	.balign 1024

SYM_FUNC_START(jailhouse_stub_enter)
	ENDBR
	save_linux

	mov	%rdx, %r9		/* entry */
	mov	%rcx, %r10		/* cpu_id */

	mov	$MSR_EFER, %ecx
	rdmsr
	mov	%eax, H(EFER)
	mov	%edx, 4 + H(EFER)
	or	$EFER_SVME, %eax
	wrmsr
	clgi				/* NMI and SMI wait from here on */

	enter_tables

	mov	%r10, %rdi
	mov	%r8, %rsi
	ANNOTATE_RETPOLINE_SAFE
	jmp	*%r9
SYM_FUNC_END(jailhouse_stub_enter)

SYM_CODE_START_NOALIGN(jailhouse_stub_resume)
	UNWIND_HINT_FUNC
	ANNOTATE_NOENDBR
	ANNOTATE_UNRET_SAFE
	ret
	int3
SYM_CODE_END(jailhouse_stub_resume)

SYM_CODE_START_NOALIGN(jailhouse_stub_leave)
	JAILHOUSE_UNWIND_UNKNOWN
	ENDBR
	leave_tables

	/* Linux' stack and code segment, then an NMI may come. */
	mov	H(RSP), %rsp
	push	H(CS)
	lea	.Llinux_cs(%rip), %rax
	push	%rax
	lretq
.Llinux_cs:
	JAILHOUSE_UNWIND_UNKNOWN
	ANNOTATE_NOENDBR
	mov	$__KERNEL_DS, %eax
	mov	%eax, %ss
	mov	H(DS), %rax
	mov	%eax, %ds
	mov	H(ES), %rax
	mov	%eax, %es
	stgi
	mov	$MSR_EFER, %ecx
	mov	H(EFER), %eax
	mov	4 + H(EFER), %edx
	wrmsr

	restore_linux
.Lstub_end:
SYM_CODE_END(jailhouse_stub_leave)

	.if .Lstub_end - jailhouse_stub_enter > 1024
	.error "stub does not fit its alignment"
	.endif
