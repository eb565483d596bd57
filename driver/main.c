// SPDX-License-Identifier: GPL-2.0-only
/* The module: device node, notifiers, and the way to a hypercall. */
#include "driver.h"

#include <linux/cpuhotplug.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

MODULE_DESCRIPTION("Loader of and interface to the Jailhouse partitioning hypervisor");
MODULE_LICENSE("GPL");
MODULE_VERSION(JAILHOUSE_VERSION);

DEFINE_MUTEX(jailhouse_lock);
DECLARE_RWSEM(hypervisor_sem);
bool jailhouse_enabled;
struct device *jailhouse_device;

long hypervisor_call(u32 code, unsigned long arg1, unsigned long arg2)
{
	long result = -ENODEV;

	down_read(&hypervisor_sem);
	if (jailhouse_enabled)
		result = arch_hypercall(code, arg1, arg2);
	up_read(&hypervisor_sem);
	return result;
}

static long jailhouse_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case JAILHOUSE_ENABLE:
		return jailhouse_cmd_enable(user);
	case JAILHOUSE_DISABLE:
		return jailhouse_cmd_disable();
	case JAILHOUSE_CELL_CREATE:
		return jailhouse_cmd_cell_create(user);
	case JAILHOUSE_CELL_LOAD:
		return jailhouse_cmd_cell_load(user);
	case JAILHOUSE_CELL_START:
		return jailhouse_cmd_cell_start(user);
	case JAILHOUSE_CELL_DESTROY:
		return jailhouse_cmd_cell_destroy(user);
	default:
		return -EINVAL;
	}
}

static const struct file_operations jailhouse_fops = {
	.owner = THIS_MODULE,
	.open = jailhouse_console_open,
	.release = jailhouse_console_release,
	.read = jailhouse_console_read,
	.unlocked_ioctl = jailhouse_ioctl,
	.compat_ioctl = jailhouse_ioctl,
};

static struct miscdevice jailhouse_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "jailhouse",
	.fops = &jailhouse_fops,
};

/* Runs before anything is done for the CPU. Takes no lock: create waits for hot-plug. */
static int cpu_prepare(unsigned int cpu)
{
	if (!cpumask_test_cpu(cpu, &cpus_in_cells))
		return 0;
	pr_err("CPU %u belongs to a cell\n", cpu);
	return -EBUSY;
}

static int on_reboot(struct notifier_block *block, unsigned long action, void *data)
{
	int err = jailhouse_cmd_disable();

	if (err && err != -EINVAL)
		pr_emerg("ordered shutdown failed!\n");
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = on_reboot };

static int on_power(struct notifier_block *block, unsigned long action, void *data)
{
	if (action != PM_SUSPEND_PREPARE && action != PM_HIBERNATION_PREPARE)
		return NOTIFY_DONE;
	if (!READ_ONCE(jailhouse_enabled))
		return NOTIFY_DONE;
	pr_err("suspend is not possible while enabled\n");
	return notifier_from_errno(-EBUSY);
}

static struct notifier_block power_notifier = { .notifier_call = on_power };

static int hotplug_state;

static int notifiers_register(void)
{
	int err;

	hotplug_state = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "jailhouse:prepare",
						  cpu_prepare, NULL);
	if (hotplug_state < 0)
		return hotplug_state;
	err = register_pm_notifier(&power_notifier);
	if (err)
		goto out_hotplug;
	err = register_reboot_notifier(&reboot_notifier);
	if (err)
		goto out_power;
	return 0;

out_power:
	unregister_pm_notifier(&power_notifier);
out_hotplug:
	cpuhp_remove_state_nocalls(hotplug_state);
	return err;
}

static void notifiers_unregister(void)
{
	unregister_reboot_notifier(&reboot_notifier);
	unregister_pm_notifier(&power_notifier);
	cpuhp_remove_state_nocalls(hotplug_state);
}

static int __init jailhouse_init(void)
{
	int err;

	err = sysfs_init();
	if (err)
		return err;
	err = pci_register_stub();
	if (err)
		goto out_sysfs;
	err = notifiers_register();
	if (err)
		goto out_pci;
	err = misc_register(&jailhouse_misc);
	if (err)
		goto out_notifiers;
	jailhouse_device = jailhouse_misc.this_device;
	return 0;

out_notifiers:
	notifiers_unregister();
out_pci:
	pci_unregister_stub();
out_sysfs:
	sysfs_exit();
	return err;
}

/* Only while disabled: being enabled holds a reference. */
static void __exit jailhouse_exit(void)
{
	misc_deregister(&jailhouse_misc);
	notifiers_unregister();
	pci_unregister_stub();
	sysfs_exit();
	hypervisor_mem_release();
}

module_init(jailhouse_init);
module_exit(jailhouse_exit);
