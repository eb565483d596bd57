/* SPDX-License-Identifier: GPL-2.0-only */
/* What vtd.c (a program of the inmates' library) and vtd_world.c (the hypervisor's code) share. */
#ifndef BARE_VTD_WORLD_H
#define BARE_VTD_WORLD_H

#include <jailhouse/types.h>

#define UNIT_BASE	0xfed90000UL	/* QEMU's, where q35 has it */
#define UNIT_SIZE	0x1000UL

/* Physical memory, a large page each */
#define POOL		0x1000000UL	/* the hypervisor's page pool */
#define PLAIN		0x2000000UL	/* root cell: DMA may read and write */
#define READ_ONLY	0x2200000UL	/* DMA may read */
#define NO_DMA		0x2400000UL	/* the root cell's CPUs only */
#define TAKEN		0x2600000UL	/* like PLAIN, until cell 1 takes it */
#define END_OF_RAM	0x2800000UL
#define MIB		0x100000UL
#define SEEN		0x400000UL	/* where cell 1 sees TAKEN */

/*
 * Calls fn on a stack of the hypervisor's kind, as CPU 0: the root cell's.  CPU 1 is the
 * other cell's.
 */
void world_run(void (*fn)(void), u32 apic_id, u32 other_apic_id);

/*
 * A root cell with memory as above; `bdf` is its only device.  Interrupts are remapped
 * with a limit that is not 0; then it has all pins of the IOAPIC, too.
 */
int world_enable(u16 bdf, unsigned int interrupt_limit);
/* Destinations of eight bits, as if the APICs were in xAPIC mode; before enabling */
void world_use_xapic(void);
/* Cell 1 takes TAKEN and the device, and gives both back. */
int world_create(u16 bdf);
int world_destroy(void);
void world_disable(void);
void world_report_faults(void);
/* What the device of this cell (0: root) has to send for this; false: it may not. */
_Bool world_message(unsigned int cell, u64 *address, u32 *data);
/* Pages of the pool in use */
unsigned long world_pages(void);

#endif
