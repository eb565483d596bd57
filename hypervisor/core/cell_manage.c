// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life cycle (abi.md 3.4).  One operation at a time; the other root CPUs
 * are suspended while it runs, and the cell's own CPUs while it changes.
 */
#include <core/boot.h>
#include <core/cell_internal.h>
#include <core/config.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <core/seed.h>
#include <core/unit.h>
#include <arch/config.h>
#include <arch/cpu.h>
#include <lib/bitmap.h>
#include <lib/spinlock.h>
#include <lib/string.h>

static u32 management_lock;

bool management_try(void)
{
	return spin_trylock(&management_lock);
}

void management_done(void)
{
	spin_unlock(&management_lock);
}

/* --- CPUs of a cell ------------------------------------------------------------ */

int cell_suspend(struct cell *cell)
{
	int cpu, err = 0, failed = -1;

	for_each_cpu(cpu, cell) {
		if ((unsigned int)cpu == this_cpu()->cpu_id)
			continue;
		err = cpu_suspend(per_cpu((unsigned int)cpu));
		if (err) {
			failed = cpu;
			break;
		}
	}
	if (!err)
		return 0;
	for_each_cpu(cpu, cell) {
		if (cpu == failed)
			break;
		cpu_resume(per_cpu((unsigned int)cpu));
	}
	return err;
}

void cell_resume(struct cell *cell)
{
	int cpu;

	for_each_cpu(cpu, cell)
		cpu_resume(per_cpu((unsigned int)cpu));
}

static int management_begin(void)
{
	int err;

	/* Two CPUs that suspend each other would never end. */
	if (!management_try())
		return trace_error(-EBUSY);
	err = cell_suspend(&root_cell);
	if (err)
		management_done();
	return err;
}

static void management_end(void)
{
	cell_resume(&root_cell);
	management_done();
}

/* The CPU is suspended; it parks before it runs a guest again. */
static void cpu_move(struct per_cpu *cpu, struct cell *owner)
{
	cpu->cell = owner;
	cpu->failed = false;
	memset(cpu->stats, 0, sizeof(cpu->stats));
	arch_cpu_moved(cpu);
	cpu_request_flush(cpu);
	cpu_request_park(cpu);
}

static void cpus_from_root(struct cell *cell)
{
	int cpu;

	for_each_cpu(cpu, cell) {
		bitmap_clear(root_cell.cpus, (unsigned int)cpu);
		cpu_move(per_cpu((unsigned int)cpu), cell);
	}
}

static void cpus_to_root(struct cell *cell)
{
	int cpu;

	for_each_cpu(cpu, cell) {
		cpu_move(per_cpu((unsigned int)cpu), &root_cell);
		if (!seeded_cpu() || cell_next_cpu(cell, cpu) >= 0)
			bitmap_set(root_cell.cpus, (unsigned int)cpu);
	}
}

/* --- Create --------------------------------------------------------------------- */

static bool name_or_id_exists(const struct jailhouse_cell_desc *desc)
{
	struct cell *cell;

	for_each_cell(cell)
		if (cell->config->id == desc->id ||
		    memcmp(cell_name(cell), desc->name,
			   strnlen(cell_name(cell), JAILHOUSE_CELL_NAME_MAXLEN) + 1) == 0)
			return true;
	return false;
}

/* A copy of what root passed, not yet checked. Root CPUs suspended, DMA is not. */
static int config_fetch(gpa_t address, struct cell **cell)
{
	const u64 offset = address.raw & PAGE_OFFS_MASK;
	const struct jailhouse_cell_desc *mapped;
	struct jailhouse_cell_desc head;
	u64 total;

	mapped = cell_map_temp(&root_cell, address,
			       (unsigned int)PAGES(offset + sizeof(head)), PG_READ);
	if (!mapped)
		return trace_error(-EINVAL);
	head = *mapped;
	total = jailhouse_config_size(&head);
	if (PAGES(offset + total) > NUM_TEMP_PAGES)
		return trace_error(-E2BIG);
	if (name_or_id_exists(&head))
		return trace_error(-EEXIST);
	mapped = cell_map_temp(&root_cell, address, (unsigned int)PAGES(offset + total), PG_READ);
	if (!mapped)
		return trace_error(-EINVAL);
	*cell = cell_alloc(&head, mapped, total);
	return *cell ? 0 : trace_error(-ENOMEM);
}

static int check_cpus(const struct jailhouse_cell_desc *desc)
{
	const u8 *set = jailhouse_cell_cpu_set(desc);

	for (unsigned int cpu = 0; cpu < desc->cpu_set_size * 8; cpu++) {
		if (!(set[cpu / 8] & (1 << (cpu % 8))))
			continue;
		if (arch_cpu_stays_with_root(cpu)) {
			printk("CPU %u cannot leave the root cell\n", cpu);
			return trace_error(-EBUSY);
		}
		if (!cell_owns_cpu(&root_cell, cpu) || cpu == this_cpu()->cpu_id) {
			printk("CPU %u is not available for cell \"%s\"\n", cpu, desc->name);
			return trace_error(-EBUSY);
		}
	}
	return 0;
}

static int check_config(const struct jailhouse_cell_desc *desc, u64 size)
{
	u64 total;
	int err = config_check_cell(desc, size, &machine_limits, &total);

	if (!err)
		err = config_check_overlap(desc, root_cell.next);
	return err ? err : check_cpus(desc);
}

/* What can fail comes first; from then on the cell exists. */
static int cell_build(struct cell *cell)
{
	int err = cell_parts_init(cell);

	if (!err) {
		err = cell_take_memory(cell);
		if (err)
			cell_parts_exit(cell);
	}
	if (err) {
		cell_commit(NULL);
		return err;
	}
	cpus_from_root(cell);
	cell_list_add(cell);
	cell_commit(cell);
	return 0;
}

static int create(gpa_t config_address)
{
	struct cell *cell;
	int err;

	if (cells_locked(NULL))
		return trace_error(-EPERM);
	err = config_fetch(config_address, &cell);
	if (err)
		return err;
	err = check_config(cell->config, jailhouse_config_size(cell->config));
	if (!err)
		err = cell_build(cell);
	if (err) {
		cell_free(cell);
		return err;
	}
	comm_notify_all();
	cell_resume(cell);
	printk("Created cell \"%s\"\n", cell_name(cell));
	page_pools_report("after cell creation");
	return 0;
}

int cell_create(gpa_t config_address)
{
	int err = management_begin();

	if (err)
		return err;
	err = create(config_address);
	management_end();
	return err;
}

/* --- Operations on an existing cell ------------------------------------------------ */

static void reset_units(struct cell *cell)
{
	for (unsigned int n = 0; units[n]; n++)
		if (units[n]->cell_reset)
			units[n]->cell_reset(cell);
}

static void for_cpus(struct cell *cell, void (*request)(struct per_cpu *))
{
	int cpu;

	for_each_cpu(cpu, cell) {
		per_cpu((unsigned int)cpu)->failed = false;
		request(per_cpu((unsigned int)cpu));
	}
}

/* Root and the cell suspended, as in all of these. */
static int start(struct cell *cell)
{
	int err;

	if (cell->loadable) {
		err = cell_loadable_from_root(cell);
		if (err)
			return err;
		cell->loadable = false;
		cell_commit(cell);
	}
	comm_init(cell);
	reset_units(cell);
	for_cpus(cell, cpu_request_reset);
	printk("Started cell \"%s\"\n", cell_name(cell));
	return 0;
}

static int set_loadable(struct cell *cell)
{
	int err;

	for_cpus(cell, cpu_request_park);
	if (cell->loadable)
		return 0;
	comm_set_state(cell, JAILHOUSE_CELL_SHUT_DOWN);
	reset_units(cell);
	err = cell_loadable_to_root(cell);
	if (err)
		return err;
	cell->loadable = true;
	cell_commit(cell);
	printk("Cell \"%s\" can be loaded\n", cell_name(cell));
	return 0;
}

static int destroy(struct cell *cell)
{
	printk("Closing cell \"%s\"\n", cell_name(cell));
	comm_set_state(cell, JAILHOUSE_CELL_SHUT_DOWN);
	cell_clear_memory(cell);
	cpus_to_root(cell);
	cell_return_memory(cell);
	cell_list_remove(cell);
	cell_parts_exit(cell);
	cell_free(cell);
	cell_commit(NULL);
	page_pools_report("after cell destruction");
	comm_notify_all();
	return 0;
}

/* Permission, then the operation with the cell suspended. `stays`: the cell survives it. */
static int with_cell_suspended(struct cell *cell, int (*operation)(struct cell *), bool stays)
{
	int err;

	if (!comm_request_shutdown(cell))
		return trace_error(-EPERM);
	err = cell_suspend(cell);
	if (err)
		return err;
	err = operation(cell);
	if (stays)
		cell_resume(cell);
	return err;
}

static int manage(unsigned int id, int (*operation)(struct cell *), bool stays)
{
	struct cell *cell;
	int err = management_begin();

	if (err)
		return err;
	cell = cell_by_id(id);
	if (!cell)
		err = trace_error(-ENOENT);
	else if (cell == &root_cell)
		err = trace_error(-EINVAL);
	else if (!stays && cells_locked(cell))
		err = trace_error(-EPERM);
	else
		err = with_cell_suspended(cell, operation, stays);
	management_end();
	return err;
}

int cell_start(unsigned int id)
{
	return manage(id, start, true);
}

int cell_set_loadable(unsigned int id)
{
	return manage(id, set_loadable, true);
}

int cell_destroy(unsigned int id)
{
	return manage(id, destroy, false);
}

int cell_get_state(unsigned int id)
{
	const struct cell *cell;
	u32 state;

	/* The list changes only while its other readers are suspended. */
	cell = cell_by_id(id);
	if (!cell)
		return trace_error(-ENOENT);
	state = cell->comm_page->cell_state;
	return state <= JAILHOUSE_CELL_FAILED_COMM_REV ? (int)state : trace_error(-EINVAL);
}
