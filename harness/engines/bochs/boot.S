/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Option ROM that starts an ELF Linux kernel which already lies in memory.
 *
 * The BIOS calls the ROM while it looks for extensions; everything it sets up
 * (ACPI tables, interrupt routing) is complete when it calls INT 19h to boot,
 * so that is where we come in. `rom.py` appends the kernel's boot parameters
 * and its command line; only the memory map is missing there, and asked from
 * the BIOS. The kernel is entered as Documentation/x86/boot.rst, "64-bit boot
 * protocol", wants it: long mode, identity mapping, RSI = boot parameters.
 */

#define ROM_SEGMENT	0xd000
#define ROM_BASE	(ROM_SEGMENT << 4)

/* Conventional memory, all of it free at this point. */
#define PARAMS_SEGMENT	0x1000
#define PARAMS		(PARAMS_SEGMENT << 4)
#define PML4		0x20000
#define PDPT		0x21000
#define PD		0x22000
#define STACK		0x7c00

/* struct boot_params, Documentation/x86/zero-page.rst */
#define E820_ENTRIES	0x1e8
#define E820_TABLE	0x2d0
#define E820_SIZE	20
#define E820_MAX	128

#define SMAP		0x534d4150

/* A byte of CMOS memory that neither BIOS nor Linux uses; it survives a reset. */
#define CMOS_INDEX	0x70
#define CMOS_DATA	0x71
#define CMOS_BOOTED	0x7a
#define BOOTED		0x4a
/* PIIX4 power management, where the BIOS puts it: PM1a control, SLP_EN, type 0 = S5. */
#define PM1A_CONTROL	0xb004
#define SLEEP_ENABLE	(1 << 13)

#define CR0_PE		(1 << 0)
#define CR0_PG		(1 << 31)
#define CR4_PAE		(1 << 5)
#define MSR_EFER	0xc0000080
#define EFER_LME	(1 << 8)

/* Linux wants these two selectors. */
#define BOOT_CS		0x10
#define BOOT_DS		0x18
#define CODE32		0x20

	.section .text
	.code16
	.byte	0x55, 0xaa
	.byte	0			/* length in blocks of 512: rom.py */
	jmp	init

	/* Filled in by rom.py, which knows these offsets. */
	.org	8
entry:	.long	0
params:	.word	0			/* offset of the boot parameters in this ROM */

	.org	16
init:
	pushw	%ds
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	$boot, 0x19 * 4
	movw	%cs, 0x19 * 4 + 2
	popw	%ds
	lretw

boot:
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ss
	movl	$STACK, %esp
	movw	%cs, %ax
	movw	%ax, %ds
	movw	$PARAMS_SEGMENT, %ax
	movw	%ax, %es

	movb	$CMOS_BOOTED, %al
	outb	%al, $CMOS_INDEX
	inb	$CMOS_DATA, %al
	cmpb	$BOOTED, %al
	je	power_off
	movb	$BOOTED, %al
	outb	%al, $CMOS_DATA

	movw	params, %si
	xorw	%di, %di
	movw	$4096 / 4, %cx
	rep movsl

	/* INT 15h, E820h: one entry a call; EBX is 0 before the first and after the last. */
	movw	$E820_TABLE, %di
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
1:	movl	$0xe820, %eax
	movl	$E820_SIZE, %ecx
	movl	$SMAP, %edx
	int	$0x15
	jc	2f
	cmpl	$SMAP, %eax
	jne	2f
	incw	%bp
	addw	$E820_SIZE, %di
	cmpw	$E820_MAX, %bp
	je	2f
	testl	%ebx, %ebx
	jnz	1b
2:	movw	%bp, %ax
	movb	%al, %es:E820_ENTRIES

	cli
	lgdtl	gdt_pointer
	movl	%cr0, %eax
	orl	$CR0_PE, %eax
	movl	%eax, %cr0
	ljmpl	$CODE32, $(ROM_BASE + protected)

power_off:
	movw	$PM1A_CONTROL, %dx
	movw	$SLEEP_ENABLE, %ax
	outw	%ax, %dx
1:	hlt
	jmp	1b

	.code32
protected:
	movl	$BOOT_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs

	/* The first GiB, identity-mapped with pages of 2 MiB. */
	movl	$PML4, %edi
	xorl	%eax, %eax
	movl	$2 * 4096 / 4, %ecx
	rep stosl
	movl	$PDPT + 3, PML4
	movl	$PD + 3, PDPT
	movl	$PD, %edi
	movl	$0x83, %eax
	movl	$512, %ecx
1:	movl	%eax, (%edi)
	movl	$0, 4(%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b

	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$PML4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
	ljmpl	$BOOT_CS, $(ROM_BASE + long_mode)

	.code64
long_mode:
	movl	$PARAMS, %esi
	movl	(ROM_BASE + entry), %eax
	jmp	*%rax

	.balign 8
gdt:	.quad	0
	.quad	0
	.quad	0x00af9b000000ffff	/* BOOT_CS: 64 bits, accessed (this is a ROM) */
	.quad	0x00cf93000000ffff	/* BOOT_DS */
	.quad	0x00cf9b000000ffff	/* CODE32 */
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	ROM_BASE + gdt
