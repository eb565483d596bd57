// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine for core/cell*.c: four CPUs that can be kicked, 64 KiB of the root
 * cell's memory for configurations, the inmates' memory, one unit that fails
 * on demand.  Nested tables are real.
 */
#include <stdlib.h>
#include <core/boot.h>
#include <core/cell_internal.h>
#include <core/config.h>
#include <core/cpu.h>
#include <core/paging.h>
#include <core/sections.h>
#include <core/unit.h>
#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <lib/bitmap.h>

#define MAX_CPUS_HERE	4
#define ROOT_START	0x100000ULL	/* where tests put configurations */
#define ROOT_SIZE	0x20000ULL
#define RAM_START	0x3ee00000ULL	/* what cells get */
#define RAM_SIZE	0x200000ULL
#define IO_BITMAP_PAGES	3

char __image_start[MAX_CPUS_HERE * 0x8000 + 0x8000] __aligned(0x8000);
struct jailhouse_image_header hypervisor_header = {
	.max_cpus = MAX_CPUS_HERE, .online_cpus = MAX_CPUS_HERE, .percpu_size = 0x8000,
};
struct config_limits machine_limits = {
	.hv_start = 0x3a000000, .hv_size = 0x600000, .max_phys = 1ULL << 40,
	.max_guest_phys = 1ULL << 40, .max_cpus = MAX_CPUS_HERE,
};
_Thread_local void *fake_this_cpu = __image_start;

u8 fake_root_memory[ROOT_SIZE] __aligned(4096);
u8 fake_cell_memory[RAM_SIZE] __aligned(4096);
unsigned int fake_stuck_cpus;	/* bitmap: ignore kicks */
int fake_unit_error;
int fake_unit_cells, fake_unit_resets, fake_commits;
static u64 ticks;

void fake_become_cpu(unsigned int cpu);
void fake_become_cpu(unsigned int cpu)
{
	fake_this_cpu = per_cpu(cpu);
}

/* --- Memory --- */

static void *host(u64 phys)
{
	if (phys >= ROOT_START && phys < ROOT_START + ROOT_SIZE)
		return fake_root_memory + (phys - ROOT_START);
	if (phys >= RAM_START && phys < RAM_START + RAM_SIZE)
		return fake_cell_memory + (phys - RAM_START);
	return NULL;
}

void *hv_map_temp(hpa_t phys, unsigned int pages, unsigned int attrs)
{
	(void)attrs;
	if (pages > NUM_TEMP_PAGES)
		abort();
	return host(phys.raw);
}

void *cell_map_temp(const struct cell *cell, gpa_t addr, unsigned int pages, unsigned int attrs)
{
	struct page_walk walk;

	(void)attrs;
	for (unsigned int n = 0; n < pages; n++)
		if (!page_table_walk(&cell->stage2, (addr.raw & PAGE_MASK) + n * PAGE_SIZE, &walk))
			return NULL;
	return host(addr.raw);
}

/* --- Architecture --- */

int arch_cell_init(struct cell *cell)
{
	int err = page_table_init(&cell->stage2, &nested_page_format);

	if (!err) {
		cell->arch.io_bitmap = page_alloc(&mem_pool, IO_BITMAP_PAGES);
		err = cell->arch.io_bitmap ? 0 : -ENOMEM;
	}
	if (!err)
		err = page_table_map(&cell->stage2, 0xfee00000, hpa(0xfee00000), PAGE_SIZE, PG_READ);
	if (err)
		arch_cell_exit(cell);
	return err;
}

void arch_cell_exit(struct cell *cell)
{
	page_free(&mem_pool, cell->arch.io_bitmap, IO_BITMAP_PAGES);
	cell->arch.io_bitmap = NULL;
	page_table_free(&cell->stage2);
}

int arch_map_memory_region(struct cell *cell, const struct jailhouse_memory *mem)
{
	return page_table_map(&cell->stage2, mem->virt_start, hpa(mem->phys_start), mem->size,
			      (unsigned int)mem->flags & 7);
}

int arch_unmap_memory_region(struct cell *cell, const struct jailhouse_memory *mem)
{
	return page_table_unmap(&cell->stage2, mem->virt_start, mem->size);
}

void arch_fill_comm_region(struct cell *cell)
{
	(void)cell;
}

void arch_config_commit(struct cell *changed)
{
	(void)changed;
	fake_commits++;
}

void arch_cpu_forget_signals(struct per_cpu *cpu) { (void)cpu; }

void arch_cpu_moved(struct per_cpu *cpu)
{
	(void)cpu;
}

void arch_cpu_kick(struct per_cpu *cpu)
{
	if (!(fake_stuck_cpus & (1U << cpu->cpu_id)))
		cpu->suspended = true;
}

void arch_flush_stage2(void) { }

u64 arch_ticks(void)
{
	return ticks += 1000000;
}

u64 arch_ticks_per_ms(void)
{
	return 1000;
}

int hypervisor_disable(void)
{
	return -ENOSYS;
}

void console_putc(char c)
{
	(void)c;
}

/* --- A unit --- */

static int unit_cell_init(struct cell *cell)
{
	(void)cell;
	if (fake_unit_error)
		return fake_unit_error;
	fake_unit_cells++;
	return 0;
}

static void unit_cell_exit(struct cell *cell)
{
	(void)cell;
	fake_unit_cells--;
}

static void unit_cell_reset(struct cell *cell)
{
	(void)cell;
	fake_unit_resets++;
}

static unsigned int unit_mmio_regions(const struct cell *cell)
{
	(void)cell;
	return 2;
}

static const struct unit before = { .name = "Before", .cell_init = unit_cell_init,
	.cell_exit = unit_cell_exit, .mmio_regions = unit_mmio_regions };
static int late_init(struct cell *cell)
{
	return cell == &root_cell ? 0 : fake_unit_error;
}
static const struct unit after = { .name = "After", .cell_init = late_init,
	.cell_reset = unit_cell_reset };
const struct unit *const units[] = { &before, &after, NULL };

/* --- For the test --- */

/* A machine with root cell; `pages` in the pool. */
int fake_machine_init(void *system, unsigned long pages);
void fake_pool_init(struct page_pool *pool, unsigned long pages);
int fake_machine_init(void *system, unsigned long pages)
{
	int err;

	mem_pool.zero = true;
	fake_pool_init(&mem_pool, pages);
	system_config = system;
	for (unsigned int n = 0; n < MAX_CPUS_HERE; n++) {
		per_cpu(n)->cpu_id = n;
		per_cpu(n)->cell = &root_cell;
	}
	err = root_cell_init();
	if (!err)
		err = arch_cell_init(&root_cell);
	if (!err)
		err = cell_units_init(&root_cell);
	return err ? err : root_map_all();
}

void *fake_comm(unsigned int id);
void *fake_comm(unsigned int id)
{
	return cell_by_id(id)->comm_page;
}

unsigned int fake_cpus(unsigned int id);
unsigned int fake_cpus(unsigned int id)
{
	return (unsigned int)cell_by_id(id)->cpus[0];
}

/* 1: park, 2: reset, 4: suspended, 8: belongs to this cell, 16: failed */
unsigned int fake_cpu_state(unsigned int cpu, unsigned int id);
unsigned int fake_cpu_state(unsigned int cpu, unsigned int id)
{
	const struct per_cpu *c = per_cpu(cpu);

	return c->park_pending | c->reset_pending << 1 | (c->suspend_requested) << 2 |
		(c->cell == cell_by_id(id)) << 3 | c->failed << 4;
}

/* Physical address | attributes of a page of a cell, ~0 when not mapped. */
u64 fake_mapping(unsigned int id, u64 virt);
u64 fake_mapping(unsigned int id, u64 virt)
{
	struct page_walk walk;

	if (!page_table_walk(&cell_by_id(id)->stage2, virt, &walk))
		return ~0ULL;
	return walk.phys.raw | walk.attrs;
}
