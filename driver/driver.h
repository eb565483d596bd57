/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of this module share. */
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H

#define pr_fmt(fmt) "jailhouse: " fmt

#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/types.h>

#include <jailhouse/cell-config.h>
#include <jailhouse/hypercall.h>
#include <jailhouse/image.h>

#include "arch.h"
#include "compat.h"
#include "config_check.h"
#include "jailhouse.h"

struct claimed_device {
	struct jailhouse_pci_device config;
	struct pci_dev *pdev;	/* NULL: not claimed */
};

struct stats_dir;

struct cell {
	struct kobject kobj;		/* cells/<id> */
	struct stats_dir *stats;	/* cells/<id>/statistics */
	struct list_head entry;		/* in cells; the root cell is the first */
	int id;
	char name[JAILHOUSE_CELL_NAME_MAXLEN + 1];
	cpumask_t cpus;			/* assigned */
	cpumask_t offlined;		/* those that we took offline */
	u32 num_memory_regions;
	struct jailhouse_memory *memory_regions;
	u32 num_devices;
	struct claimed_device *devices;
};

/*
 * jailhouse_lock serialises management. hypervisor_sem: held for reading
 * around hypercalls (then jailhouse_enabled cannot change), for writing while
 * the hypervisor is entered and left. Order: jailhouse_lock, hypervisor_sem.
 * Readers of sysfs take hypervisor_sem only, so that files can be removed
 * under jailhouse_lock.
 */
extern struct mutex jailhouse_lock;
extern struct rw_semaphore hypervisor_sem;
extern bool jailhouse_enabled;
extern struct cell *root_cell;
extern struct list_head cells;

/*
 * The hypervisor's memory; valid while hypervisor_mem is not NULL. While it is
 * enabled Linux reads zeroes there, except for the log page: what is needed
 * then was taken out of the header before.
 */
extern struct jailhouse_image_header *hypervisor_mem;
extern const struct jailhouse_virt_console *hypervisor_log;
extern size_t hypervisor_core_size;
extern struct resource *hypervisor_resource;

/* The device node; what firmware is loaded for. */
extern struct device *jailhouse_device;

/* CPUs that Linux must not bring online; read by the hot-plug callback. */
extern cpumask_t cpus_in_cells;

/* A hypercall if there is a hypervisor, else -ENODEV. Takes hypervisor_sem. */
long hypervisor_call(u32 code, unsigned long arg1, unsigned long arg2);

/* enable.c, disable.c: ioctls, and the notifier's use of disable */
int jailhouse_cmd_enable(const struct jailhouse_system __user *arg);
int jailhouse_cmd_disable(void);
void hypervisor_mem_release(void);

/* memory.c: image and configuration in the hypervisor's memory */
int hypervisor_mem_load(const struct jailhouse_system *config, u64 config_size,
			unsigned int max_cpus);
void hypervisor_resource_release(void);

/* cell.c: ioctls; the caller of the others holds jailhouse_lock */
int jailhouse_cmd_cell_create(const struct jailhouse_cell_create __user *arg);
int jailhouse_cmd_cell_start(const struct jailhouse_cell_id __user *arg);
int jailhouse_cmd_cell_destroy(const struct jailhouse_cell_id __user *arg);
struct cell *cell_alloc(const struct jailhouse_cell_desc *desc);
int cell_register(struct cell *cell);
void cell_unregister(struct cell *cell);
void cell_put(struct cell *cell);
void cell_free(struct cell *cell);
int cell_destroy(struct cell *cell);
int cell_get(const struct jailhouse_cell_id __user *arg, struct cell **cell);

/* load.c */
int jailhouse_cmd_cell_load(const struct jailhouse_cell_load __user *arg);

/* pci.c */
int pci_register_stub(void);
void pci_unregister_stub(void);
int cell_pci_init(struct cell *cell, const struct jailhouse_cell_desc *desc);
void cell_pci_claim(struct cell *cell);
void cell_pci_release(struct cell *cell);

/* sysfs.c */
int sysfs_init(void);
void sysfs_exit(void);
int cell_sysfs_add(struct cell *cell);
void cell_sysfs_remove(struct cell *cell);
void core_file_add(void);
void core_file_remove(void);
extern struct kobject *cells_dir;
extern const struct kobj_type cell_ktype;

/* statistics.c */
void stats_init(void);
void stats_exit(void);
int cell_stats_add(struct cell *cell);
void cell_stats_remove(struct cell *cell);
/* The directories of these CPUs now belong to that cell. */
int cell_stats_move_cpus(const struct cpumask *cpus, struct cell *to);

/* console.c */
void console_init(bool readable);
void console_keep(void);
ssize_t console_show_all(char *buffer);
ssize_t jailhouse_console_read(struct file *file, char __user *out, size_t size, loff_t *off);
int jailhouse_console_open(struct inode *inode, struct file *file);
int jailhouse_console_release(struct inode *inode, struct file *file);

#endif
