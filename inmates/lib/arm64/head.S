/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Start of the cell (only its first CPU comes here), start of other CPUs, and
 * the vectors.  State on arrival: EL1, MMU and caches off, everything masked.
 */
	.section .boot, "ax"

	.globl __start
__start:
	ldr	x2, =__stack_top
	mov	sp, x2
	ldr	x2, =boot_context	/* x0 and x1, for programs that look at them */
	ldr	x3, =__bss_start
	ldr	x4, =__bss_end
1:	cmp	x3, x4
	b.hs	2f
	stp	xzr, xzr, [x3], #16
	b	1b
2:	stp	x0, x1, [x2]
	bl	cpu_init_early
	bl	mmu_build
	bl	mmu_on
	bl	inmate_start
	b	.

/* By CPU_ON: x0 = struct smp_start { stack, entry } */
	.globl secondary_entry
secondary_entry:
	ldp	x1, x19, [x0]
	mov	sp, x1
	bl	cpu_init_early
	bl	mmu_on
	mov	x0, x19
	bl	secondary_start
	b	.

/* Floating point is there for who wants it; vectors. */
cpu_init_early:
	mov	x3, #3 << 20
	msr	cpacr_el1, x3
	ldr	x3, =vectors
	msr	vbar_el1, x3
	isb
	ret

/* MAIR: 0 normal write-back, 1 device nGnRE.  TCR: 39 bits, 4 KiB, no upper half, 40 bits out. */
mmu_on:
	ldr	x3, =0x04ff
	msr	mair_el1, x3
	ldr	x3, =0x200803519
	msr	tcr_el1, x3
	ldr	x3, =mmu_level1
	msr	ttbr0_el1, x3
	dsb	sy
	tlbi	vmalle1
	ic	iallu
	dsb	sy
	isb
	mrs	x3, sctlr_el1
	mov	x4, #0x1005		/* M, C, I */
	orr	x3, x3, x4
	msr	sctlr_el1, x3
	isb
	ret

	.ltorg

	.macro	vector kind
	.balign	128
	sub	sp, sp, #0x110
	stp	x0, x1, [sp]
	mov	x0, #\kind
	b	trap_common
	.endm

	.balign	2048
vectors:
	.irp	kind, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vector	\kind
	.endr

	.text

/* struct trap_frame */
trap_common:
	stp	x2, x3, [sp, #0x10]
	stp	x4, x5, [sp, #0x20]
	stp	x6, x7, [sp, #0x30]
	stp	x8, x9, [sp, #0x40]
	stp	x10, x11, [sp, #0x50]
	stp	x12, x13, [sp, #0x60]
	stp	x14, x15, [sp, #0x70]
	stp	x16, x17, [sp, #0x80]
	stp	x18, x19, [sp, #0x90]
	stp	x20, x21, [sp, #0xa0]
	stp	x22, x23, [sp, #0xb0]
	stp	x24, x25, [sp, #0xc0]
	stp	x26, x27, [sp, #0xd0]
	stp	x28, x29, [sp, #0xe0]
	mrs	x2, elr_el1
	stp	x30, x2, [sp, #0xf0]
	mrs	x2, spsr_el1
	str	x2, [sp, #0x100]
	mov	x1, sp
	bl	trap_handle
	ldr	x2, [sp, #0x100]
	msr	spsr_el1, x2
	ldp	x30, x2, [sp, #0xf0]
	msr	elr_el1, x2
	ldp	x28, x29, [sp, #0xe0]
	ldp	x26, x27, [sp, #0xd0]
	ldp	x24, x25, [sp, #0xc0]
	ldp	x22, x23, [sp, #0xb0]
	ldp	x20, x21, [sp, #0xa0]
	ldp	x18, x19, [sp, #0x90]
	ldp	x16, x17, [sp, #0x80]
	ldp	x14, x15, [sp, #0x70]
	ldp	x12, x13, [sp, #0x60]
	ldp	x10, x11, [sp, #0x50]
	ldp	x8, x9, [sp, #0x40]
	ldp	x6, x7, [sp, #0x30]
	ldp	x4, x5, [sp, #0x20]
	ldp	x2, x3, [sp, #0x10]
	ldp	x0, x1, [sp]
	add	sp, sp, #0x110
	eret

	.section .note.GNU-stack, "", %progbits
