// SPDX-License-Identifier: GPL-2.0-only
/*
 * cells/<id>/statistics (abi 5.4): exit counters of a cell, and of each of its CPUs
 * in a directory that moves between cells as the CPU does.
 */
#include "driver.h"

#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#define MAX_STATS	16
#define ALL_CPUS	(-1)

struct stats_dir {
	struct kobject kobj;
	struct cell *cell;	/* NULL: kept, no hypervisor */
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
/* The root cell's, with those of its CPUs, while there is none; under jailhouse_lock. */
static struct stats_dir *kept_stats;

static long sum_of_cpus(const struct cell *cell, unsigned int info)
{
	unsigned int cpu;
	long value, sum = 0;

	for_each_cpu(cpu, &cell->cpus) {
		value = arch_hypercall(JAILHOUSE_HC_CPU_GET_INFO, cpu, info);
		if (value > 0)
			sum += value;
	}
	return sum;
}

/* A cell whose directory was kept may go as soon as there is no hypervisor. */
static long stats_sum(const struct stats_dir *dir, unsigned int info)
{
	const struct cell *cell;
	long value = -ENODEV;

	down_read(&hypervisor_sem);
	cell = smp_load_acquire(&dir->cell);
	if (jailhouse_enabled && cell)
		value = sum_of_cpus(cell, info);
	up_read(&hypervisor_sem);
	return value;
}

static ssize_t stat_show(struct kobject *kobj, struct attribute *attr, char *buffer)
{
	struct stats_dir *dir = container_of(kobj, struct stats_dir, kobj);
	unsigned int info = JAILHOUSE_CPU_INFO_STAT_BASE + (attr - stat_attr);
	long value = dir->cpu == ALL_CPUS ? stats_sum(dir, info) :
		     hypervisor_call(JAILHOUSE_HC_CPU_GET_INFO, dir->cpu, info);

	return value < 0 ? value : sysfs_emit(buffer, "%ld\n", value);
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

void stats_init(void)
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

	if (dir && dir->cell == to)
		return 0;
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

int cell_stats_move_cpus(const struct cpumask *cpus, struct cell *to)
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

/* --- The root cell's, kept between disable and enable --- */

static bool is_root(const struct cell *cell)
{
	return cell->id == 0;
}

/*
 * While there is no root cell its statistics lie under /sys/module/jailhouse, and
 * say ENODEV: Linux takes 900 instructions for each of 60 files that it removes,
 * which was half of what disable took.
 */
static void stats_keep(struct cell *root)
{
	unsigned int cpu;

	if (!root->stats || kobject_move(&root->stats->kobj, &THIS_MODULE->mkobj.kobj))
		return;
	kept_stats = root->stats;
	root->stats = NULL;
	kept_stats->cell = NULL;
	for_each_cpu(cpu, &root->cpus)
		if (cpu_stats[cpu])
			cpu_stats[cpu]->cell = NULL;
}

/* The kept CPUs are this root cell's, or go. */
static void cpu_stats_adopt(struct cell *root)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (!cpumask_test_cpu(cpu, &root->cpus))
			stats_dir_remove(&cpu_stats[cpu]);
		else if (cpu_stats[cpu])
			cpu_stats[cpu]->cell = root;
	}
}

void stats_exit(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		stats_dir_remove(&cpu_stats[cpu]);
	stats_dir_remove(&kept_stats);
}

/* The directory that was kept; NULL if there is none, or none that can be had. */
static struct stats_dir *stats_take(struct cell *root)
{
	struct stats_dir *dir = kept_stats;

	if (!dir)
		return NULL;
	if (kobject_move(&dir->kobj, &root->kobj)) {
		stats_exit();
		return NULL;
	}
	kept_stats = NULL;
	cpu_stats_adopt(root);
	/* Who reads it meanwhile sees a cell that is complete. */
	smp_store_release(&dir->cell, root);
	return dir;
}

/* --- Of a cell --- */

/* After an error some are missing; remove works. */
int cell_stats_add(struct cell *cell)
{
	struct stats_dir *dir = NULL;

	if (is_root(cell))
		dir = stats_take(cell);
	if (!dir)
		dir = stats_dir_create(cell, &cell->kobj, ALL_CPUS);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	cell->stats = dir;
	return cell_stats_move_cpus(&cell->cpus, cell);
}

void cell_stats_remove(struct cell *cell)
{
	if (is_root(cell))
		stats_keep(cell);
	cpu_stats_remove(cell);
	stats_dir_remove(&cell->stats);
}
