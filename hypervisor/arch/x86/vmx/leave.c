// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way back to Linux (docs/image-contract.md).  Nothing keeps NMIs away on
 * Intel: from here on they meet the window, descriptor tables and a stack in the
 * handover area, which is mapped at the same address in both page tables.
 */
#include <core/boot.h>
#include <core/cell.h>
#include <core/sections.h>
#include <arch/exceptions.h>
#include <arch/registers.h>
#include <arch/vcpu.h>
#include "cat.h"
#include "vmx.h"

#define GDT_LIMIT	(JAILHOUSE_WINDOW_GDT_SIZE - 1)
#define IDT_LIMIT	(JAILHOUSE_WINDOW_IDT_SIZE - 1)

#define DESC_PRESENT	(1ULL << 47)
#define DESC_TSS	(9ULL << 40)	/* 64 bit, available */
#define DESC_LDT	(2ULL << 40)

/* The handover area at Linux' address */
static struct jailhouse_x86_handover *linux_handover(void)
{
	return (struct jailhouse_x86_handover *)
		(hypervisor_header.window + this_cpu()->cpu_id * PERCPU_SIZE);
}

static void window_load(void)
{
	const struct jailhouse_x86_handover *h = linux_handover();
	const struct desc_ptr gdtr = { GDT_LIMIT, (u64)h->window_gdt };
	const struct desc_ptr idtr = { IDT_LIMIT, (u64)h->window_idt };

	/* In the window's GDT our data selector is Linux' code: IRET takes a null SS in ring 0. */
	asm volatile("lgdt %0\n\t"
		     "mov %2, %%ss\n\t"
		     "mov %2, %%ds\n\t"
		     "mov %2, %%es\n\t"
		     "lidt %1" : : "m" (gdtr), "m" (idtr), "r" (0) : "memory");
}

void __noreturn linux_return(const struct desc_ptr *gdtr, const struct desc_ptr *idtr)
{
	struct jailhouse_x86_handover *h = linux_handover();

	h->gdtr = (struct jailhouse_x86_table){ .limit = gdtr->limit, .base = gdtr->base };
	h->idtr = (struct jailhouse_x86_table){ .limit = idtr->limit, .base = idtr->base };
	window_load();
	asm volatile("jmp *%0"
		     : : "a" (hypervisor_header.stub_leave), "D" (h), "S" (h->cr3) : "memory");
	__builtin_unreachable();
}

/* A descriptor of 16 bytes (SDM 3A, 3.5.2, 7.2.3). */
static bool window_describe(u16 selector, u64 type, u32 limit, u64 base)
{
	u64 *entry = &linux_handover()->window_gdt[selector >> 3];

	if (!(selector & ~7) || (selector & 4) || selector >= JAILHOUSE_WINDOW_GDT_SIZE - 15U)
		return false;
	entry[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | type | DESC_PRESENT |
		(u64)(limit & 0xf0000) << 32 | (base >> 24 & 0xff) << 56;
	entry[1] = base >> 32;
	return true;
}

static void restore_task(u16 selector, u32 limit, u64 base)
{
	if (window_describe(selector, DESC_TSS, limit, base))
		asm volatile("ltr %0" : : "r" (selector) : "memory");
}

static void restore_ldt(u16 selector, u32 limit, u64 base, bool usable)
{
	if (!usable || !window_describe(selector, DESC_LDT, limit, base))
		selector = 0;
	asm volatile("lldt %0" : : "r" (selector) : "memory");
}

static void fill_state(struct jailhouse_x86_handover *h)
{
	h->rip = vmcs_read(VMCS_GUEST_RIP);
	h->rflags = vmcs_read(VMCS_GUEST_RFLAGS);
	h->cs = vmcs_read(VMCS_GUEST_SELECTOR(SEG_CS));
	h->ds = vmcs_read(VMCS_GUEST_SELECTOR(SEG_DS));
	h->es = vmcs_read(VMCS_GUEST_SELECTOR(SEG_ES));
	h->fs = vmcs_read(VMCS_GUEST_SELECTOR(SEG_FS));
	h->gs = vmcs_read(VMCS_GUEST_SELECTOR(SEG_GS));
	h->fs_base = vmcs_read(VMCS_GUEST_BASE(SEG_FS));
	h->gs_base = vmcs_read(VMCS_GUEST_BASE(SEG_GS));
	h->cr3 = vmcs_read(VMCS_GUEST_CR3);
	/* With VMXE as the driver knows it; VMXOFF does not need it. */
	h->cr4 = visible_cr4();
	h->efer = vmcs_read(VMCS_GUEST_EFER);
}

static void restore_msrs(void)
{
	msr_write(MSR_DEBUGCTL, vmcs_read(VMCS_GUEST_DEBUGCTL));
	msr_write(MSR_SYSENTER_CS, vmcs_read(VMCS_GUEST_SYSENTER_CS));
	msr_write(MSR_SYSENTER_ESP, vmcs_read(VMCS_GUEST_SYSENTER_ESP));
	msr_write(MSR_SYSENTER_EIP, vmcs_read(VMCS_GUEST_SYSENTER_EIP));
	msr_write(MSR_PAT, this_cpu()->arch.pat);
}

static struct desc_ptr guest_table(enum vmcs_segment n)
{
	return (struct desc_ptr){ vmcs_read(VMCS_GUEST_LIMIT(n)), vmcs_read(VMCS_GUEST_BASE(n)) };
}

void vcpu_leave(void)
{
	struct per_cpu *cpu = this_cpu();
	const struct desc_ptr gdtr = guest_table(SEG_GDTR), idtr = guest_table(SEG_IDTR);
	u64 cr0 = visible_cr0(), dr7 = vmcs_read(VMCS_GUEST_DR7);

	handover_registers(&cpu->handover, cpu->arch.regs);
	fill_state(&cpu->handover);
	window_load();
	restore_task(vmcs_read(VMCS_GUEST_SELECTOR(SEG_TR)), vmcs_read(VMCS_GUEST_LIMIT(SEG_TR)),
		     vmcs_read(VMCS_GUEST_BASE(SEG_TR)));
	restore_ldt(vmcs_read(VMCS_GUEST_SELECTOR(SEG_LDTR)),
		    vmcs_read(VMCS_GUEST_LIMIT(SEG_LDTR)), vmcs_read(VMCS_GUEST_BASE(SEG_LDTR)),
		    !(vmcs_read(VMCS_GUEST_RIGHTS(SEG_LDTR)) & RIGHTS_UNUSABLE));
	restore_msrs();
	cat_leave();
	vmx_off(cpu);
	cr0_write(cr0);
	dr7_write(dr7);
	linux_return(&gdtr, &idtr);
}
