/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From Linux into EL2, back, and the exception vectors.
 */
#include <arch/asm-offsets.h>

	.section .text.entry, "ax"

/*
 * From Linux' stub (HVC_SOFT_RESTART): x0 = CPU number, x1 = physical address
 * of the driver's tables, which map this page at its physical address, and the
 * region at HV_LINK_ADDRESS.  EL2, MMU off.  x18 to x30, ELR_EL2 and SPSR_EL2
 * are Linux'.  Nothing is stored before the MMU is on: memory could be newer
 * than what Linux has in caches, or older.
 */
	.globl hypervisor_entry
	.type hypervisor_entry, @function
hypervisor_entry:
	msr	daifset, #0xf
	mrs	x5, sctlr_el2
	mrs	x6, tcr_el2
	mrs	x7, mair_el2
	mrs	x8, ttbr0_el2

	ldr	x9, =HV_MAIR
	msr	mair_el2, x9
	ldr	x9, =HV_TCR
	mrs	x10, id_aa64mmfr0_el1	/* PARange: not more than the 48 bits of TCR_EL2.PS = 5 */
	and	x10, x10, #0xf
	mov	x11, #5
	cmp	x10, x11
	csel	x10, x10, x11, lo
	orr	x9, x9, x10, lsl #16
	msr	tcr_el2, x9
	msr	ttbr0_el2, x1
	ic	iallu
	tlbi	alle2
	dsb	sy
	isb
	ldr	x9, =HV_SCTLR
	msr	sctlr_el2, x9
	isb
	ldr	x9, =entry_mapped
	br	x9

/* At the link address: the CPU's area follows from its number. */
entry_mapped:
	ldr	x9, =__core_end
	add	x9, x9, x0, lsl #PERCPU_SHIFT
	add	x10, x9, #PERCPU_SIZE
	mov	sp, x10
	stp	x18, x19, [x9, #HANDOVER_X18]
	stp	x20, x21, [x9, #HANDOVER_X18 + 0x10]
	stp	x22, x23, [x9, #HANDOVER_X18 + 0x20]
	stp	x24, x25, [x9, #HANDOVER_X18 + 0x30]
	stp	x26, x27, [x9, #HANDOVER_X18 + 0x40]
	stp	x28, x29, [x9, #HANDOVER_X18 + 0x50]
	str	x30, [x9, #HANDOVER_X18 + 0x60]
	str	x5, [x9, #HANDOVER_SCTLR]
	str	x6, [x9, #HANDOVER_TCR]
	str	x7, [x9, #HANDOVER_MAIR]
	str	x8, [x9, #HANDOVER_TTBR0]
	mrs	x10, vbar_el2
	str	x10, [x9, #HANDOVER_VBAR]
	ldr	x10, =hypervisor_vectors
	msr	vbar_el2, x10
	isb
	mov	x29, xzr
	mov	x30, xzr
	bl	arm64_cpu_entry
	b	.

/*
 * void linux_return(struct arch_handover *state, const u64 *regs, unsigned long phys_offset)
 *
 * Back to EL1 with the registers at regs (x0 to x30).  All other EL2 state is
 * Linux' already; phys_offset is added to a link address to make it physical.
 */
	.globl linux_return
	.type linux_return, @function
linux_return:
	ldr	x10, [x0, #HANDOVER_SCTLR]
	ldr	x11, [x0, #HANDOVER_TCR]
	ldr	x12, [x0, #HANDOVER_MAIR]
	ldr	x13, [x0, #HANDOVER_TTBR0]
	ldr	x14, [x0, #HANDOVER_VBAR]
	adr	x15, 1f
	add	x15, x15, x2
	mov	x16, x1
	ldp	x18, x19, [x16, #0x90]
	ldp	x20, x21, [x16, #0xa0]
	ldp	x22, x23, [x16, #0xb0]
	ldp	x24, x25, [x16, #0xc0]
	ldp	x26, x27, [x16, #0xd0]
	ldp	x28, x29, [x16, #0xe0]
	ldr	x30, [x16, #0xf0]
	ldp	x0, x1, [x16]
	ldp	x2, x3, [x16, #0x10]
	br	x15
1:	/* At the physical address */
	msr	sctlr_el2, x10
	isb
	msr	tcr_el2, x11
	msr	mair_el2, x12
	msr	ttbr0_el2, x13
	msr	vbar_el2, x14
	ic	iallu
	tlbi	alle2
	dsb	sy
	isb
	/* x4 to x17 are the caller's to lose, but nothing of ours is to be seen. */
	.irp	n, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17
	mov	x\n, xzr
	.endr
	eret

	.ltorg

	.section .text.vectors, "ax"

	.macro	regs_save
	sub	sp, sp, #GUEST_REGS_SIZE
	stp	x0, x1, [sp]
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
	str	x30, [sp, #0xf0]
	mov	x0, sp
	.endm

	.macro	vector handler
	.balign	128
	regs_save
	bl	\handler
	b	vmreturn
	.endm

	/* The handler says whether x19 to x29 have changed. */
	.macro	vector_sync
	.balign	128
	regs_save
	bl	exit_sync
	cbz	x0, vmreturn_short
	b	vmreturn
	.endm

	.macro	own_vector number
	.balign	128
	regs_save
	mov	x1, #\number
	bl	exception_of_hypervisor
	b	.
	.endm

/* DDI 0487, D1.3.1: current EL with SP_EL0, with SP_ELx, lower EL in AArch64, in AArch32 */
	.balign	2048
	.globl hypervisor_vectors
hypervisor_vectors:
	own_vector 0
	own_vector 1
	own_vector 2
	own_vector 3
	own_vector 4
	own_vector 5
	own_vector 6
	own_vector 7
	vector_sync
	vector exit_irq
	vector exit_fiq
	vector exit_serror
	vector_sync
	vector exit_irq
	vector exit_fiq
	vector exit_serror

/* SP at a struct guest_regs, which is at the top of the stack. */
	.balign	128
	.globl vmreturn
vmreturn:
	ldr	x19, [sp, #0x98]
	ldp	x20, x21, [sp, #0xa0]
	ldp	x22, x23, [sp, #0xb0]
	ldp	x24, x25, [sp, #0xc0]
	ldp	x26, x27, [sp, #0xd0]
	ldp	x28, x29, [sp, #0xe0]
/* x19 to x29 are as they have to be. */
vmreturn_short:
	ldp	x0, x1, [sp]
	ldp	x2, x3, [sp, #0x10]
	ldp	x4, x5, [sp, #0x20]
	ldp	x6, x7, [sp, #0x30]
	ldp	x8, x9, [sp, #0x40]
	ldp	x10, x11, [sp, #0x50]
	ldp	x12, x13, [sp, #0x60]
	ldp	x14, x15, [sp, #0x70]
	ldp	x16, x17, [sp, #0x80]
	ldr	x18, [sp, #0x90]
	ldr	x30, [sp, #0xf0]
	add	sp, sp, #GUEST_REGS_SIZE
	eret

/* void guest_enter(struct guest_regs *): the frame is where the vectors would put it. */
	.globl guest_enter
guest_enter:
	mov	sp, x0
	b	vmreturn

/*
 * void fp_reset(void): all of V0 to V31, control and status (decisions.md 13).
 * The upper parts of SVE registers become zero with them (DDI 0487, C6).
 */
	.arch_extension fp
	.arch_extension simd
	.globl fp_reset
fp_reset:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movi	v\n\().2d, #0
	.endr
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	movi	v\n\().2d, #0
	.endr
	msr	fpcr, xzr
	msr	fpsr, xzr
	ret

	.section .note.GNU-stack, "", %progbits
