// SPDX-License-Identifier: GPL-2.0-only
/* What a cell is made of, and the list of them. */
#include <core/boot.h>
#include <core/cell_internal.h>
#include <core/cpu.h>
#include <core/mmio.h>
#include <core/printk.h>
#include <core/unit.h>
#include <arch/cpu.h>
#include <lib/bitmap.h>
#include <lib/string.h>

struct cell root_cell;
struct jailhouse_system *system_config;

/* --- Object ------------------------------------------------------------------- */

void *cell_block_take(struct cell *cell, u64 bytes)
{
	u64 size = cell->cell_pages * PAGE_SIZE;
	void *memory;

	bytes = (bytes + 15) & ~15ULL;
	if (bytes > size - cell->block_used)
		return NULL;
	memory = (char *)cell + cell->block_used;
	cell->block_used += (unsigned int)bytes;
	return memory;
}

static u64 cpu_bitmap_bytes(void)
{
	return (hypervisor_header.max_cpus + BITS_PER_LONG - 1) / BITS_PER_LONG * 8;
}

/* CPUs of the configuration that exist; whether they may be taken is cell_manage.c's question. */
static void set_cpus(struct cell *cell)
{
	const u8 *set = jailhouse_cell_cpu_set(cell->config);
	unsigned int bits = MIN(cell->config->cpu_set_size * 8, hypervisor_header.max_cpus);

	for (unsigned int cpu = 0; cpu < bits; cpu++)
		if (set[cpu / 8] & (1 << (cpu % 8)))
			bitmap_set(cell->cpus, cpu);
}

struct cell *cell_alloc(const struct jailhouse_cell_desc *head,
			const struct jailhouse_cell_desc *config, u64 total)
{
	u64 bytes = sizeof(struct cell) + 16 + cpu_bitmap_bytes() + 16 + total + 16;
	struct cell *cell = page_alloc(&mem_pool, (unsigned int)PAGES(bytes));

	if (!cell)
		return NULL;
	cell->cell_pages = (unsigned int)PAGES(bytes);
	cell->block_used = (sizeof(struct cell) + 15) & ~15U;
	/* Neither can fail: counted above. */
	cell->cpus = cell_block_take(cell, cpu_bitmap_bytes());
	cell->config = cell_block_take(cell, total);
	memcpy(cell->config, config, total);
	*cell->config = *head;

	cell->comm_page = page_alloc(&mem_pool, 1);
	if (!cell->comm_page) {
		cell_free(cell);
		return NULL;
	}
	comm_set_state(cell, JAILHOUSE_CELL_SHUT_DOWN);
	set_cpus(cell);
	return cell;
}

void cell_free(struct cell *cell)
{
	page_free(&mem_pool, cell->comm_page, 1);
	page_free(&mem_pool, cell, cell->cell_pages);
}

/* The root cell is a static object; its configuration is part of the system's. */
int root_cell_init(void)
{
	struct cell *cell = &root_cell;

	cell->config = &system_config->root_cell;
	cell->config->id = 0;
	cell->cpus_pages = (unsigned int)PAGES(cpu_bitmap_bytes());
	cell->cpus = page_alloc(&mem_pool, cell->cpus_pages);
	cell->comm_page = page_alloc(&mem_pool, 1);
	if (!cell->cpus || !cell->comm_page)
		return trace_error(-ENOMEM);
	set_cpus(cell);
	return 0;
}

/* --- Parts -------------------------------------------------------------------- */

static void units_exit(struct cell *cell, unsigned int count)
{
	while (count--)
		if (units[count]->cell_exit)
			units[count]->cell_exit(cell);
}

static int units_init(struct cell *cell)
{
	int err;

	for (unsigned int n = 0; units[n]; n++) {
		err = units[n]->cell_init ? units[n]->cell_init(cell) : 0;
		if (err) {
			units_exit(cell, n);
			return err;
		}
	}
	return 0;
}

int cell_units_init(struct cell *cell)
{
	int err = mmio_cell_init(cell);

	if (!err)
		err = units_init(cell);
	if (err)
		mmio_cell_exit(cell);
	return err;
}

int cell_parts_init(struct cell *cell)
{
	int err = arch_cell_init(cell);

	if (err)
		return err;
	err = cell_units_init(cell);
	if (err)
		arch_cell_exit(cell);
	return err;
}

void cell_parts_exit(struct cell *cell)
{
	unsigned int count = 0;

	while (units[count])
		count++;
	units_exit(cell, count);
	mmio_cell_exit(cell);
	arch_cell_exit(cell);
}

void cell_commit(struct cell *changed)
{
	int cpu;

	arch_config_commit(changed ? changed : &root_cell);
	for (unsigned int n = 0; units[n]; n++)
		if (units[n]->config_commit)
			units[n]->config_commit(changed);
	for_each_cpu(cpu, &root_cell)
		cpu_request_flush(per_cpu((unsigned int)cpu));
	if (changed)
		for_each_cpu(cpu, changed)
			cpu_request_flush(per_cpu((unsigned int)cpu));
}

/* --- List --------------------------------------------------------------------- */

struct cell *cell_by_id(unsigned int id)
{
	struct cell *cell;

	for_each_cell(cell)
		if (cell->config->id == id)
			break;
	return cell;
}

void cell_list_add(struct cell *cell)
{
	struct cell *last = &root_cell;

	while (last->next)
		last = last->next;
	last->next = cell;
}

void cell_list_remove(struct cell *cell)
{
	struct cell *before = &root_cell;

	while (before->next != cell)
		before = before->next;
	before->next = cell->next;
}
