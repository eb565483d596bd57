// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registry of trapped ranges: an array sorted by address.  Lookups take no
 * lock: they copy the record and repeat when the generation changed meanwhile
 * (odd: a change is going on).  Changes hold `mmio_lock`; they happen when a
 * cell is built and when a guest moves a BAR.
 */
#include <core/cell.h>
#include <core/mmio.h>
#include <core/percpu.h>
#include <core/printk.h>
#include <core/unit.h>
#include <arch/cpu.h>
#include <arch/io.h>
#include <lib/spinlock.h>

struct mmio_region {
	u64 start, size;
	mmio_handler handler;
	void *arg;
};

static u32 mmio_lock;

static unsigned int capacity(const struct cell *cell)
{
	const struct jailhouse_memory *mem;
	unsigned int count = 0, n;

	for (n = 0; units[n]; n++)
		if (units[n]->mmio_regions)
			count += units[n]->mmio_regions(cell);
	for_each_mem_region(mem, cell->config, n)
		count += mem_is_subpage(mem->virt_start, mem->size);
	return count;
}

int mmio_cell_init(struct cell *cell)
{
	u64 bytes;

	cell->mmio_count = 0;
	cell->mmio_max = capacity(cell);
	if (cell->mmio_max == 0)
		return 0;
	bytes = (u64)cell->mmio_max * sizeof(struct mmio_region);
	cell->mmio_regions = cell_block_take(cell, bytes);
	if (cell->mmio_regions)
		return 0;
	cell->mmio_pages = (unsigned int)PAGES(bytes);
	cell->mmio_regions = page_alloc(&mem_pool, cell->mmio_pages);
	return cell->mmio_regions ? 0 : trace_error(-ENOMEM);
}

void mmio_cell_exit(struct cell *cell)
{
	if (cell->mmio_pages)
		page_free(&mem_pool, cell->mmio_regions, cell->mmio_pages);
	cell->mmio_regions = NULL;
	cell->mmio_count = cell->mmio_max = cell->mmio_pages = 0;
}

/* Index of the last region that starts at or below address; -1: none. */
static int find(const struct cell *cell, u64 address, unsigned int count)
{
	unsigned int low = 0, high = MIN(count, cell->mmio_max);

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (cell->mmio_regions[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return (int)low - 1;
}

static void change_begin(struct cell *cell)
{
	spin_lock(&mmio_lock);
	__atomic_store_n(&cell->mmio_generation, cell->mmio_generation + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void change_end(struct cell *cell)
{
	__atomic_store_n(&cell->mmio_generation, cell->mmio_generation + 1, __ATOMIC_RELEASE);
	spin_unlock(&mmio_lock);
}

/* Neighbours of the place where it would go; start + size does not wrap (checked). */
static bool overlaps(const struct cell *cell, int below, u64 start, u64 size)
{
	const struct mmio_region *region = cell->mmio_regions;

	if (below >= 0 && region[below].start + region[below].size > start)
		return true;
	return below + 1 < (int)cell->mmio_count &&
		start + size > region[below + 1].start;
}

static bool insert(struct cell *cell, const struct mmio_region *new)
{
	struct mmio_region *region = cell->mmio_regions;
	int below = find(cell, new->start, cell->mmio_count);

	if (new->size == 0 || new->start + new->size < new->start ||
	    overlaps(cell, below, new->start, new->size))
		return false;
	for (int n = (int)cell->mmio_count; n > below + 1; n--)
		region[n] = region[n - 1];
	region[below + 1] = *new;
	cell->mmio_count++;
	return true;
}

void mmio_region_register(struct cell *cell, gpa_t start, u64 size,
			  mmio_handler handler, void *arg)
{
	const struct mmio_region new = { start.raw, size, handler, arg };
	bool full = cell->mmio_count >= cell->mmio_max, done = false;

	if (!full) {
		change_begin(cell);
		done = insert(cell, &new);
		change_end(cell);
	}
	if (full)
		printk("WARNING: Overflow during MMIO region registration!\n");
	else if (!done)
		printk("WARNING: MMIO region 0x%llx/0x%llx of cell \"%s\" overlaps another\n",
		       start.raw, size, cell_name(cell));
}

/* Exactly the region that starts there, never a neighbour (bugs.md A11). */
void mmio_region_unregister(struct cell *cell, gpa_t start)
{
	struct mmio_region *region = cell->mmio_regions;
	int index;

	change_begin(cell);
	index = find(cell, start.raw, cell->mmio_count);
	if (index >= 0 && region[index].start == start.raw) {
		cell->mmio_count--;
		for (unsigned int n = (unsigned int)index; n < cell->mmio_count; n++)
			region[n] = region[n + 1];
	}
	change_end(cell);
}

/* A copy that was not changed while it was made. */
static bool lookup(const struct cell *cell, u64 address, unsigned int size,
		   struct mmio_region *found)
{
	u32 generation;
	int index;

	do {
		while ((generation = __atomic_load_n(&cell->mmio_generation,
						     __ATOMIC_ACQUIRE)) & 1)
			cpu_relax();
		index = find(cell, address, *(const volatile unsigned int *)&cell->mmio_count);
		if (index >= 0)
			*found = cell->mmio_regions[index];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&cell->mmio_generation, __ATOMIC_RELAXED) != generation);

	return index >= 0 && size <= found->size &&
		address - found->start <= found->size - size;
}

enum mmio_result mmio_dispatch(struct mmio_access *access)
{
	struct mmio_access relative = *access;
	struct mmio_region region;
	enum mmio_result result;

	if (!lookup(this_cpu()->cell, access->address, access->size, &region))
		return MMIO_UNHANDLED;
	relative.address -= region.start;
	result = region.handler(region.arg, &relative);
	access->value = relative.value;
	return result;
}

void mmio_perform(void *base, struct mmio_access *access)
{
	char *where = (char *)base + access->address;

	switch (access->size | (access->is_write ? 0x100 : 0)) {
	case 1: access->value = mmio_read8(where); break;
	case 2: access->value = mmio_read16(where); break;
	case 4: access->value = mmio_read32(where); break;
	case 8: access->value = mmio_read64(where); break;
	case 0x101: mmio_write8(where, (u8)access->value); break;
	case 0x102: mmio_write16(where, (u16)access->value); break;
	case 0x104: mmio_write32(where, (u32)access->value); break;
	case 0x108: mmio_write64(where, access->value); break;
	}
}
