/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * An inmate on the bare machine, for comparison: a multiboot program (Multiboot
 * specification 0.6.96, 3.1) that does for one inmate what the hypervisor does
 * for a cell.  It makes a communication region, copies the inmate to 0 and its
 * command line to where that belongs, switches the local APICs to x2APIC mode, and
 * enters at the reset address in real mode, on the boot CPU and on APIC id 1.
 */
#include <arch/inmate.h>

#define MULTIBOOT_MAGIC		0x1badb002
#define MULTIBOOT_RAW		0x00010000	/* addresses are in the header */
#define INFO_CMDLINE		16		/* multiboot information, 3.3 */
#define LOAD_ADDRESS		0x200000

#define X2APIC_ENABLE		0xc00		/* of MSR_APIC_BASE */
#define MSR_X2APIC_ICR		0x830
#define ICR_INIT		0x4500
#define ICR_SIPI		0x4600
#define INIT_TURNS		100000

/* Below video memory; inmates are smaller. */
#define REAL_PAGE		0x90000
#define SEG_REAL		0x18		/* 16-bit, based there */
#define SEG_REAL_DATA		0x20

	.text
	.code32
	.globl bare_entry
header:
	.long	MULTIBOOT_MAGIC, MULTIBOOT_RAW, -(MULTIBOOT_MAGIC + MULTIBOOT_RAW)
	.long	header, LOAD_ADDRESS, 0, 0, bare_entry

bare_entry:
	cli
	cld
	lgdtl	gdt_ptr_bare
	/* The firmware's timer would come as a vector that means something else here. */
	movb	$0xff, %al
	outb	%al, $0x21
	outb	%al, $0xa1

	movl	$COMM_REGION_BASE, %edi
	xorl	%eax, %eax
	movl	$1024, %ecx
	rep stosl
	movl	$bare_comm, %esi
	movl	$COMM_REGION_BASE, %edi
	movl	bare_comm_size, %ecx
	rep movsb

	movl	$inmate, %esi
	xorl	%edi, %edi
	movl	$(inmate_end - inmate), %ecx
	rep movsb
	movl	INFO_CMDLINE(%ebx), %esi
	movl	$CMDLINE_BASE, %edi
	movl	$255, %ecx
	rep movsb

	movl	$real_mode, %esi
	movl	$REAL_PAGE, %edi
	movl	$(real_mode_end - real_mode), %ecx
	rep movsb

	movl	$MSR_APIC_BASE, %ecx
	rdmsr
	orl	$X2APIC_ENABLE, %eax
	wrmsr
	movl	$MSR_X2APIC_ICR, %ecx
	movl	$1, %edx
	movl	$ICR_INIT, %eax
	wrmsr
	movl	$INIT_TURNS, %ebp
1:	decl	%ebp
	jnz	1b
	movl	$(ICR_SIPI | REAL_PAGE >> 12), %eax
	wrmsr

	/* Back to real mode through 16-bit segments (SDM 3, 10.9.2) */
	ljmpl	$SEG_REAL, $(leave_protected - real_mode)

	.balign	8
gdt_bare:
	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
	.quad	0x00009b000000ffff | REAL_PAGE << 16
	.quad	0x000093000000ffff
gdt_ptr_bare:
	.word	gdt_ptr_bare - gdt_bare - 1
	.long	gdt_bare

	.code16
	/* APIC id 1 */
real_mode:
	cli
	movl	$MSR_APIC_BASE, %ecx
	rdmsr
	orl	$X2APIC_ENABLE, %eax
	wrmsr
	ljmpw	$0, $0
	/* The boot CPU */
leave_protected:
	movw	$SEG_REAL_DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	movl	%cr0, %eax
	andb	$0xfe, %al
	movl	%eax, %cr0
	ljmpw	$0, $0
real_mode_end:

	.balign	16
inmate:
	.incbin	INMATE
inmate_end:

	.section ".note.GNU-stack", "", @progbits
