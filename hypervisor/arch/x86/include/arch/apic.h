/* SPDX-License-Identifier: GPL-2.0-only */
/* Local APIC: physical access, and emulation for cells (arch/x86/apic*.c). */
#ifndef ARCH_APIC_H
#define ARCH_APIC_H

#include <core/cell.h>
#include <core/percpu.h>

#define XAPIC_BASE		0xfee00000ULL
#define APIC_INVALID_CPU	(~0U)

extern bool using_x2apic;

int apic_init(void);				/* master: mode, map the page */
int apic_cpu_init(struct per_cpu *cpu);		/* own id; -EBUSY duplicate, -ERANGE > 254 */
void apic_send_nmi(struct per_cpu *cpu);
void apic_exit(void);				/* undo apic_init */
void apic_eoi(void);
/* Logical ids of a cell's CPUs (flat mode); after any change of ownership. */
void apic_update_logical_mask(struct cell *cell);
void apic_clear(void);				/* cell start / leaving: abi.md 7.1, decisions 7 */

#define MAX_APIC_ID		254
extern u16 cpu_of_apic_id[MAX_APIC_ID + 1];	/* CPU + 1; 0: none */

/* Logical CPU or APIC_INVALID_CPU */
static inline unsigned int apic_to_cpu(u32 apic_id)
{
	return apic_id <= MAX_APIC_ID ? cpu_of_apic_id[apic_id] - 1U : APIC_INVALID_CPU;
}

/* A trapped write to the xAPIC page. */
bool apic_handle_xapic_write(struct guest_regs *regs, u32 offset);
/* MSRs 0x800-0x83f of a guest; reg counts from there. */
bool apic_handle_x2apic_read(struct guest_regs *regs, unsigned long reg);
bool apic_handle_x2apic_write(struct guest_regs *regs, unsigned long reg);

/*
 * May this cell let a device or IOAPIC pin send (address, data)?  Fixed or lowest
 * priority to its own CPUs only; root logical masks are trimmed: *address is
 * changed then.  Targets other than 0xfeexxxxx: *disabled is set.
 * (apic_msi.c, pure apart from the cell's CPU set.)
 */
struct msi_message { u64 address; u32 data; };
bool apic_msi_validate(const struct cell *cell, struct msi_message *msi, bool *disabled);
/* The interrupt of a validated message, sent by this CPU. */
void apic_msi_send(const struct msi_message *msi);

#endif
