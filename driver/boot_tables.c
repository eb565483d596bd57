// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page tables that a CPU enters the hypervisor with: four levels of 512
 * entries, 4 KiB pages only.  They map the hypervisor's memory at its link
 * address and the page of code that switches tables at its own address; the
 * hypervisor builds better ones at once (docs/image-contract.md).
 */
#include "driver.h"
#include "boot_tables.h"

#include <linux/gfp.h>
#include <linux/mm.h>
#include <asm/page.h>

#define TABLE_ENTRIES	512

/* Linux pages, freed all at once; one page holds pointers for 2 MiB of tables. */
#define MAX_TABLES	(PAGE_SIZE / sizeof(u64 *))
static u64 **tables;
static unsigned int num_tables;
static u64 *root_table;

static u64 *table_alloc(void)
{
	u64 *table;

	if (num_tables == MAX_TABLES)
		return NULL;
	table = (u64 *)get_zeroed_page(GFP_KERNEL);
	if (table)
		tables[num_tables++] = table;
	return table;
}

static u64 *table_entry(u64 *table, u64 virt, unsigned int level)
{
	return &table[virt >> (12 + 9 * level) & (TABLE_ENTRIES - 1)];
}

static int map_page(u64 virt, u64 phys, u64 flags)
{
	u64 *table = root_table, *entry, *next;
	unsigned int level;

	for (level = 3; level > 0; level--) {
		entry = table_entry(table, virt, level);
		if (*entry) {
			table = phys_to_virt(*entry & BOOT_ENTRY_ADDRESS);
			continue;
		}
		next = table_alloc();
		if (!next)
			return -ENOMEM;
		*entry = virt_to_phys(next) | BOOT_TABLE_FLAGS;
		table = next;
	}
	*table_entry(table, virt, 0) = phys | flags;
	return 0;
}

int boot_tables_map(u64 virt, u64 phys, u64 size, u64 flags)
{
	u64 offset;
	int err;

	for (offset = 0; offset < size; offset += PAGE_SIZE) {
		err = map_page(virt + offset, phys + offset, flags);
		if (err)
			return err;
	}
	return 0;
}

int boot_tables_init(void)
{
	num_tables = 0;
	tables = (u64 **)get_zeroed_page(GFP_KERNEL);
	root_table = tables ? table_alloc() : NULL;
	return root_table ? 0 : -ENOMEM;
}

void boot_tables_free(void)
{
	while (num_tables > 0)
		free_page((unsigned long)tables[--num_tables]);
	free_page((unsigned long)tables);
	tables = NULL;
	root_table = NULL;
}

u64 boot_tables_root(void)
{
	return virt_to_phys(root_table);
}

void boot_tables_for_each(void (*action)(void *table))
{
	unsigned int n;

	for (n = 0; n < num_tables; n++)
		action(tables[n]);
}
