// SPDX-License-Identifier: GPL-2.0-only
/* From a running Linux to a running Linux in the root cell. */
#include "driver.h"

#include <linux/cpu.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>
#include <linux/uaccess.h>

static int report_config(enum config_verdict verdict)
{
	static const char * const reason[] = {
		[CONFIG_BAD_SIGNATURE] = "Not a system configuration",
		[CONFIG_BAD_REVISION] = "Configuration revision mismatch",
		[CONFIG_BAD_ARCHITECTURE] = "Configuration architecture mismatch",
		[CONFIG_BAD_CPU_SET] = "CPU set of the configuration is too large",
		[CONFIG_TRUNCATED] = "Configuration is truncated",
		[CONFIG_TOO_BIG] = "Configuration is too large",
	};

	if (verdict == CONFIG_OK)
		return 0;
	pr_err("%s\n", reason[verdict]);
	return -EINVAL;
}

/* The ioctl has no length: this is how a file that is too short shows. */
static int report_fault(void)
{
	pr_err("Configuration is truncated or not readable\n");
	return -EFAULT;
}

/* A checked copy in kernel memory, to be kvfree()d. */
static struct jailhouse_system *config_get(const struct jailhouse_system __user *arg, u64 *size)
{
	struct jailhouse_system header, *config;
	int err;

	if (copy_from_user(&header, arg, sizeof(header))) {
		pr_err("Configuration is shorter than a system configuration's header\n");
		return ERR_PTR(-EFAULT);
	}
	err = report_config(config_check_system_header(&header, ARCH_CONFIG, size));
	if (err)
		return ERR_PTR(err);

	config = kvmalloc(*size, GFP_KERNEL);
	if (!config)
		return ERR_PTR(-ENOMEM);
	/* Not the header again: it could have changed since it was checked. */
	memcpy(config, &header, sizeof(header));
	if (copy_from_user(config + 1, arg + 1, *size - sizeof(header))) {
		kvfree(config);
		return ERR_PTR(report_fault());
	}
	config->root_cell.name[JAILHOUSE_CELL_NAME_MAXLEN] = 0;
	return config;
}

/* abi 1.12: switch the UART's clock on. */
static int console_clock_enable(const struct jailhouse_console *console)
{
	void __iomem *reg;
	u32 value, bit;

	if (console->clock_reg == 0)
		return 0;
	if (console->gate_nr > 31 || !IS_ALIGNED(console->clock_reg, 4))
		return -EINVAL;

	reg = ioremap(console->clock_reg, sizeof(u32));
	if (!reg) {
		pr_err("cannot map the console's clock register\n");
		return -EINVAL;
	}
	bit = 1U << console->gate_nr;
	value = readl(reg);
	value = console->flags & JAILHOUSE_CON_INVERTED_GATE ? value & ~bit : value | bit;
	writel(value, reg);
	iounmap(reg);
	return 0;
}

/* Called with CPU hot-plug disabled. */
static int check_online_cpus(const struct cell *root)
{
	if (cpumask_equal(&root->cpus, cpu_online_mask))
		return 0;
	pr_err("root cell has CPUs %*pbl, but online are %*pbl\n",
	       cpumask_pr_args(&root->cpus), cpumask_pr_args(cpu_online_mask));
	return -EINVAL;
}

static atomic_t enter_error;

/* On every CPU, interrupts off. */
static int enter_this_cpu(void *unused)
{
	int err = arch_enter(smp_processor_id());

	if (err)
		atomic_cmpxchg(&enter_error, 0, err);
	return 0;
}

/*
 * stop_machine() and not an IPI: the CPUs wait for each other inside, so none
 * of them may hold a lock that another one spins on with interrupts off.
 */
static int enter_all_cpus(const struct cell *root)
{
	int err;

	/* Linux 6.1 and 6.12 don't export stop_machine_cpuslocked(): this keeps the count. */
	cpu_hotplug_disable();
	err = check_online_cpus(root);
	if (err)
		goto out;

	hypervisor_mem->online_cpus = num_online_cpus();
	arch_last_preparation();
	atomic_set(&enter_error, 0);
	down_write(&hypervisor_sem);
	err = stop_machine(enter_this_cpu, NULL, cpu_online_mask);
	if (!err)
		err = atomic_read(&enter_error);
	jailhouse_enabled = !err;
	up_write(&hypervisor_sem);
out:
	cpu_hotplug_enable();
	return err;
}

static int enter_hypervisor(const struct jailhouse_system *config, const struct cell *root)
{
	const struct jailhouse_memory *region = &config->hypervisor_memory;
	int err;

	console_init(config->flags & JAILHOUSE_SYS_VIRTUAL_DEBUG_CONSOLE);

	err = arch_prepare_entry(hypervisor_mem, region->phys_start, region->size);
	if (err)
		return err;
	err = enter_all_cpus(root);
	arch_finish_entry();
	if (err)
		console_keep();
	return err;
}

/* What can be said without touching anything. */
static int check_machine(const struct jailhouse_system *config, unsigned int *max_cpus)
{
	*max_cpus = cpu_set_limit(jailhouse_cell_cpu_set(&config->root_cell),
				  config->root_cell.cpu_set_size);
	if (*max_cpus == 0) {
		pr_err("root cell has no CPU\n");
		return -EINVAL;
	}
	if (*max_cpus > nr_cpu_ids) {
		pr_err("root cell: CPU %u does not exist\n", *max_cpus - 1);
		return -EINVAL;
	}
	return arch_check_cpus();
}

static int load_and_enter(struct jailhouse_system *config, u64 size, unsigned int max_cpus,
			  struct cell *root)
{
	int err;

	/* The previous image goes. */
	core_file_remove();
	hypervisor_mem_release();

	err = console_clock_enable(&config->debug_console);
	if (!err)
		err = hypervisor_mem_load(config, size, max_cpus);
	if (err)
		return err;

	err = enter_hypervisor(config, root);
	if (err) {
		hypervisor_mem_release();
		hypervisor_resource_release();
		return err;
	}
	core_file_add();
	return 0;
}

static int enable_root_cell(struct jailhouse_system *config, u64 size, unsigned int max_cpus)
{
	struct cell *root;
	int err;

	root = cell_alloc(&config->root_cell);
	if (IS_ERR(root))
		return PTR_ERR(root);
	root->id = 0;

	/* Wrong CPUs are refused again, and finally, when they can't change any more. */
	err = check_online_cpus(root);
	if (!err)
		err = load_and_enter(config, size, max_cpus, root);
	if (err) {
		cell_put(root);
		return err;
	}

	/* There is no way back that cannot fail: a missing sysfs tree is only a pity. */
	root_cell = root;
	if (cell_register(root))
		pr_warn("root cell does not appear in sysfs\n");
	return 0;
}

static int enable_locked(struct jailhouse_system *config, u64 size)
{
	unsigned int max_cpus;
	int err;

	if (jailhouse_enabled) {
		pr_err("already enabled\n");
		return -EBUSY;
	}
	err = check_machine(config, &max_cpus);
	if (!err)
		err = arch_fill_config(config);
	if (!err)
		err = enable_root_cell(config, size, max_cpus);
	return err;
}

int jailhouse_cmd_enable(const struct jailhouse_system __user *arg)
{
	struct jailhouse_system *config;
	u64 size;
	int err;

	if (!arch_firmware_name()) {
		pr_err("Missing or unsupported HVM technology\n");
		return -ENODEV;
	}
	config = config_get(arg, &size);
	if (IS_ERR(config))
		return PTR_ERR(config);

	err = mutex_lock_interruptible(&jailhouse_lock);
	if (err)
		goto out_free;
	/* The file that brought us here holds a reference, so this cannot fail. */
	__module_get(THIS_MODULE);
	err = enable_locked(config, size);
	if (err)
		module_put(THIS_MODULE);
	else
		pr_info("The Jailhouse is opening.\n");
	mutex_unlock(&jailhouse_lock);
out_free:
	kvfree(config);
	return err;
}
