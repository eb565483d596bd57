// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/devices/jailhouse (abi 5.4).  Readers hold hypervisor_sem around
 * hypercalls and never jailhouse_lock, so files go away under that lock.
 */
#include "driver.h"

#include <linux/device.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

struct kobject *cells_dir;
static struct device *root_device;

/* --- Statistics: of a cell, and of each of its CPUs --- */

#define MAX_STATS	16
#define ALL_CPUS	(-1)

struct stats_dir {
	struct kobject kobj;
	struct cell *cell;
	int cpu;		/* or ALL_CPUS */
};

static const char * const common_stat_names[] = {
	"vmexits_total", "vmexits_mmio", "vmexits_management", "vmexits_hypercall",
};

static struct attribute stat_attr[MAX_STATS];
static struct attribute *stat_attrs[MAX_STATS + 1];
static const struct attribute_group stat_group = { .attrs = stat_attrs };
static const struct attribute_group *stat_groups[] = { &stat_group, NULL };

/* Existing directories, by CPU; under jailhouse_lock. */
static struct stats_dir *cpu_stats[NR_CPUS];

static long cpu_stat(unsigned int cpu, unsigned int stat)
{
	return hypervisor_call(JAILHOUSE_HC_CPU_GET_INFO, cpu,
			       JAILHOUSE_CPU_INFO_STAT_BASE + stat);
}

static ssize_t stat_show(struct kobject *kobj, struct attribute *attr, char *buffer)
{
	struct stats_dir *dir = container_of(kobj, struct stats_dir, kobj);
	unsigned int cpu, stat = attr - stat_attr;
	unsigned long sum = 0;
	long value;

	if (dir->cpu != ALL_CPUS) {
		value = cpu_stat(dir->cpu, stat);
		return value < 0 ? value : sysfs_emit(buffer, "%ld\n", value);
	}
	for_each_cpu(cpu, &dir->cell->cpus) {
		value = cpu_stat(cpu, stat);
		if (value > 0)
			sum += value;
	}
	return sysfs_emit(buffer, "%lu\n", sum);
}

static void stats_release(struct kobject *kobj)
{
	kfree(container_of(kobj, struct stats_dir, kobj));
}

static const struct sysfs_ops stat_ops = { .show = stat_show };
/*
 * No default groups, here and below: those the kernel removes file by file and by
 * name, but a directory with all that is in it at once, for half the work.
 */
static const struct kobj_type stats_ktype = {
	.release = stats_release,
	.sysfs_ops = &stat_ops,
};

static void stat_attrs_init(void)
{
	unsigned int n, common = ARRAY_SIZE(common_stat_names);

	BUILD_BUG_ON(ARRAY_SIZE(common_stat_names) != JAILHOUSE_GENERIC_CPU_STATS);
	for (n = 0; n < min_t(unsigned int, common + arch_num_stats, MAX_STATS); n++) {
		stat_attr[n].name = n < common ? common_stat_names[n] :
						 arch_stat_names[n - common];
		stat_attr[n].mode = 0444;
		sysfs_attr_init(&stat_attr[n]);
		stat_attrs[n] = &stat_attr[n];
	}
}

static struct stats_dir *stats_dir_create(struct cell *cell, struct kobject *parent, int cpu)
{
	struct stats_dir *dir = kzalloc(sizeof(*dir), GFP_KERNEL);
	int err;

	if (!dir)
		return ERR_PTR(-ENOMEM);
	dir->cell = cell;
	dir->cpu = cpu;
	if (cpu == ALL_CPUS)
		err = kobject_init_and_add(&dir->kobj, &stats_ktype, parent, "statistics");
	else
		err = kobject_init_and_add(&dir->kobj, &stats_ktype, parent, "cpu%d", cpu);
	if (!err)
		err = sysfs_create_groups(&dir->kobj, stat_groups);
	if (err) {
		kobject_put(&dir->kobj);
		return ERR_PTR(err);
	}
	/* That a CPU changes its cell is no news of its own. */
	dir->kobj.uevent_suppress = 1;
	return dir;
}

static void stats_dir_remove(struct stats_dir **dir)
{
	if (!*dir)
		return;
	kobject_del(&(*dir)->kobj);
	kobject_put(&(*dir)->kobj);
	*dir = NULL;
}

static void cpu_stats_remove(const struct cell *cell)
{
	unsigned int cpu;

	for_each_cpu(cpu, &cell->cpus)
		if (cpu_stats[cpu] && cpu_stats[cpu]->cell == cell)
			stats_dir_remove(&cpu_stats[cpu]);
}

/* The CPU's directory, from the cell that had the CPU or new. */
static int cpu_stats_move(unsigned int cpu, struct cell *to)
{
	struct stats_dir *dir = cpu_stats[cpu];

	if (dir && kobject_move(&dir->kobj, &to->stats->kobj) == 0) {
		dir->cell = to;
		return 0;
	}
	stats_dir_remove(&cpu_stats[cpu]);
	dir = stats_dir_create(to, &to->stats->kobj, cpu);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	cpu_stats[cpu] = dir;
	return 0;
}

/* The directories of these CPUs now belong to that cell. */
int cell_sysfs_move_cpus(const struct cpumask *cpus, struct cell *to)
{
	unsigned int cpu;
	int err;

	if (!to->stats)
		return -ENOENT;
	for_each_cpu(cpu, cpus) {
		err = cpu_stats_move(cpu, to);
		if (err)
			return err;
	}
	return 0;
}

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
	struct stats_dir *stats;
	int err;

	err = kobject_add(&cell->kobj, cells_dir, "%d", cell->id);
	if (!err)
		err = sysfs_create_groups(&cell->kobj, cell_groups);
	if (err)
		return err;
	stats = stats_dir_create(cell, &cell->kobj, ALL_CPUS);
	if (IS_ERR(stats))
		return PTR_ERR(stats);
	cell->stats = stats;
	err = cell_sysfs_move_cpus(&cell->cpus, cell);
	kobject_uevent(&cell->kobj, KOBJ_ADD);
	return err;
}

void cell_sysfs_remove(struct cell *cell)
{
	cpu_stats_remove(cell);
	stats_dir_remove(&cell->stats);
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

	stat_attrs_init();
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
	core_file_remove();
	kobject_put(cells_dir);
	sysfs_remove_group(&root_device->kobj, &root_group);
	root_device_unregister(root_device);
}
