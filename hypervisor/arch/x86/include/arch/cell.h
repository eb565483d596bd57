/* SPDX-License-Identifier: GPL-2.0-only */
/* x86 share of a cell. */
#ifndef ARCH_CELL_H
#define ARCH_CELL_H

#include <core/paging.h>

#define MAX_IOAPICS	8

struct cell_ioapic;

struct arch_cell {
	/* Port bitmap: 1 = trapped.  Three pages (SVM I/O permission map, APM 2 15.10.1). */
	u8 *io_bitmap;

	/* IOAPICs with pins of this cell (arch/x86/ioapic.c) */
	struct cell_ioapic *ioapics;
	unsigned int num_ioapics;
	unsigned int ioapic_pages;	/* 0: in the cell's own pages */

	/* Configuration address port 0xcf8: per cell, never forwarded */
	volatile u32 pci_addr_port;

	u32 xapic_logical_mask;		/* logical ids of the cell's CPUs, flat mode */

	struct page_table dma_pages;	/* what the cell's devices reach; root NULL: no IOMMU */
};

#endif
