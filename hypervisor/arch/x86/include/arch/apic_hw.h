/* SPDX-License-Identifier: GPL-2.0-only */
/* The calling CPU's physical local APIC (arch/x86/apic.c); host tests bring a fake. */
#ifndef ARCH_APIC_HW_H
#define ARCH_APIC_HW_H

#include <core/types.h>
#include <arch/io.h>
#include <arch/registers.h>

extern bool using_x2apic;
extern void *xapic_page;	/* mapped while that is false */

/* Here, because they are in the way of most exits. */
static inline u32 xapic_read(unsigned int reg)
{
	return mmio_read32((char *)xapic_page + (reg << 4));
}

static inline void xapic_write(unsigned int reg, u32 value)
{
	mmio_write32((char *)xapic_page + (reg << 4), value);
}

static inline u32 apic_hw_read(unsigned int reg)
{
	return using_x2apic ? (u32)msr_read(MSR_X2APIC_BASE + reg) : xapic_read(reg);
}

static inline void apic_hw_write(unsigned int reg, u32 value)
{
	if (using_x2apic)
		msr_write(MSR_X2APIC_BASE + reg, value);
	else
		xapic_write(reg, value);
}

/* dest: APIC id, or a logical destination when icr_lo has ICR_LOGICAL. */
void apic_hw_send(u32 icr_lo, u32 dest);
/* To the calling CPU itself; icr_lo has ICR_SELF. */
void apic_hw_send_self(u32 icr_lo);

/* Let pending interrupts and NMIs reach the hypervisor's IDT for a moment. */
void vcpu_accept_interrupts(void);

#endif
