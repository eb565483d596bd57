// SPDX-License-Identifier: GPL-2.0-only
/* Out of the root cell, after all other cells are gone. */
#include "driver.h"

#include <linux/cpu.h>
#include <linux/module.h>
#include <linux/stop_machine.h>

/*
 * CPUs that will be online when all cells are gone must be all that Linux has
 * to give back: those that are offline now stay in the hypervisor for ever.
 */
static int check_cpus_return(void)
{
	const struct cpumask *good;
	struct cell *cell;
	unsigned int cpu;

	list_for_each_entry(cell, &cells, entry) {
		good = cell == root_cell ? cpu_online_mask : &cell->offlined;
		for_each_cpu(cpu, &cell->cpus) {
			if (cpumask_test_cpu(cpu, good))
				continue;
			pr_err("cannot disable: CPU %u of cell \"%s\" was taken offline\n",
			       cpu, cell->name);
			return -EBUSY;
		}
	}
	return 0;
}

/* Destroying one locked cell is refused because of the other: they are asked first. */
static int shut_down_locked_cells(void)
{
	struct cell *cell;
	long result;

	list_for_each_entry(cell, &cells, entry) {
		if (cell == root_cell ||
		    hypervisor_call(JAILHOUSE_HC_CELL_GET_STATE, cell->id, 0) !=
		    JAILHOUSE_CELL_RUNNING_LOCKED)
			continue;
		result = hypervisor_call(JAILHOUSE_HC_CELL_SET_LOADABLE, cell->id, 0);
		if (result < 0)
			return result;
	}
	return 0;
}

static int destroy_all_cells(void)
{
	struct cell *cell, *next;
	int err;

	err = shut_down_locked_cells();
	if (err)
		return err;
	list_for_each_entry_safe(cell, next, &cells, entry) {
		if (cell == root_cell)
			continue;
		err = cell_destroy(cell);
		if (err)
			return err;
	}
	return 0;
}

static atomic_t leave_error;

/* On every CPU, interrupts off. */
static int leave_this_cpu(void *unused)
{
	int err = arch_hypercall(JAILHOUSE_HC_DISABLE, 0, 0);

	if (err)
		atomic_cmpxchg(&leave_error, 0, err);
	else
		arch_left();
	return 0;
}

static int leave_all_cpus(void)
{
	int err;

	cpu_hotplug_disable();
	err = check_cpus_return();
	if (err)
		goto out;

	atomic_set(&leave_error, 0);
	down_write(&hypervisor_sem);
	err = stop_machine(leave_this_cpu, NULL, cpu_online_mask);
	if (!err)
		err = atomic_read(&leave_error);
	if (!err)
		jailhouse_enabled = false;
	up_write(&hypervisor_sem);
out:
	cpu_hotplug_enable();
	return err;
}

static int disable_locked(void)
{
	struct cell *root = root_cell;
	int err;

	if (!jailhouse_enabled)
		return -EINVAL;
	err = check_cpus_return();
	if (!err)
		err = destroy_all_cells();
	if (!err)
		err = leave_all_cpus();
	if (err)
		return err;

	console_keep();
	root_cell = NULL;
	cell_unregister(root);
	cell_put(root);
	/* hypervisor_mem stays: the "core" file shows it until the next enable. */
	hypervisor_resource_release();
	pr_info("The Jailhouse was closed.\n");
	module_put(THIS_MODULE);
	return 0;
}

int jailhouse_cmd_disable(void)
{
	int err = mutex_lock_interruptible(&jailhouse_lock);

	if (err)
		return err;
	err = disable_locked();
	mutex_unlock(&jailhouse_lock);
	return err;
}
