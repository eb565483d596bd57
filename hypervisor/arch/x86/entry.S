/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry from the driver's stub, and the hypervisor's exception vectors.
 */
#include <arch/asm-offsets.h>

	.section .text.entry, "ax"

/*
 * From the stub: RDI = cpu_id, tables of the driver, GIF and IF clear, no
 * stack.  The CPU's area follows from its number: after the core, PERCPU_SIZE
 * each; the stack is at its top.
 */
	.globl hypervisor_entry
	.type hypervisor_entry, @function
hypervisor_entry:
	endbr64
	mov	%edi, %eax
	shl	$PERCPU_SHIFT, %rax
	lea	__core_end(%rip), %rdx
	lea	PERCPU_SIZE(%rdx,%rax), %rsp
	xor	%ebp, %ebp
	push	%rbp
	push	%rbp
	cld
	call	x86_cpu_entry
	ud2
	.size hypervisor_entry, . - hypervisor_entry

/*
 * Exceptions of the hypervisor itself.  32 stubs of 16 bytes: push an error
 * code where the CPU does not, push the vector, go on.  One more for all
 * interrupts, which need no more than an acknowledgement.
 * Vectors with error code: 8, 10-14, 17, 21, 29, 30 (APM 2, 8.2).
 */
#define ERROR_CODE_VECTORS	0x60227d00

	.balign 16
	.globl exception_stubs
exception_stubs:
	vector = 0
	.rept 33
	.balign 16
	endbr64
	.if vector > 31 || !((ERROR_CODE_VECTORS >> (vector & 31)) & 1)
	push	$0
	.endif
	push	$vector
	jmp	exception_common
	vector = vector + 1
	.endr

/* struct exception_frame (exceptions.c) */
exception_common:
	push	%rax
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	mov	%rsp, %rdi
	push	%rbp
	mov	%rsp, %rbp
	and	$~0xf, %rsp
	cld
	call	exception_handle
	mov	%rbp, %rsp
	pop	%rbp
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq

/* Register access that may fault: 0, or the fixup's -1 (.ex_table: address, continuation). */
	.macro	ex_table from, to
	.pushsection .ex_table, "a"
	.balign 8
	.quad	\from, \to
	.popsection
	.endm

/* bool msr_read_safe(u32 msr, u64 *value) */
	.globl msr_read_safe
msr_read_safe:
	mov	%edi, %ecx
1:	rdmsr
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, (%rsi)
	mov	$1, %eax
	ret
	ex_table 1b, msr_failed

/* bool msr_write_safe(u32 msr, u64 value) */
	.globl msr_write_safe
msr_write_safe:
	mov	%edi, %ecx
	mov	%esi, %eax
	mov	%rsi, %rdx
	shr	$32, %rdx
2:	wrmsr
	mov	$1, %eax
	ret
	ex_table 2b, msr_failed

msr_failed:
	xor	%eax, %eax
	ret

	.section .note.GNU-stack, "", @progbits
