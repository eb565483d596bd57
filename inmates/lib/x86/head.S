/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Start-up of an inmate, 64-bit and 32-bit.
 *
 * At cell start all CPUs begin here at once, in real mode at address 0.  The
 * first to draw a ticket becomes the master.  The others leave their APIC id
 * and halt until the master sends INIT and SIPI with vector 0, which leads
 * here again, now with smp_entry set.
 *
 * A cell may be started again without being loaded again: tickets count on,
 * and ticket / CPUs tells the starts apart.
 */
#include <arch/inmate.h>

#define COMM_NUM_CPUS	(COMM_REGION_BASE + 66)

	.section ".boot", "ax"
	.code16
	.globl reset_entry
reset_entry:
	/* What the CPU came with, for who wants to know: struct boot_state */
	movl	%eax, %cs:boot_state
	movl	%ecx, %cs:boot_state + 4
	movl	%edx, %cs:boot_state + 8
	movl	%ebx, %cs:boot_state + 12
	movl	%esp, %cs:boot_state + 16
	movl	%ebp, %cs:boot_state + 20
	movl	%esi, %cs:boot_state + 24
	movl	%edi, %cs:boot_state + 28
	movw	%cs, %cs:boot_state + 32
	movw	%ds, %cs:boot_state + 34
	movw	%es, %cs:boot_state + 36
	movw	%fs, %cs:boot_state + 38
	movw	%gs, %cs:boot_state + 40
	movw	%ss, %cs:boot_state + 42
	movl	%cr0, %eax
	movl	%eax, %cs:boot_state + 44
	movl	%cr3, %eax
	movl	%eax, %cs:boot_state + 48
	movl	%cr4, %eax
	movl	%eax, %cs:boot_state + 52
	sgdtl	%cs:boot_state + 56
	sidtl	%cs:boot_state + 62
	xorw	%ax, %ax
	movw	%ax, %ss
	movl	$boot_stack_real, %esp
	pushfl
	popl	%cs:boot_state + 68

	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	gdt_ptr
	movl	%cr0, %eax
	orb	$X86_CR0_PE, %al
	movl	%eax, %cr0
	ljmpl	$SEG_CODE32, $protected_entry

	.code32
protected_entry:
	movl	$SEG_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	cld

	cmpl	$0, smp_entry
	jne	enable_paging

	movl	$1, %eax
	lock xaddl %eax, boot_tickets
	movzwl	COMM_NUM_CPUS, %ecx
	testl	%ecx, %ecx
	jnz	1f
	incl	%ecx
1:	xorl	%edx, %edx
	divl	%ecx
	incl	%eax
	testl	%edx, %edx
	jz	master

	/* Slot of a secondary: APIC id, then the number of this start */
	cmpl	$SMP_MAX_CPUS_ASM, %edx
	jae	2f
	movl	%eax, %esi
	movl	%edx, %edi
	movl	$1, %eax
	cpuid
	shrl	$24, %ebx
	movl	%ebx, smp_slots(,%edi,8)
	movl	%esi, smp_slots + 4(,%edi,8)
2:	cli
	hlt
	jmp	2b

master:
	movl	%eax, boot_number
	movl	$__bss_start, %edi
	movl	$__bss_end, %ecx
	subl	%edi, %ecx
	shrl	$2, %ecx
	xorl	%eax, %eax
	rep stosl

#ifdef __x86_64__
	/* Present, writable; one 2 MiB page at 0 */
	movl	$page_map_level3 + 0x3, page_map_root
	movl	$page_map_level2 + 0x3, page_map_level3
	movl	$0x83, page_map_level2
#else
	/* One 4 MiB page at 0 */
	movl	$0x83, page_map_root
#endif

enable_paging:
	/* Reset leaves memory uncached: MTRRs on, cache disable off. */
	movl	$MSR_MTRR_DEF_TYPE, %ecx
	rdmsr
	orl	$MSR_MTRR_ENABLE, %eax
	wrmsr

	movl	%cr4, %eax
#ifdef __x86_64__
	orl	$X86_CR4_PAE, %eax
#else
	orl	$X86_CR4_PSE, %eax
#endif
	movl	%eax, %cr4
	movl	$page_map_root, %eax
	movl	%eax, %cr3
#ifdef __x86_64__
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
#endif
	movl	%cr0, %eax
	andl	$~(X86_CR0_CD | X86_CR0_NW), %eax
	orl	$(X86_CR0_PG | X86_CR0_WP), %eax
	movl	%eax, %cr0
#ifdef __x86_64__
	ljmpl	$SEG_CODE64, $long_entry

	.code64
long_entry:
	movq	%r8, boot_state + 72
	movq	%r9, boot_state + 80
	movq	%r10, boot_state + 88
	movq	%r11, boot_state + 96
	movq	%r12, boot_state + 104
	movq	%r13, boot_state + 112
	movq	%r14, boot_state + 120
	movq	%r15, boot_state + 128
	cmpq	$0, smp_entry
	jne	secondary_entry
	movq	$boot_stack_top, %rsp
	xorl	%ebp, %ebp
	call	inmate_start
1:	cli
	hlt
	jmp	1b

secondary_entry:
	movq	smp_stack, %rsp
	movq	smp_entry, %rax
	/* From now on the master may start the next one. */
	movq	$0, smp_entry
	xorl	%ebp, %ebp
	movq	%rax, %rdi
	call	secondary_start
1:	cli
	hlt
	jmp	1b
#else
	cmpl	$0, smp_entry
	jne	secondary_entry
	movl	$boot_stack_top, %esp
	xorl	%ebp, %ebp
	call	inmate_start
1:	cli
	hlt
	jmp	1b

secondary_entry:
	movl	smp_stack, %esp
	movl	smp_entry, %eax
	movl	$0, smp_entry
	xorl	%ebp, %ebp
	pushl	%eax
	call	secondary_start
1:	cli
	hlt
	jmp	1b
#endif

	/* Accessed bits are set: the CPU never has to write them. */
	.balign	16
	.globl	boot_gdt, gdt_ptr
boot_gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* SEG_CODE32 */
	.quad	0x00cf93000000ffff	/* SEG_DATA */
	.quad	0x00af9b000000ffff	/* SEG_CODE64 */
	.quad	0x00cff3000000ffff	/* SEG_USER_DATA */
	.quad	0x00affb000000ffff	/* SEG_USER_CODE64 */
	.quad	0, 0			/* SEG_TSS, filled by who needs it */
gdt_ptr:
	.word	gdt_ptr - boot_gdt - 1
	.long	boot_gdt
	.long	0

	/* Outside .bss: secondaries write while the master clears that. */
	.balign	8
	.globl	boot_tickets, boot_number, smp_entry, smp_stack, smp_slots
smp_entry:
	.quad	0
smp_stack:
	.quad	0
boot_tickets:
	.long	0
boot_number:
	.long	0
smp_slots:
	.fill	SMP_MAX_CPUS_ASM, 8, 0
	.globl	boot_state
boot_state:
	.fill	136, 1, 0
	/* For PUSHF, by all CPUs at once: what they push is the same. */
	.fill	8, 1, 0
boot_stack_real:

	.bss
	.balign	4096
	.globl	page_map_root
page_map_root:
	.skip	4096
#ifdef __x86_64__
page_map_level3:
	.skip	4096
page_map_level2:
	.skip	4096
#endif
	.globl	boot_stack, boot_stack_top
boot_stack:
	.skip	16384
boot_stack_top:

	.section ".note.GNU-stack", "", @progbits
