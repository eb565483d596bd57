/* SPDX-License-Identifier: GPL-2.0-only */
/* x86 share of the per-CPU area.  Owner of the fields: arch/x86. */
#ifndef ARCH_PERCPU_H
#define ARCH_PERCPU_H

#include <jailhouse/hypercall.h>
#include <jailhouse/image.h>
#include <core/types.h>
#include <arch/asm-offsets.h>	/* PERCPU_SIZE and what assembly needs */

#define NUM_CPU_STATS	JAILHOUSE_NUM_CPU_STATS_X86
#define arch_handover	jailhouse_x86_handover

/* General registers of the guest, in the order in which the exit path stores them. */
struct guest_regs {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rdi, rsi, rbp, rsp, rbx, rdx, rcx, rax;
};
/* Register number as in ModRM (0 = rax ... 15 = r15). rsp lives in the control block. */
static inline u64 *guest_reg(struct guest_regs *regs, unsigned int n)
{
	return (u64 *)&regs->rax - n;
}

enum apic_wait { APIC_RUNNING, APIC_WAIT_SIPI };

#define SIPI_NONE		(-1)
#define SIPI_CELL_START		0x100	/* pseudo vector: at the cell's reset address */

struct desc_ptr {
	u16 limit;
	u64 base;
} __packed;

/* What the entry stub does not save: taken over into the control block, or restored. */
struct linux_state {
	u64 cr0, cr2, dr6, dr7;
	u16 ss;
	struct desc_ptr gdtr, idtr;
};

/*
 * The way of the last fetch in 64-bit mode: a page of code, and the entries that lead
 * there with what they said.  Linux writes to its APIC from two places all the time.
 */
#define FETCH_LEVELS	4
struct fetch_path {
	unsigned int entries;		/* 0: none */
	u64 cr3, page;
	const u64 *tables;		/* of the cell; and when */
	u64 generation;
	const volatile u64 *entry[FETCH_LEVELS];
	u64 value[FETCH_LEVELS];
	const u8 *code;			/* of the page */
};

struct arch_percpu {
	/* vendor control blocks, one page each, in this area (vcpu.c / svm) */
	u8 control_block[4096] __aligned(4096);	/* VMCB / VMCS */
	u8 host_state[4096] __aligned(4096);	/* AMD host save area / VMXON region */
	struct linux_state linux_state;
	struct guest_regs *regs;	/* while an exit is handled */
	u32 apic_id;

	/* INIT and SIPI of other CPUs; ipi_lock guards the three */
	u32 ipi_lock;
	volatile bool init_signaled;
	volatile int sipi_vector;	/* SIPI_NONE, or the page number */
	volatile enum apic_wait wait;

	/* Intel (vmx/): the VMCS is current; the last entry was refused */
	volatile bool vmcs_loaded;
	bool entry_failed;

	volatile bool nmi_pending;	/* an NMI arrived: look at the events again */
	volatile bool moved;		/* came from another cell: clean FP, debug, PMU */

	/* Lines that the guest may cause in this period (guest_line_allowed()) */
	u64 lines_until;		/* ticks */
	unsigned int lines;

	struct fetch_path fetch_path;	/* guest_walk.c */

	u64 pat;
	u64 mtrr_def_type;		/* bit 11 clear: the guest runs uncached */
};

static inline unsigned long arch_percpu_base(void)
{
	unsigned long sp;

	asm("mov %%rsp, %0" : "=r" (sp));
	return sp & ~(PERCPU_SIZE - 1UL);
}

#endif
