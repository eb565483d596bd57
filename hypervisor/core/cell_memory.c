// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of cells.  The root cell is identity mapped (checked in config.c), so
 * what a cell takes is found in it by physical address, and what it gives back
 * gets the rights of the root region that covers it.
 */
#include <core/cell_internal.h>
#include <core/mmio.h>
#include <core/printk.h>
#include <core/seed.h>
#include <core/unit.h>
#include <arch/cpu.h>
#include <lib/string.h>

static bool is_subpage(const struct jailhouse_memory *mem)
{
	return mem_is_subpage(mem->virt_start, mem->size);
}

/* Does the root cell lose it as long as the cell exists? */
static bool is_exclusive(const struct jailhouse_memory *mem)
{
	return mem->size &&
		!(mem->flags & (JAILHOUSE_MEM_COMM_REGION | JAILHOUSE_MEM_ROOTSHARED));
}

static bool is_loadable(const struct jailhouse_memory *mem)
{
	return is_exclusive(mem) && (mem->flags & JAILHOUSE_MEM_LOADABLE);
}

/* --- One record in one cell ---------------------------------------------------- */

static int iommus_map(struct cell *cell, const struct jailhouse_memory *mem)
{
	int err = 0;

	for (unsigned int n = 0; units[n] && !err; n++)
		if (units[n]->map_region)
			err = units[n]->map_region(cell, mem);
	return err;
}

static int iommus_unmap(struct cell *cell, const struct jailhouse_memory *mem)
{
	int err = 0;

	for (unsigned int n = 0; units[n] && !err; n++)
		if (units[n]->unmap_region)
			err = units[n]->unmap_region(cell, mem);
	return err;
}

static int map_pages(struct cell *cell, const struct jailhouse_memory *mem)
{
	int err = arch_map_memory_region(cell, mem);

	return err ? err : iommus_map(cell, mem);
}

int cell_map_region(struct cell *cell, const struct jailhouse_memory *mem)
{
	struct jailhouse_memory comm;

	if (mem->size == 0)
		return 0;
	if (mem->flags & JAILHOUSE_MEM_COMM_REGION) {
		comm = *mem;
		comm.phys_start = virt_to_hpa(cell->comm_page).raw;
		return arch_map_memory_region(cell, &comm);
	}
	if (is_subpage(mem))
		return subpage_region_register(cell, mem);
	return map_pages(cell, mem);
}

int root_map_all(void)
{
	const struct jailhouse_memory *mem;
	unsigned int n;
	int err;

	for_each_mem_region(mem, root_cell.config, n) {
		err = cell_map_region(&root_cell, mem);
		if (err)
			return err;
	}
	return 0;
}

/* --- Taking from root and giving back ------------------------------------------- */

static bool overlap(const struct jailhouse_memory *a, const struct jailhouse_memory *b)
{
	return a->phys_start < b->phys_start + b->size && b->phys_start < a->phys_start + a->size;
}

/* What trapped parts of root's regions lie in `mem`: taken away or given back as a whole. */
static void root_subpages(const struct jailhouse_memory *mem, bool give_back)
{
	const struct jailhouse_memory *own;
	unsigned int n;

	for_each_mem_region(own, root_cell.config, n) {
		if (!own->size || !is_subpage(own) || !overlap(own, mem))
			continue;
		subpage_region_unregister(&root_cell, own);
		if (give_back)
			subpage_region_register(&root_cell, own);
	}
}

/* Root suspended. -ENOMEM: nothing has changed. */
static int root_unmap(const struct jailhouse_memory *mem)
{
	struct jailhouse_memory identity = *mem;
	int err = 0;

	if (seeded_ram())
		return 0;
	identity.virt_start = mem->phys_start;
	/* A cell's sub-page region does not take the rest of the page from root. */
	if (!is_subpage(mem))
		err = arch_unmap_memory_region(&root_cell, &identity);
	if (!err && !is_subpage(mem))
		err = iommus_unmap(&root_cell, &identity);
	if (!err)
		root_subpages(mem, false);
	return err;
}

static int root_map_part(const struct jailhouse_memory *own, const struct jailhouse_memory *mem)
{
	u64 start = MAX(own->phys_start, mem->phys_start);
	u64 end = MIN(own->phys_start + own->size, mem->phys_start + mem->size);
	const struct jailhouse_memory part = {
		.phys_start = start, .virt_start = start, .size = end - start,
		.flags = own->flags,
	};

	return map_pages(&root_cell, &part);
}

/* Root suspended. As far as root's configuration covers it, with root's rights. */
static int root_remap(const struct jailhouse_memory *mem)
{
	const struct jailhouse_memory *own;
	unsigned int n;
	int err = 0;

	if (!is_subpage(mem))
		for_each_mem_region(own, root_cell.config, n)
			if (own->size && !is_subpage(own) && overlap(own, mem) &&
			    !(own->flags & JAILHOUSE_MEM_COMM_REGION) && !err)
				err = root_map_part(own, mem);
	root_subpages(mem, true);
	return err;
}

static void root_remap_or_warn(const struct jailhouse_memory *mem)
{
	if (root_remap(mem) < 0)
		printk("WARNING: Failed to re-assign memory region to root cell\n");
}

/* --- A cell's memory as a whole --------------------------------------------------- */

static int take_region(struct cell *cell, const struct jailhouse_memory *mem)
{
	int err = is_exclusive(mem) ? root_unmap(mem) : 0;

	return err ? err : cell_map_region(cell, mem);
}

int cell_take_memory(struct cell *cell)
{
	const struct jailhouse_memory *first = jailhouse_cell_mem_regions(cell->config);
	int err;

	for (unsigned int n = 0; n < cell->config->num_memory_regions; n++) {
		err = take_region(cell, &first[n]);
		if (!err)
			continue;
		for (unsigned int undo = 0; undo <= n; undo++)
			if (is_exclusive(&first[undo]))
				root_remap_or_warn(&first[undo]);
		return err;
	}
	return 0;
}

void cell_return_memory(struct cell *cell)
{
	const struct jailhouse_memory *mem;
	unsigned int n;

	for_each_mem_region(mem, cell->config, n) {
		if (mem->size && !is_subpage(mem))
			iommus_unmap(cell, mem);
		if (is_exclusive(mem))
			root_remap_or_warn(mem);
	}
}

int cell_loadable_to_root(struct cell *cell)
{
	const struct jailhouse_memory *mem;
	unsigned int n;
	int err = 0;

	for_each_mem_region(mem, cell->config, n)
		if (is_loadable(mem) && !err)
			err = root_remap(mem);
	/* Taking back what was not given is harmless. */
	if (err)
		cell_loadable_from_root(cell);
	return err;
}

int cell_loadable_from_root(struct cell *cell)
{
	const struct jailhouse_memory *mem;
	unsigned int n;
	int err = 0;

	for_each_mem_region(mem, cell->config, n)
		if (is_loadable(mem) && !err)
			err = root_unmap(mem);
	return err;
}

/* --- Clearing (decisions.md 12) ----------------------------------------------------- */

static bool holds_data(const struct jailhouse_memory *mem)
{
	return is_exclusive(mem) && (mem->flags & JAILHOUSE_MEM_WRITE) &&
		(mem->flags & (JAILHOUSE_MEM_LOADABLE | JAILHOUSE_MEM_EXECUTE)) &&
		!(mem->flags & JAILHOUSE_MEM_IO);
}

/* A window at a time: bounded, and no tables are needed. */
static void clear_region(const struct jailhouse_memory *mem)
{
	u64 done, chunk, phys;

	for (done = 0; done < mem->size; done += chunk) {
		phys = mem->phys_start + done;
		chunk = MIN(mem->size - done,
			    NUM_TEMP_PAGES * PAGE_SIZE - (phys & PAGE_OFFS_MASK));
		memset(hv_map_temp(hpa(phys), (unsigned int)PAGES((phys & PAGE_OFFS_MASK) + chunk),
				   PG_READ | PG_WRITE), 0, chunk);
	}
}

void cell_clear_memory(struct cell *cell)
{
	const struct jailhouse_memory *mem;
	unsigned int n;

	for_each_mem_region(mem, cell->config, n)
		if (holds_data(mem))
			clear_region(mem);
}
