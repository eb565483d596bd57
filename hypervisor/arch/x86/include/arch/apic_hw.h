/* SPDX-License-Identifier: GPL-2.0-only */
/* The calling CPU's physical local APIC (arch/x86/apic.c); host tests bring a fake. */
#ifndef ARCH_APIC_HW_H
#define ARCH_APIC_HW_H

#include <core/types.h>

u32 apic_hw_read(unsigned int reg);
void apic_hw_write(unsigned int reg, u32 value);
/* dest: APIC id, or a logical destination when icr_lo has ICR_LOGICAL. */
void apic_hw_send(u32 icr_lo, u32 dest);

/* Let pending interrupts and NMIs reach the hypervisor's IDT for a moment. */
void vcpu_accept_interrupts(void);

#endif
