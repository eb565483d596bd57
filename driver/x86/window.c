// SPDX-License-Identifier: GPL-2.0-only
/*
 * Intel: descriptor tables for the moments between Linux and the hypervisor
 * (stub_vmx.S), and the descriptors that only Linux' own tables can tell.
 */
#include "../driver.h"

#include <asm/desc.h>
#include <asm/segment.h>
#include <asm/trapnr.h>

#include "stub.h"

#define CODE64		0x00af9b000000ffffULL
#define DATA		0x00cf93000000ffffULL
#define GATE_PRESENT	0x8e00ULL	/* DPL 0, 64-bit interrupt gate, no IST */
#define HYPERVISOR_CS	0x08

static void gate_set(struct jailhouse_x86_handover *h, unsigned int vector,
		     void (*handler)(void))
{
	u64 address = (unsigned long)handler;

	h->window_idt[2 * vector] = (address & 0xffff) | __KERNEL_CS << 16 |
		GATE_PRESENT << 32 | (address >> 16 & 0xffff) << 48;
	h->window_idt[2 * vector + 1] = address >> 32;
}

/* A system descriptor has 16 bytes (SDM 3A, 7.2.3). Granularity is bytes for both. */
static void segment_get(struct jailhouse_x86_segment *seg, u16 selector, u64 gdt)
{
	const struct ldttss_desc *desc;

	*seg = (struct jailhouse_x86_segment){ .selector = selector };
	if (!(selector & ~7))
		return;
	desc = (const void *)(gdt + (selector & ~7));
	seg->limit = desc->limit0 | desc->limit1 << 16;
	seg->base = desc->base0 | (u64)desc->base1 << 16 | (u64)desc->base2 << 24 |
		(u64)desc->base3 << 32;
}

/* This CPU, interrupts off. */
void window_fill(struct jailhouse_x86_handover *h)
{
	struct desc_ptr gdtr;
	u16 tr, ldtr;

	native_store_gdt(&gdtr);
	asm volatile("str %0" : "=r" (tr));
	asm volatile("sldt %0" : "=r" (ldtr));
	segment_get(&h->tr, tr, gdtr.address);
	segment_get(&h->ldtr, ldtr, gdtr.address);

	h->window_gdt[HYPERVISOR_CS >> 3] = CODE64;
	h->window_gdt[__KERNEL_CS >> 3] = CODE64;
	h->window_gdt[__KERNEL_DS >> 3] = DATA;
	gate_set(h, X86_TRAP_NMI, jailhouse_vmx_nmi);
	gate_set(h, X86_TRAP_MC, jailhouse_vmx_mc);
}
