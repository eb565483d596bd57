// SPDX-License-Identifier: GPL-2.0-only
/* See hvcall.h for what this is and how to talk to it. */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

#include <jailhouse/hypercall.h>

#include "../compat.h"
#include "arch.h"

MODULE_DESCRIPTION("Hypercalls and accesses for tests of the Jailhouse hypervisor");
MODULE_LICENSE("GPL");

#define TIMEOUT		(3 * HZ)
#define CONFIG_MAX	(1U << 20)

/* Shared between the caller and the CPU that does it, which may never finish. */
struct job {
	struct kref refs;
	struct completion done;
	call_single_data_t csd;
	struct hvcall call;
	void *buffer;			/* CREATE */
	size_t buffer_size;
	void __iomem *mapping;		/* MMIO_* */
};

static int width_valid(const struct hvcall *call, unsigned int max)
{
	u64 width = call->arg[1];

	return width <= max && (width == 1 || width == 2 || width == 4 || width == 8);
}

/* --- The operations: interrupts off, on the chosen CPU --- */

static void do_hypercall(struct job *job)
{
	struct hvcall *call = &job->call;

	call->result = arch_hypercall(call->arg[0], call->arg[1], call->arg[2]);
}

static void do_create(struct job *job)
{
	job->call.result = arch_hypercall(JAILHOUSE_HC_CELL_CREATE,
					  virt_to_phys(job->buffer) + job->call.arg[2], 0);
}

static void do_create_at(struct job *job)
{
	job->call.result = arch_hypercall(JAILHOUSE_HC_CELL_CREATE, job->call.arg[0], 0);
}

static void do_mmio_read(struct job *job)
{
	struct hvcall *call = &job->call;

	if (call->arg[1] == 1)
		call->value = readb(job->mapping);
	else if (call->arg[1] == 2)
		call->value = readw(job->mapping);
	else if (call->arg[1] == 4)
		call->value = readl(job->mapping);
	else
		call->value = readq(job->mapping);
}

static void do_mmio_write(struct job *job)
{
	struct hvcall *call = &job->call;

	if (call->arg[1] == 1)
		writeb(call->arg[2], job->mapping);
	else if (call->arg[1] == 2)
		writew(call->arg[2], job->mapping);
	else if (call->arg[1] == 4)
		writel(call->arg[2], job->mapping);
	else
		writeq(call->arg[2], job->mapping);
}

static void (* const operations[HVCALL_NUM_OPS])(struct job *job) = {
	[HVCALL_OP_HYPERCALL] = do_hypercall,
	[HVCALL_OP_CREATE] = do_create,
	[HVCALL_OP_MMIO_READ] = do_mmio_read,
	[HVCALL_OP_MMIO_WRITE] = do_mmio_write,
	[HVCALL_OP_CREATE_AT] = do_create_at,
};

/* --- Jobs --- */

static void job_free(struct kref *refs)
{
	struct job *job = container_of(refs, struct job, refs);

	if (job->buffer)
		free_pages_exact(job->buffer, job->buffer_size);
	kfree(job);
}

static void job_run(void *info)
{
	struct job *job = info;

	if (operations[job->call.op])
		operations[job->call.op](job);
	else
		hvcall_arch_operation(job->call.op)(&job->call);
	complete(&job->done);
}

static int prepare_create(struct job *job)
{
	const struct hvcall *call = &job->call;
	u64 size = call->arg[1], offset = call->arg[2];

	if (size > CONFIG_MAX)
		return -E2BIG;
	if (offset >= PAGE_SIZE)
		return -EINVAL;
	job->buffer_size = PAGE_ALIGN(size + offset + 1);
	job->buffer = alloc_pages_exact(job->buffer_size, GFP_KERNEL | __GFP_ZERO);
	if (!job->buffer)
		return -ENOMEM;
	if (copy_from_user(job->buffer + offset, u64_to_user_ptr(call->arg[0]), size))
		return -EFAULT;
	return 0;
}

static int prepare_mmio(struct job *job)
{
	const struct hvcall *call = &job->call;

	if (!width_valid(call, 8))
		return -EINVAL;
	if (region_intersects(call->arg[0], call->arg[1], IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT)
		return -EPERM;
	job->mapping = ioremap(call->arg[0], call->arg[1]);
	return job->mapping ? 0 : -ENOMEM;
}

static int job_prepare(struct job *job)
{
	const struct hvcall *call = &job->call;

	if (call->op >= ARRAY_SIZE(operations) ||
	    (!operations[call->op] && !hvcall_arch_operation(call->op)))
		return -EINVAL;
	switch (call->op) {
	case HVCALL_OP_CREATE:
		return prepare_create(job);
	case HVCALL_OP_MMIO_READ:
	case HVCALL_OP_MMIO_WRITE:
		return prepare_mmio(job);
	case HVCALL_OP_IN:
	case HVCALL_OP_OUT:
		return width_valid(call, 4) ? 0 : -EINVAL;
	default:
		return 0;
	}
}

/* Not smp_call_function_single(): that would wait for ever, with preemption off. */
static int job_dispatch(struct job *job)
{
	int cpu = job->call.cpu, err;

	if (cpu < 0) {
		cpu = get_cpu();
		put_cpu();
	}
	if (cpu >= nr_cpu_ids)
		return -EINVAL;

	INIT_CSD(&job->csd, job_run, job);
	kref_get(&job->refs);		/* for the other CPU */
	cpus_read_lock();
	err = cpu_online(cpu) ? smp_call_function_single_async(cpu, &job->csd) : -EINVAL;
	cpus_read_unlock();
	if (err) {
		kref_put(&job->refs, job_free);
		return err;
	}
	if (!wait_for_completion_timeout(&job->done, TIMEOUT))
		return -ETIMEDOUT;	/* its reference stays: it may still come back */
	kref_put(&job->refs, job_free);
	return 0;
}

static long hvcall_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hvcall __user *user = (void __user *)arg;
	struct job *job;
	long err;

	BUILD_BUG_ON(HVCALL_RUN != 0xc0484a01);
	if (cmd != HVCALL_RUN)
		return -EINVAL;
	job = kzalloc(sizeof(*job), GFP_KERNEL);
	if (!job)
		return -ENOMEM;
	kref_init(&job->refs);
	init_completion(&job->done);

	err = -EFAULT;
	if (copy_from_user(&job->call, user, sizeof(job->call)))
		goto out;
	job->call.result = 0;
	job->call.value = 0;
	err = job_prepare(job);
	if (!err)
		err = job_dispatch(job);
	if (err == -ETIMEDOUT)
		goto out;		/* the mapping may still be in use */
	if (job->mapping)
		iounmap(job->mapping);
	if (!err && copy_to_user(user, &job->call, sizeof(job->call)))
		err = -EFAULT;
out:
	kref_put(&job->refs, job_free);
	return err;
}

static const struct file_operations hvcall_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = hvcall_ioctl,
};

static struct miscdevice hvcall_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "jailhouse-hvcall",
	.fops = &hvcall_fops,
};

module_misc_device(hvcall_misc);
