// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests of hang reports only: makes Linux hang in a known way, for ever.
 * Writing to /sys/module/deadlock/parameters/hang starts threads:
 *
 *	mutex	two of them take two mutexes in different orders
 *	spin	one, on the last CPU, takes a spinlock twice
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>

#include "../compat.h"

MODULE_DESCRIPTION("Deadlocks for tests of the Jailhouse hypervisor's harness");
MODULE_LICENSE("GPL");

static DEFINE_MUTEX(first_mutex);
static DEFINE_MUTEX(second_mutex);
static DEFINE_SPINLOCK(lonely_lock);

/* noinline: the tests look for these names in back traces. */
static noinline int first_then_second(void *unused)
{
	mutex_lock(&first_mutex);
	msleep(100);
	mutex_lock(&second_mutex);	/* never comes back */
	mutex_unlock(&second_mutex);
	mutex_unlock(&first_mutex);
	return 0;
}

static noinline int second_then_first(void *unused)
{
	mutex_lock(&second_mutex);
	msleep(100);
	mutex_lock(&first_mutex);	/* never comes back */
	mutex_unlock(&first_mutex);
	mutex_unlock(&second_mutex);
	return 0;
}

static noinline int lock_twice(void *unused)
{
	spin_lock(&lonely_lock);
	spin_lock(&lonely_lock);	/* never comes back, preemption is off */
	spin_unlock(&lonely_lock);
	spin_unlock(&lonely_lock);
	return 0;
}

static int thread_start(int (*body)(void *), const char *name, int on)
{
	struct task_struct *task = kthread_create(body, NULL, "%s", name);

	if (IS_ERR(task))
		return PTR_ERR(task);
	if (on >= 0)
		kthread_bind(task, on);
	wake_up_process(task);
	return 0;
}

static int hang_set(const char *word, const struct kernel_param *unused)
{
	int err;

	if (sysfs_streq(word, "spin"))
		return thread_start(lock_twice, "hang-spin", cpumask_last(cpu_online_mask));
	if (!sysfs_streq(word, "mutex"))
		return -EINVAL;
	err = thread_start(first_then_second, "hang-first", -1);
	return err ?: thread_start(second_then_first, "hang-second", -1);
}

static const struct kernel_param_ops hang_ops = { .set = hang_set };
module_param_cb(hang, &hang_ops, NULL, 0200);
