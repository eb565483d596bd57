// SPDX-License-Identifier: GPL-2.0-only
/* Cells: create, start, destroy, and what Linux has to give for them. */
#include "driver.h"

#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

struct cell *root_cell;
LIST_HEAD(cells);
cpumask_t cpus_in_cells;

static int report_config(enum config_verdict verdict)
{
	static const char * const reason[] = {
		[CONFIG_BAD_SIGNATURE] = "Not a cell configuration",
		[CONFIG_BAD_REVISION] = "Configuration revision mismatch",
		[CONFIG_BAD_ARCHITECTURE] = "Configuration architecture mismatch",
		[CONFIG_BAD_CPU_SET] = "CPU set of the configuration is too large",
		[CONFIG_TRUNCATED] = "Configuration is truncated",
		[CONFIG_TOO_BIG] = "Configuration is too large",
	};

	if (verdict == CONFIG_OK)
		return 0;
	pr_err("%s\n", reason[verdict]);
	return verdict == CONFIG_TOO_BIG ? -E2BIG : -EINVAL;
}

/* --- Objects --- */

/* -EBUSY: a CPU that this kernel has no number for, so the root cell cannot own it. */
static int cell_parse_cpus(struct cell *cell, const struct jailhouse_cell_desc *desc)
{
	const u8 *set = jailhouse_cell_cpu_set(desc);
	unsigned int cpu, limit = cpu_set_limit(set, desc->cpu_set_size);

	if (limit > nr_cpu_ids) {
		pr_err("cell \"%s\": CPU %u does not exist\n", cell->name, limit - 1);
		return -EBUSY;
	}
	for (cpu = 0; cpu < limit; cpu++)
		if (set[cpu / 8] & (1U << (cpu % 8)))
			cpumask_set_cpu(cpu, &cell->cpus);
	return 0;
}

/* A checked configuration: its counts are bounded by its size. */
static int cell_parse(struct cell *cell, const struct jailhouse_cell_desc *desc)
{
	size_t size = desc->num_memory_regions * sizeof(struct jailhouse_memory);
	int err;

	strscpy(cell->name, desc->name, sizeof(cell->name));
	err = cell_parse_cpus(cell, desc);
	if (err)
		return err;

	cell->num_memory_regions = desc->num_memory_regions;
	cell->memory_regions = kvmalloc(size, GFP_KERNEL);
	if (!cell->memory_regions)
		return -ENOMEM;
	memcpy(cell->memory_regions, jailhouse_cell_mem_regions(desc), size);
	return cell_pci_init(cell, desc);
}

/* To be given back by cell_put(); not registered. */
struct cell *cell_alloc(const struct jailhouse_cell_desc *desc)
{
	struct cell *cell = kzalloc(sizeof(*cell), GFP_KERNEL);
	int err;

	if (!cell)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&cell->entry);
	kobject_init(&cell->kobj, &cell_ktype);
	err = cell_parse(cell, desc);
	if (err) {
		cell_put(cell);
		return ERR_PTR(err);
	}
	return cell;
}

void cell_put(struct cell *cell)
{
	kobject_put(&cell->kobj);
}

/* The last reference is gone. */
void cell_free(struct cell *cell)
{
	kvfree(cell->memory_regions);
	kvfree(cell->devices);
	kfree(cell);
}

/* Shows the cell to the world: list and sysfs. The list is always updated. */
int cell_register(struct cell *cell)
{
	list_add_tail(&cell->entry, &cells);
	return cell_sysfs_add(cell);
}

void cell_unregister(struct cell *cell)
{
	list_del_init(&cell->entry);
	cell_sysfs_remove(cell);
}

static struct cell *cell_find_name(const char *name)
{
	struct cell *cell;

	list_for_each_entry(cell, &cells, entry)
		if (strcmp(cell->name, name) == 0)
			return cell;
	return NULL;
}

static struct cell *cell_find_id(int id)
{
	struct cell *cell;

	list_for_each_entry(cell, &cells, entry)
		if (cell->id == id)
			return cell;
	return NULL;
}

static struct cell *cell_find(const struct jailhouse_cell_id *id)
{
	return id->id == JAILHOUSE_CELL_ID_UNUSED ? cell_find_name(id->name) :
						    cell_find_id(id->id);
}

static int cell_unused_id(void)
{
	int id = 0;

	while (cell_find_id(id))
		id++;
	return id;
}

/* On success jailhouse_lock is held, and the cell is not the root cell. */
int cell_get(const struct jailhouse_cell_id __user *arg, struct cell **cell)
{
	struct jailhouse_cell_id id;
	int err;

	if (copy_from_user(&id, arg, sizeof(id)))
		return -EFAULT;
	id.name[JAILHOUSE_CELL_ID_NAMELEN] = 0;

	err = mutex_lock_interruptible(&jailhouse_lock);
	if (err)
		return err;

	err = -EINVAL;
	if (!jailhouse_enabled)
		goto out_unlock;
	*cell = cell_find(&id);
	err = -ENOENT;
	if (!*cell)
		goto out_unlock;
	err = -EINVAL;
	if (*cell == root_cell)
		goto out_unlock;
	return 0;

out_unlock:
	mutex_unlock(&jailhouse_lock);
	return err;
}

/* --- CPUs --- */

static int cell_check_cpus(const struct cell *cell)
{
	if (!cpumask_subset(&cell->cpus, &root_cell->cpus)) {
		pr_err("cell \"%s\": CPUs %*pbl are not all owned by the root cell\n",
		       cell->name, cpumask_pr_args(&cell->cpus));
		return -EBUSY;
	}
#ifdef ARCH_PINNED_CPU
	if (cpumask_test_cpu(ARCH_PINNED_CPU, &cell->cpus)) {
		pr_err("Cannot assign CPU %u to other cells\n", ARCH_PINNED_CPU);
		return -EINVAL;
	}
#endif
	return 0;
}

static void cell_return_cpus(struct cell *cell)
{
	unsigned int cpu;
	int err;

	cpumask_or(&root_cell->cpus, &root_cell->cpus, &cell->cpus);
	cpumask_andnot(&cpus_in_cells, &cpus_in_cells, &cell->cpus);
	/* Hot-plug waits for grace periods several times over: not for the timer's pace. */
	rcu_expedite_gp();
	for_each_cpu(cpu, &cell->offlined) {
		err = add_cpu(cpu);
		if (err < 0)
			pr_err("failed to bring CPU %u back online: %d\n", cpu, err);
	}
	rcu_unexpedite_gp();
	cpumask_clear(&cell->offlined);
}

/* An answer that holds: not while the CPU is on its way up or down. */
static bool cpu_is_online(unsigned int cpu)
{
	bool online;

	cpus_read_lock();
	online = cpu_online(cpu);
	cpus_read_unlock();
	return online;
}

static int cell_take_online_cpus(struct cell *cell)
{
	unsigned int cpu;
	int err;

	for_each_cpu(cpu, &cell->cpus) {
		if (!cpu_is_online(cpu))
			continue;
		err = remove_cpu(cpu);
		if (err < 0) {
			pr_err("cannot take CPU %u offline: %d\n", cpu, err);
			return err;
		}
		/* 1: somebody else was faster, and will not put it online again. */
		if (err == 0)
			cpumask_set_cpu(cpu, &cell->offlined);
	}
	return 0;
}

/* Takes the CPUs from Linux. They cannot come back before cell_return_cpus(). */
static int cell_take_cpus(struct cell *cell)
{
	int err;

	cpumask_andnot(&root_cell->cpus, &root_cell->cpus, &cell->cpus);
	cpumask_or(&cpus_in_cells, &cpus_in_cells, &cell->cpus);
	rcu_expedite_gp();
	err = cell_take_online_cpus(cell);
	rcu_unexpedite_gp();
	if (err)
		cell_return_cpus(cell);
	return err;
}

/* --- Create --- */

struct config_copy {
	struct jailhouse_cell_desc *desc;
	size_t size;
};

/* Whole pages, because the hypervisor maps whole pages of it. */
static int config_get(const struct jailhouse_cell_create __user *arg, struct config_copy *copy)
{
	const struct jailhouse_cell_desc __user *user;
	struct jailhouse_cell_create params;
	struct jailhouse_cell_desc header;
	u64 total;
	int err;

	if (copy_from_user(&params, arg, sizeof(params)))
		return -EFAULT;
	if (params.config_size < sizeof(header)) {
		pr_err("Not a cell configuration\n");
		return -EINVAL;
	}
	user = u64_to_user_ptr(params.config_address);
	if (copy_from_user(&header, user, sizeof(header)))
		return -EFAULT;
	err = report_config(config_check_cell_header(&header, ARCH_CONFIG, params.config_size,
						     &total));
	if (err)
		return err;

	copy->size = PAGE_ALIGN(total);
	copy->desc = alloc_pages_exact(copy->size, GFP_KERNEL | __GFP_ZERO);
	if (!copy->desc)
		return -ENOMEM;
	/* Not the header again: it could have changed since it was checked. */
	memcpy(copy->desc, &header, sizeof(header));
	if (copy_from_user(copy->desc + 1, user + 1, total - sizeof(header))) {
		free_pages_exact(copy->desc, copy->size);
		return -EFAULT;
	}
	copy->desc->name[JAILHOUSE_CELL_NAME_MAXLEN] = 0;
	if (copy->desc->flags & JAILHOUSE_CELL_VIRTUAL_CONSOLE_ACTIVE)
		copy->desc->flags |= JAILHOUSE_CELL_VIRTUAL_CONSOLE_PERMITTED;
	return 0;
}

static int cell_hand_over(struct cell *cell, struct jailhouse_cell_desc *desc)
{
	long result;
	int err;

	err = cell_take_cpus(cell);
	if (err)
		return err;
	cell_pci_claim(cell);

	result = hypervisor_call(JAILHOUSE_HC_CELL_CREATE, virt_to_phys(desc), 0);
	if (result < 0) {
		cell_pci_release(cell);
		cell_return_cpus(cell);
		return result;
	}
	return 0;
}

static int cell_create_locked(struct jailhouse_cell_desc *desc)
{
	struct cell *cell;
	int err;

	if (!jailhouse_enabled)
		return -EINVAL;
	if (cell_find_name(desc->name)) {
		pr_err("a cell \"%s\" exists already\n", desc->name);
		return -EEXIST;
	}
	cell = cell_alloc(desc);
	if (IS_ERR(cell))
		return PTR_ERR(cell);

	cell->id = cell_unused_id();
	desc->id = cell->id;
	err = cell_check_cpus(cell);
	if (!err)
		err = cell_hand_over(cell, desc);
	if (err) {
		cell_put(cell);
		return err;
	}

	/* The cell exists now: a missing sysfs tree does not end it. */
	if (cell_register(cell))
		pr_warn("cell \"%s\" does not appear in sysfs\n", cell->name);
	pr_info("Created Jailhouse cell \"%s\"\n", cell->name);
	return 0;
}

int jailhouse_cmd_cell_create(const struct jailhouse_cell_create __user *arg)
{
	struct config_copy copy;
	int err;

	err = config_get(arg, &copy);
	if (err)
		return err;
	err = mutex_lock_interruptible(&jailhouse_lock);
	if (!err) {
		err = cell_create_locked(copy.desc);
		mutex_unlock(&jailhouse_lock);
	}
	free_pages_exact(copy.desc, copy.size);
	return err;
}

/* --- Start, destroy --- */

int jailhouse_cmd_cell_start(const struct jailhouse_cell_id __user *arg)
{
	struct cell *cell;
	int err;

	err = cell_get(arg, &cell);
	if (err)
		return err;
	err = hypervisor_call(JAILHOUSE_HC_CELL_START, cell->id, 0);
	mutex_unlock(&jailhouse_lock);
	return err;
}

/* When it fails nothing has changed. */
int cell_destroy(struct cell *cell)
{
	int err = hypervisor_call(JAILHOUSE_HC_CELL_DESTROY, cell->id, 0);

	if (err)
		return err;
	/* Before the cell's own directory goes, in which they are. */
	if (cell_stats_move_cpus(&cell->cpus, root_cell))
		pr_warn("statistics of CPUs %*pbl do not appear in sysfs\n",
			cpumask_pr_args(&cell->cpus));
	cell_unregister(cell);
	cell_return_cpus(cell);
	cell_pci_release(cell);
	pr_info("Destroyed Jailhouse cell \"%s\"\n", cell->name);
	cell_put(cell);
	return 0;
}

int jailhouse_cmd_cell_destroy(const struct jailhouse_cell_id __user *arg)
{
	struct cell *cell;
	int err;

	err = cell_get(arg, &cell);
	if (err)
		return err;
	err = cell_destroy(cell);
	mutex_unlock(&jailhouse_lock);
	return err;
}
