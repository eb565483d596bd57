/* SPDX-License-Identifier: GPL-2.0-only */
/* Cells: what one owns, and the life cycle (core/cell.c, core/cell_manage.c). */
#ifndef CORE_CELL_H
#define CORE_CELL_H

#include <jailhouse/cell-config.h>
#include <jailhouse/hypercall.h>
#include <core/types.h>
#include <core/paging.h>
#include <arch/cell.h>		/* struct arch_cell */

#define MAX_CPUS	4096	/* bits that a CPU bitmap may have: 4096 bytes is the interface's limit */

struct mmio_region;
struct pci_device;

struct cell {
	struct cell *next;		/* root cell first */
	struct jailhouse_cell_desc *config;	/* our own checked copy */
	unsigned int config_pages;
	unsigned int cell_pages;	/* pages of this structure and what is in its block */
	unsigned int block_used;	/* bytes of them (core/cell.c) */
	unsigned long *cpus;		/* bitmap of max_cpus bits, current owner set */
	unsigned int cpus_pages;
	bool loadable;

	struct jailhouse_comm_region *comm_page;	/* untrusted: the cell writes it */

	struct page_table stage2;	/* guest-physical to host-physical, CPUs */

	/* MMIO registry (core/mmio.c) */
	struct mmio_region *mmio_regions;
	void **mmio_args;		/* private to core/mmio.c */
	unsigned int mmio_count, mmio_max, mmio_pages;
	volatile u32 mmio_generation;

	/* PCI (core/pci.c) */
	struct pci_device *pci_devices;	/* num_pci_devices of them */
	unsigned int pci_pages;

	struct arch_cell arch;
};

extern struct cell root_cell;
extern struct jailhouse_system *system_config;	/* checked copy in our memory */

static inline const char *cell_name(const struct cell *cell)
{
	return cell->config->name;
}

#define for_each_cell(c)	for ((c) = &root_cell; (c); (c) = (c)->next)
#define for_each_non_root_cell(c) for ((c) = root_cell.next; (c); (c) = (c)->next)

#define for_each_mem_region(mem, config, i)				\
	for ((mem) = jailhouse_cell_mem_regions(config), (i) = 0;	\
	     (i) < (config)->num_memory_regions; (mem)++, (i)++)

/*
 * Zeroed memory that lives as long as the cell, from the rest of the cell's own
 * pages; NULL when it does not fit (the caller then allocates pages).
 */
void *cell_block_take(struct cell *cell, u64 bytes);

struct cell *cell_by_id(unsigned int id);
bool cell_owns_cpu(const struct cell *cell, unsigned int cpu);	/* bounds-checked */

/* Hypercalls 1-4, 6 on behalf of the calling root CPU. */
int cell_create(gpa_t config_address);
int cell_start(unsigned int id);
int cell_set_loadable(unsigned int id);
int cell_destroy(unsigned int id);
int cell_get_state(unsigned int id);

/* All hypercalls: dispatch by number; counts the exit. */
long hypercall(unsigned long code, unsigned long arg1, unsigned long arg2);

/*
 * Leaving: called by every root CPU on hypercall 0.  0: this CPU now leaves
 * (arch calls arch_cpu_leave()); negative: refused, and nothing changed.
 */
int hypervisor_disable(void);

#endif
