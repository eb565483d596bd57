/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Firmware of the inmate bench: 64 KiB at the top of the address space and at
 * 0xf0000.  It gives a plain emulated PC the few things that inmates find
 * under the hypervisor (x2APIC interface, PM timer, BAR of the HDA controller,
 * masked legacy interrupts), then starts all CPUs at 0, all at the same time.
 * With a number at 0x100ff0 the first CPU stays outside, and starts the others
 * that many times, whenever they have set the state to "shut down".
 */
#define COMM_SEGMENT		0xffff
#define COMM_STATE_OFFSET	0x18	/* 0x100008 */
#define COMM_NUM_CPUS_OFFSET	0x52	/* 0x100042 */
#define STARTS_OFFSET		0x1000	/* 0x100ff0: how often to start */

	.code16
	.section .text
	.globl	_start
_start:
	cli
	movw	%cs, %ax
	movw	%ax, %ds

	/* Legacy interrupt controllers: all masked */
	movb	$0xff, %al
	outb	%al, $0x21
	outb	%al, $0xa1

	/* ICH9 LPC: power management at 0x600, enabled, SCI on pin 9 */
	movl	$0x8000f840, %eax
	movl	$0x00000601, %ebx
	call	pci_write
	movl	$0x8000f844, %eax
	movl	$0x00000080, %ebx
	call	pci_write
	/* HDA controller: BAR 0 */
	movl	$0x8000d810, %eax
	movl	$0xfebf8000, %ebx
	call	pci_write

	/* Everybody, this CPU included, turns x2APIC on and waits for SIPI. */
	call	enable_x2apic
	movl	$0x830, %ecx
	xorl	%edx, %edx
	movl	$0x000c4500, %eax	/* INIT, all but self */
	wrmsr
	movl	$0x000c46ff, %eax	/* SIPI 0xff: 0xff000, all but self */
	wrmsr

	/* CPUs ready: counted at 0x500 in RAM */
	xorw	%ax, %ax
	movw	%ax, %es
	movw	$COMM_SEGMENT, %ax
	movw	%ax, %fs
	movw	%fs:COMM_NUM_CPUS_OFFSET, %bx
	cmpw	$0, %fs:STARTS_OFFSET
	jne	1f
	/* This CPU is one of them. */
	decw	%bx
1:	pause
	cmpw	%bx, %es:0x500
	jne	1b

	movl	$0x000c4500, %eax
	wrmsr
	movl	$0x000c4600, %eax	/* SIPI 0 */
	wrmsr
	cmpw	$0, %fs:STARTS_OFFSET
	je	start_cell

	/* This CPU is management: starts the cell again when it has stopped. */
1:	pause
	cmpw	$2, %fs:COMM_STATE_OFFSET
	jne	1b
	movw	$0, %fs:COMM_STATE_OFFSET
	decw	%fs:STARTS_OFFSET
	jz	2f
	movl	$0x000c4500, %eax
	wrmsr
	movl	$0x000c4600, %eax
	wrmsr
	jmp	1b
2:	hlt
	jmp	2b

enable_x2apic:
	movl	$0x1b, %ecx
	rdmsr
	orw	$0x0c00, %ax
	wrmsr
	ret

pci_write:
	movw	$0xcf8, %dx
	outl	%eax, %dx
	movw	$0xcfc, %dx
	movl	%ebx, %eax
	outl	%eax, %dx
	ret

	/* What the hypervisor's reset gives that a hardware reset doesn't. */
start_cell:
	movl	$0x832, %ecx
	movl	$0x00010000, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$0x835, %ecx
	wrmsr
	movl	$0x836, %ecx
	wrmsr
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %ss
	movl	%eax, %esp
	movl	%eax, %ebx
	movl	%eax, %ecx
	movl	%eax, %edx
	ljmpw	$0, $0

	/* SIPI 0xff arrives at ff00:0, which is this place. */
	.org	0xf000
	movw	%cs, %ax
	ljmpw	$0xf000, $secondary
secondary:
	movw	%cs, %ax
	movw	%ax, %ds
	xorw	%ax, %ax
	movw	%ax, %ss
	movw	$0x700, %sp
	/* One at a time: the stack at 0x700 is shared. */
	call_lock:
	lock btsw $0, %ss:0x502
	jc	call_lock
	call	enable_x2apic
	movw	$0, %ss:0x502
	lock incw %ss:0x500
1:	hlt
	jmp	1b

	.org	0xfff0
	ljmpw	$0xf000, $_start
	.org	0xffff
	.byte	0
