/* SPDX-License-Identifier: GPL-2.0-only */
/* Registry of trapped guest-physical ranges, one per cell. */
#ifndef CORE_MMIO_H
#define CORE_MMIO_H

#include <core/types.h>

struct cell;

struct mmio_access {
	u64 address;		/* guest-physical; made relative to the region for handlers */
	u64 value;		/* to write, or what was read */
	unsigned int size;	/* bytes: 1, 2, 4, 8 */
	bool is_write;
};

enum mmio_result {
	MMIO_ERROR,		/* handler refused and has printed why: park */
	MMIO_UNHANDLED,		/* no region: park */
	MMIO_HANDLED,
};

typedef enum mmio_result (*mmio_handler)(void *arg, struct mmio_access *access);

/* Capacity is fixed at cell creation: sum of all units' mmio_regions(). */
int mmio_cell_init(struct cell *cell);
void mmio_cell_exit(struct cell *cell);

/* Fails with a WARNING line when full. Regions must not overlap (checked). */
void mmio_region_register(struct cell *cell, gpa_t start, u64 size,
			  mmio_handler handler, void *arg);
void mmio_region_unregister(struct cell *cell, gpa_t start);

/* On the cell of the calling CPU; safe against (un)register on another CPU. */
enum mmio_result mmio_dispatch(struct mmio_access *access);

/* Perform an access on hypervisor-mapped device memory. */
void mmio_perform(void *base, struct mmio_access *access);

/* Sub-page regions of a configuration (abi.md 1.5). */
struct jailhouse_memory;
static inline bool mem_is_subpage(u64 virt_start, u64 size)
{
	return ((virt_start | size) & PAGE_OFFS_MASK) != 0;
}
int subpage_region_register(struct cell *cell, const struct jailhouse_memory *mem);
void subpage_region_unregister(struct cell *cell, const struct jailhouse_memory *mem);

#endif
