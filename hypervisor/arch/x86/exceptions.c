// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor's own descriptor tables, and what happens when it takes an
 * exception: nothing is expected but NMIs (management kicks) in the window in
 * which they are accepted, interrupts while the local APIC is drained, and
 * faults of register accesses that are allowed to fail.
 */
#include <core/cpu.h>
#include <core/percpu.h>
#include <core/printk.h>
#include <arch/apic.h>
#include <arch/cpu.h>
#include <arch/exceptions.h>
#include <arch/registers.h>
#include <arch/vcpu.h>

#define VECTOR_SECURITY		30	/* INIT turned into an exception (VM_CR.R_INIT) */
#define INTERRUPT		32U	/* this and all above: one stub */
#define VECTORS			256
#define GATE_INTERRUPT		0x8e00	/* present, DPL 0, 64-bit interrupt gate */

struct gate {
	u16 offset0, selector, attributes, offset1;
	u32 offset2, reserved;
} __packed;

struct exception_frame {
	u64 r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

struct ex_table_entry {
	u64 address, continuation;
};

extern const struct ex_table_entry __ex_table_start[], __ex_table_end[];
extern const char exception_stubs[];

#define STUB_SIZE	16

static struct gate idt[VECTORS];
static const u64 gdt[] = {
	[HV_CS / 8] = 0x00af9b000000ffffULL,	/* 64-bit code, accessed */
	[HV_DS / 8] = 0x00cf93000000ffffULL,
};

static void gate_set(struct gate *gate, u64 handler)
{
	gate->offset0 = handler;
	gate->offset1 = handler >> 16;
	gate->offset2 = handler >> 32;
	gate->selector = HV_CS;
	gate->attributes = GATE_INTERRUPT;
}

void descriptor_tables_load(void)
{
	const struct desc_ptr gdtr = { sizeof(gdt) - 1, (u64)gdt };
	const struct desc_ptr idtr = { sizeof(idt) - 1, (u64)idt };
	unsigned int n;

	/* Each CPU writes the same values: harmless without a lock. */
	for (n = 0; n < VECTORS; n++)
		gate_set(&idt[n], (u64)exception_stubs + MIN(n, INTERRUPT) * STUB_SIZE);

	asm volatile("lgdt %0\n\t"
		     "lidt %1\n\t"
		     "mov %2, %%ss\n\t"
		     "mov %2, %%ds\n\t"
		     "mov %2, %%es\n\t"
		     "pushq %3\n\t"
		     "lea 1f(%%rip), %%rax\n\t"
		     "push %%rax\n\t"
		     "lretq\n\t"
		     "1:"
		     : : "m" (gdtr), "m" (idtr), "r" (HV_DS), "i" (HV_CS) : "rax", "memory");
}

static bool fixup(struct exception_frame *frame)
{
	const struct ex_table_entry *entry;

	for (entry = __ex_table_start; entry < __ex_table_end; entry++)
		if (entry->address == frame->rip) {
			frame->rip = entry->continuation;
			return true;
		}
	return false;
}

static void __noreturn exception_fatal(const struct exception_frame *frame)
{
	panic_begin();
	panic_printk("FATAL: Jailhouse triggered exception #%llu\n", frame->vector);
	panic_printk("Error code: %llx\n", frame->error);
	panic_printk("Physical CPU ID: %u\n", this_cpu()->arch.apic_id);
	panic_printk("RIP: 0x%016llx RSP: 0x%016llx FLAGS: %llx\n",
		     frame->rip, frame->rsp, frame->rflags);
	panic_printk("RAX: 0x%016llx RCX: 0x%016llx RDX: 0x%016llx\n",
		     frame->rax, frame->rcx, frame->rdx);
	panic_printk("CS: %llx CR2: 0x%016llx CR3: 0x%016llx\n",
		     frame->cs, cr2_read(), cr3_read());
	arch_panic_stop();
}

/* Called from entry.S, interrupts off. */
void exception_handle(struct exception_frame *frame);
void exception_handle(struct exception_frame *frame)
{
	u64 vector = frame->vector;

	if (vector == XCPT_NMI) {
		this_cpu()->arch.nmi_pending = true;
		vcpu_exit_soon();
	} else if (vector == INTERRUPT) {
		apic_eoi();
	} else if (vector != VECTOR_SECURITY && !fixup(frame)) {
		exception_fatal(frame);
	}
}
