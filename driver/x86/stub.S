/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way into the hypervisor and back.  The contract is in stub.h.
 *
 * All of it lies in one page, and after CR3 has been switched nothing but
 * registers and this page is used.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#include <asm/unwind_hints.h>
#include <jailhouse/image.h>
#include "../compat.h"

#define H(field)	JAILHOUSE_HANDOVER_##field(%rdi)

	.text
	/* Under 1 KiB and aligned to that: cannot straddle pages. */
	.balign 1024

SYM_FUNC_START(jailhouse_stub_enter)
	ENDBR
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

	mov	%rdx, %r9		/* entry */
	mov	%rcx, %r10		/* cpu_id */

	mov	$MSR_EFER, %ecx
	rdmsr
	mov	%eax, H(EFER)
	mov	%edx, 4 + H(EFER)
	or	$EFER_SVME, %eax
	wrmsr
	clgi				/* NMI and SMI wait from here on */

	/* Without PCID bits first: CR3[11:0] changes its meaning with PCIDE. */
	and	$~0xfff, %r11
	mov	%r11, %cr3
	mov	H(CR4), %rax
	and	$~(X86_CR4_PGE | X86_CR4_PCIDE), %rax
	mov	%rax, %cr4		/* flushes global entries too */
	mov	%rsi, %cr3

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
	and	$~0xfff, %rsi
	mov	%rsi, %cr3		/* Linux' tables: RDI is valid now */
	mov	H(CR4), %rax
	mov	%rax, %cr4		/* PCIDE 0 -> 1 needs CR3[11:0] = 0 */
	mov	H(CR3), %rax
	mov	%rax, %cr3

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
.Lstub_end:
SYM_CODE_END(jailhouse_stub_leave)

	.if .Lstub_end - jailhouse_stub_enter > 1024
	.error "stub does not fit its alignment"
	.endif
