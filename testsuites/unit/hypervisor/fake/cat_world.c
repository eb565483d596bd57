// SPDX-License-Identifier: GPL-2.0-only
/* A CPU with cache allocation, the root cell and four more for vmx/cat.c. */
#include <core/cell.h>
#include <core/unit.h>
#include <arch/registers.h>
#include "../../../../hypervisor/arch/x86/vmx/cat.h"

#define CELLS	4

struct cell root_cell;
static struct cell cells[CELLS + 1];
static struct {
	struct jailhouse_cell_desc desc;
	struct jailhouse_cache cache[2];
} __packed configs[CELLS + 1];

unsigned int world_ways = 10, world_classes = 4;
bool world_cdp;
u64 world_masks[16], world_pqr;

struct cpuid cpuid(u32 leaf, u32 sub)
{
	switch (leaf) {
	case 0:
		return (struct cpuid){ .eax = 0x14 };
	case 7:
		return (struct cpuid){ .ebx = world_ways ? 1U << 15 : 0 };
	case 0x10:
		if (!sub)
			return (struct cpuid){ .ebx = 2 };
		return (struct cpuid){ .eax = world_ways - 1, .ecx = 4, .edx = world_classes - 1 };
	default:
		return (struct cpuid){ 0 };
	}
}

u64 msr_read(u32 msr)
{
	return msr == 0xc81 ? world_cdp : msr == 0xc8f ? world_pqr : world_masks[msr - 0xc90];
}

void msr_write(u32 msr, u64 value)
{
	if (msr == 0xc8f)
		world_pqr = value;
	else
		world_masks[msr - 0xc90] = value;
}

static struct cell *cell_of(unsigned int n) { return n ? &cells[n] : &root_cell; }

/* n = 0: the root cell, after the unit's init.  The cell is in the list when its unit starts. */
int world_create(unsigned int n, unsigned int count, u32 start, u32 size, unsigned int type,
		 unsigned int flags);
int world_create(unsigned int n, unsigned int count, u32 start, u32 size, unsigned int type,
		 unsigned int flags)
{
	struct cell *cell = cell_of(n), **last = &root_cell.next;
	int err = n ? 0 : cat_unit.init();

	*cell = (struct cell){ .next = n ? NULL : root_cell.next };
	configs[n].desc = (struct jailhouse_cell_desc){ .name = "x", .num_cache_regions = count };
	configs[n].desc.name[0] = (char)('0' + n);
	configs[n].cache[0] = (struct jailhouse_cache){
		.start = start, .size = size, .type = (u8)type, .flags = (u16)flags
	};
	cell->config = &configs[n].desc;
	if (!err)
		err = cat_unit.cell_init(cell);
	if (err || !n)
		return err;
	while (*last)
		last = &(*last)->next;
	*last = cell;
	return 0;
}

void world_destroy(unsigned int n);
void world_destroy(unsigned int n)
{
	struct cell **link = &root_cell.next;

	cat_unit.cell_exit(cell_of(n));
	while (*link != cell_of(n))
		link = &(*link)->next;
	*link = cell_of(n)->next;
}

void world_load(unsigned int n);
void world_load(unsigned int n) { cat_load(cell_of(n)); }

/* As the registers tell. */
u32 world_class(unsigned int n);
u32 world_class(unsigned int n)
{
	world_load(n);
	return world_pqr >> 32;
}

u32 world_mask(unsigned int n);
u32 world_mask(unsigned int n) { return world_masks[world_class(n)]; }
