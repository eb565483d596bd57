// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/devices/jailhouse (abi 5.4), but for statistics.c.  Readers hold hypervisor_sem around
 * hypercalls and never jailhouse_lock, so files go away under that lock.
 */
#include "driver.h"

#include <linux/device.h>
#include <linux/sysfs.h>

struct kobject *cells_dir;
static struct device *root_device;

/* --- A cell --- */

static struct cell *to_cell(struct kobject *kobj)
{
	return container_of(kobj, struct cell, kobj);
}

static ssize_t name_show(struct kobject *kobj, struct kobj_attribute *attr, char *buffer)
{
	return sysfs_emit(buffer, "%s\n", to_cell(kobj)->name);
}

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr, char *buffer)
{
	static const char * const names[] = {
		[JAILHOUSE_CELL_RUNNING] = "running",
		[JAILHOUSE_CELL_RUNNING_LOCKED] = "running/locked",
		[JAILHOUSE_CELL_SHUT_DOWN] = "shut down",
		[JAILHOUSE_CELL_FAILED] = "failed",
		[JAILHOUSE_CELL_FAILED_COMM_REV] = "Comm ABI mismatch",
	};
	long state = hypervisor_call(JAILHOUSE_HC_CELL_GET_STATE, to_cell(kobj)->id, 0);

	return sysfs_emit(buffer, "%s\n",
			  state >= 0 && state < ARRAY_SIZE(names) ? names[state] : "invalid");
}

static void cell_failed_cpus(const struct cell *cell, struct cpumask *failed)
{
	unsigned int cpu;

	cpumask_clear(failed);
	for_each_cpu(cpu, &cell->cpus)
		if (hypervisor_call(JAILHOUSE_HC_CPU_GET_INFO, cpu, JAILHOUSE_CPU_INFO_STATE) ==
		    JAILHOUSE_CPU_FAILED)
			cpumask_set_cpu(cpu, failed);
}

static ssize_t cpus_assigned_show(struct kobject *kobj, struct kobj_attribute *attr, char *buffer)
{
	return sysfs_emit(buffer, "%*pb\n", cpumask_pr_args(&to_cell(kobj)->cpus));
}

static ssize_t cpus_assigned_list_show(struct kobject *kobj, struct kobj_attribute *attr,
				       char *buffer)
{
	return sysfs_emit(buffer, "%*pbl\n", cpumask_pr_args(&to_cell(kobj)->cpus));
}

static ssize_t emit_failed(const struct cell *cell, char *buffer, const char *format)
{
	cpumask_var_t failed;
	ssize_t length;

	if (!alloc_cpumask_var(&failed, GFP_KERNEL))
		return -ENOMEM;
	cell_failed_cpus(cell, failed);
	length = sysfs_emit(buffer, format, cpumask_pr_args(failed));
	free_cpumask_var(failed);
	return length;
}

static ssize_t cpus_failed_show(struct kobject *kobj, struct kobj_attribute *attr, char *buffer)
{
	return emit_failed(to_cell(kobj), buffer, "%*pb\n");
}

static ssize_t cpus_failed_list_show(struct kobject *kobj, struct kobj_attribute *attr,
				     char *buffer)
{
	return emit_failed(to_cell(kobj), buffer, "%*pbl\n");
}

static struct kobj_attribute name_attr = __ATTR_RO(name);
static struct kobj_attribute state_attr = __ATTR_RO(state);
static struct kobj_attribute cpus_assigned_attr = __ATTR_RO(cpus_assigned);
static struct kobj_attribute cpus_assigned_list_attr = __ATTR_RO(cpus_assigned_list);
static struct kobj_attribute cpus_failed_attr = __ATTR_RO(cpus_failed);
static struct kobj_attribute cpus_failed_list_attr = __ATTR_RO(cpus_failed_list);

static struct attribute *cell_attrs[] = {
	&name_attr.attr,
	&state_attr.attr,
	&cpus_assigned_attr.attr,
	&cpus_assigned_list_attr.attr,
	&cpus_failed_attr.attr,
	&cpus_failed_list_attr.attr,
	NULL
};
ATTRIBUTE_GROUPS(cell);

static void cell_release(struct kobject *kobj)
{
	cell_free(to_cell(kobj));
}

const struct kobj_type cell_ktype = {
	.release = cell_release,
	.sysfs_ops = &kobj_sysfs_ops,
};

/* After an error the caller goes on without (some of) the files; remove works. */
int cell_sysfs_add(struct cell *cell)
{
	int err;

	err = kobject_add(&cell->kobj, cells_dir, "%d", cell->id);
	if (!err)
		err = sysfs_create_groups(&cell->kobj, cell_groups);
	if (err)
		return err;
	err = cell_stats_add(cell);
	kobject_uevent(&cell->kobj, KOBJ_ADD);
	return err;
}

void cell_sysfs_remove(struct cell *cell)
{
	cell_stats_remove(cell);
	/* Not if cell_sysfs_add() ran out of memory. */
	if (cell->kobj.state_in_sysfs)
		kobject_del(&cell->kobj);
}

/* --- The directory itself --- */

static ssize_t enabled_show(struct device *dev, struct device_attribute *attr, char *buffer)
{
	return sysfs_emit(buffer, "%d\n", READ_ONCE(jailhouse_enabled));
}

static ssize_t console_show(struct device *dev, struct device_attribute *attr, char *buffer)
{
	return console_show_all(buffer);
}

static ssize_t info_show(char *buffer, unsigned int type)
{
	long value = hypervisor_call(JAILHOUSE_HC_HYPERVISOR_GET_INFO, type, 0);

	if (value == -ENODEV)
		value = 0;
	return value < 0 ? value : sysfs_emit(buffer, "%ld\n", value);
}

static ssize_t mem_pool_size_show(struct device *dev, struct device_attribute *attr, char *buffer)
{
	return info_show(buffer, JAILHOUSE_INFO_MEM_POOL_SIZE);
}

static ssize_t mem_pool_used_show(struct device *dev, struct device_attribute *attr, char *buffer)
{
	return info_show(buffer, JAILHOUSE_INFO_MEM_POOL_USED);
}

static ssize_t remap_pool_size_show(struct device *dev, struct device_attribute *attr,
				    char *buffer)
{
	return info_show(buffer, JAILHOUSE_INFO_REMAP_POOL_SIZE);
}

static ssize_t remap_pool_used_show(struct device *dev, struct device_attribute *attr,
				    char *buffer)
{
	return info_show(buffer, JAILHOUSE_INFO_REMAP_POOL_USED);
}

static DEVICE_ATTR_RO(enabled);
static DEVICE_ATTR_RO(console);
static DEVICE_ATTR_RO(mem_pool_size);
static DEVICE_ATTR_RO(mem_pool_used);
static DEVICE_ATTR_RO(remap_pool_size);
static DEVICE_ATTR_RO(remap_pool_used);

static struct attribute *root_attrs[] = {
	&dev_attr_enabled.attr,
	&dev_attr_console.attr,
	&dev_attr_mem_pool_size.attr,
	&dev_attr_mem_pool_used.attr,
	&dev_attr_remap_pool_size.attr,
	&dev_attr_remap_pool_used.attr,
	NULL
};
static const struct attribute_group root_group = { .attrs = root_attrs };

/* --- core: image and BSS, from the first load until the next one --- */

static ssize_t core_read(struct file *file, struct kobject *kobj, JAILHOUSE_BIN_ATTR *attr,
			 char *buffer, loff_t offset, size_t count)
{
	return memory_read_from_buffer(buffer, count, &offset, hypervisor_mem, attr->size);
}

static struct bin_attribute core_attr = {
	.attr = { .name = "core", .mode = 0400 },
	.read = core_read,
};
static bool core_present;

void core_file_add(void)
{
	sysfs_bin_attr_init(&core_attr);
	core_attr.size = hypervisor_core_size;
	core_present = sysfs_create_bin_file(&root_device->kobj, &core_attr) == 0;
}

/* Waits for readers: hypervisor_mem may be unmapped afterwards. */
void core_file_remove(void)
{
	if (core_present)
		sysfs_remove_bin_file(&root_device->kobj, &core_attr);
	core_present = false;
}

int sysfs_init(void)
{
	int err;

	stats_init();
	root_device = root_device_register("jailhouse");
	if (IS_ERR(root_device))
		return PTR_ERR(root_device);
	err = sysfs_create_group(&root_device->kobj, &root_group);
	if (err)
		goto out_unregister;
	cells_dir = kobject_create_and_add("cells", &root_device->kobj);
	err = -ENOMEM;
	if (!cells_dir)
		goto out_group;
	return 0;

out_group:
	sysfs_remove_group(&root_device->kobj, &root_group);
out_unregister:
	root_device_unregister(root_device);
	return err;
}

void sysfs_exit(void)
{
	stats_exit();
	core_file_remove();
	kobject_put(cells_dir);
	sysfs_remove_group(&root_device->kobj, &root_group);
	root_device_unregister(root_device);
}
