// SPDX-License-Identifier: GPL-2.0-only
/* Hypercalls (abi.md 3.3): who may call what, in the order of checks that callers see. */
#include <core/boot.h>
#include <core/cell_internal.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <lib/bitmap.h>

#define VALUE_MASK	0x7fffffffUL	/* values share the return with negative errors */

static long info_get(unsigned long type)
{
	struct cell *cell;
	long count = 0;

	switch (type) {
	case JAILHOUSE_INFO_MEM_POOL_SIZE:
		return (long)mem_pool.pages;
	case JAILHOUSE_INFO_MEM_POOL_USED:
		return (long)mem_pool.used;
	case JAILHOUSE_INFO_REMAP_POOL_SIZE:
		return (long)remap_pool.pages;
	case JAILHOUSE_INFO_REMAP_POOL_USED:
		return (long)remap_pool.used;
	case JAILHOUSE_INFO_NUM_CELLS:
		for_each_cell(cell)
			count++;
		return count;
	default:
		return -EINVAL;
	}
}

/* In the root configuration's set, whoever owns it now. */
static bool cpu_exists(unsigned long cpu)
{
	const struct jailhouse_cell_desc *desc = &system_config->root_cell;

	return cpu < hypervisor_header.max_cpus && cpu < desc->cpu_set_size * 8UL &&
		(jailhouse_cell_cpu_set(desc)[cpu / 8] & (1 << (cpu % 8)));
}

static __cold long cpu_info_get(unsigned long cpu_id, unsigned long type)
{
	const struct cell *caller = this_cpu()->cell;
	const struct per_cpu *cpu;

	if (!cpu_exists(cpu_id))
		return -EINVAL;
	cpu = per_cpu((unsigned int)cpu_id);
	if (caller != &root_cell && cpu->cell != caller)
		return -EPERM;
	if (type == JAILHOUSE_CPU_INFO_STATE)
		return cpu->failed ? JAILHOUSE_CPU_FAILED : JAILHOUSE_CPU_RUNNING;
	if (type >= JAILHOUSE_CPU_INFO_STAT_BASE &&
	    type - JAILHOUSE_CPU_INFO_STAT_BASE < NUM_CPU_STATS)
		return (long)(cpu->stats[type - JAILHOUSE_CPU_INFO_STAT_BASE] & VALUE_MASK);
	return -EINVAL;
}

static long putc_allowed(char c)
{
	if (!(this_cpu()->cell->config->flags & JAILHOUSE_CELL_VIRTUAL_CONSOLE_PERMITTED))
		return trace_error(-EPERM);
	console_putc(c);
	return 0;
}

static __cold long root_call(unsigned long code, unsigned long arg1)
{
	if (this_cpu()->cell != &root_cell)
		return -EPERM;
	switch (code) {
	case JAILHOUSE_HC_DISABLE:
		return hypervisor_disable();
	case JAILHOUSE_HC_CELL_CREATE:
		return cell_create(gpa(arg1));
	case JAILHOUSE_HC_CELL_START:
		return cell_start((unsigned int)arg1);
	case JAILHOUSE_HC_CELL_SET_LOADABLE:
		return cell_set_loadable((unsigned int)arg1);
	case JAILHOUSE_HC_CELL_DESTROY:
		return cell_destroy((unsigned int)arg1);
	default:
		return cell_get_state((unsigned int)arg1);
	}
}

long hypercall(unsigned long code, unsigned long arg1, unsigned long arg2)
{
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_HYPERCALL);

	switch (code) {
	case JAILHOUSE_HC_DISABLE ... JAILHOUSE_HC_CELL_DESTROY:
	case JAILHOUSE_HC_CELL_GET_STATE:
		return root_call(code, arg1);
	case JAILHOUSE_HC_HYPERVISOR_GET_INFO:
		return info_get(arg1);
	case JAILHOUSE_HC_CPU_GET_INFO:
		return cpu_info_get(arg1, arg2);
	case JAILHOUSE_HC_DEBUG_CONSOLE_PUTC:
		return putc_allowed((char)arg1);
	default:
		return -ENOSYS;
	}
}
