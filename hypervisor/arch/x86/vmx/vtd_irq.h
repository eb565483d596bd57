/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt remapping (VT-d specification 3.3, chapter 5): devices name an entry of a
 * table, the table says which interrupt that is.
 */
#ifndef VMX_VTD_IRQ_H
#define VMX_VTD_IRQ_H

#include <core/device_lock.h>
#include <core/types.h>

struct cell;

/* ecap: what all units have.  A table with as many entries as configured; 0: none. */
int vtd_irq_init(u64 ecap);
/* After a failed init, too. Interrupts are the root cell's own again. */
void vtd_irq_exit(void);
/* First commit: from now on nothing but the table's interrupts reaches a CPU. */
void vtd_irq_start(void);

/* Entries for the cell's devices, and for IOAPICs of the root cell. */
int vtd_irq_cell_init(const struct cell *cell);
/* To the root cell what is its own otherwise. */
void vtd_irq_cell_exit(const struct cell *cell);

struct vtd_irte {
	volatile u64 low;	/* the interrupt; bit 0: present, 8: see VTD_IRTE_REPEAT */
	volatile u64 high;	/* who may use it; 0: nobody has it */
};

/*
 * In an entry that is not present (bits 8 to 11 are ours): messages of the root cell's device
 * were blocked for a while, though it may never have been reset.
 */
#define VTD_IRTE_REPEAT		(1ULL << 8)

extern struct vtd_irq {
	struct vtd_irte *entries;	/* NULL: no remapping */
	unsigned int num_entries, order;
	bool coherent, active;
	/*
	 * Where in Linux's own table an entry comes from: unit + 1 and index; 0: from a message.
	 * NULL: Linux has no table.
	 */
	struct vtd_irq_source { u16 unit, index; } *sources;
	struct device_lock lock;	/* entries that come from there */
} vtd_irq;

struct vtd_irq_run {
	unsigned int first, count;	/* count 0: it has none */
};
struct vtd_irq_run vtd_irq_run_of(u16 requester);

/* Linux has changed `count` entries of its table from `first` on (vtd_irte.c). */
void vtd_irq_refresh(unsigned int unit, unsigned int first, u64 count);

/* What came while neither the old way nor the new one was open (vtd_irte.c) */
void vtd_irq_repeat_edges(void);

/* Of all units, by vtd.c; units that fail are fatal. */
struct vtd_irq_table {
	hpa_t entries;
	unsigned int order;	/* 2^order entries */
	bool x2apic;		/* destinations have 32 bits */
};
void vtd_units_remap(const struct vtd_irq_table *table);
void vtd_units_stop_remapping(void);
void vtd_units_forget_interrupt(unsigned int index);

#endif
