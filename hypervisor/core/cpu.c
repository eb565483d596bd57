// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking CPUs out of the guest.  The requester sets suspend_requested and
 * kicks; the target spins in cpu_handle_events() until the request is gone.
 * Both sides decide under control_lock, so that a request which comes while
 * the target is leaving finds it either still suspended or truly running.
 */
#include <core/boot.h>
#include <core/cell.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <core/sections.h>
#include <arch/cpu.h>
#include <arch/paging.h>
#include <lib/bitmap.h>
#include <lib/spinlock.h>

/* A CPU that has not left the guest after this time is broken. Emulators get starved. */
#define SUSPEND_TIMEOUT_MS	10000
/* As long as the architecture has not measured its clock. */
#define ASSUMED_TICKS_PER_MS	4000000

struct per_cpu *per_cpu(unsigned int cpu)
{
	return (struct per_cpu *)(__image_start + hypervisor_header.core_size +
				  cpu * hypervisor_header.percpu_size);
}

u64 ticks_from_now(u64 ms)
{
	u64 per_ms = arch_ticks_per_ms();

	return arch_ticks() + ms * (per_ms ? per_ms : ASSUMED_TICKS_PER_MS);
}

/* --- Sets of CPUs ------------------------------------------------------------ */

bool cell_owns_cpu(const struct cell *cell, unsigned int cpu)
{
	return cpu < hypervisor_header.max_cpus && bitmap_test(cell->cpus, cpu);
}

bool cpu_set_test(const struct cell *cell, unsigned int cpu)
{
	return cell_owns_cpu(cell, cpu);
}

int cell_next_cpu(const struct cell *cell, int after)
{
	unsigned long max = hypervisor_header.max_cpus;
	unsigned long cpu = bitmap_next_set(cell->cpus, max, (unsigned long)(after + 1));

	return cpu < max ? (int)cpu : -1;
}

/* --- Requester ---------------------------------------------------------------- */

static bool wait_until_suspended(const struct per_cpu *cpu)
{
	u64 end = ticks_from_now(SUSPEND_TIMEOUT_MS);

	while (!cpu->suspended) {
		if ((s64)(arch_ticks() - end) > 0)
			return false;
		cpu_relax();
	}
	return true;
}

int cpu_suspend(struct per_cpu *cpu)
{
	bool running;

	spin_lock(&cpu->control_lock);
	cpu->suspend_requested = true;
	running = !cpu->suspended;
	spin_unlock(&cpu->control_lock);

	if (!running)
		return 0;
	arch_cpu_kick(cpu);
	if (wait_until_suspended(cpu))
		return 0;

	cpu_resume(cpu);
	printk("WARNING: CPU %u (cell \"%s\") does not leave the guest\n", cpu->cpu_id,
	       cell_name(cpu->cell));
	return trace_error(-EBUSY);
}

void cpu_resume(struct per_cpu *cpu)
{
	spin_lock(&cpu->control_lock);
	cpu->suspend_requested = false;
	spin_unlock(&cpu->control_lock);
}

void cpu_request_park(struct per_cpu *cpu)
{
	arch_cpu_forget_signals(cpu);
	spin_lock(&cpu->control_lock);
	cpu->park_pending = true;
	cpu->reset_pending = false;
	spin_unlock(&cpu->control_lock);
}

void cpu_request_reset(struct per_cpu *cpu)
{
	arch_cpu_forget_signals(cpu);
	spin_lock(&cpu->control_lock);
	cpu->reset_pending = true;
	cpu->park_pending = false;
	spin_unlock(&cpu->control_lock);
}

void cpu_request_flush(struct per_cpu *cpu)
{
	spin_lock(&cpu->control_lock);
	cpu->flush_pending = true;
	spin_unlock(&cpu->control_lock);
}

/* --- Target ------------------------------------------------------------------- */

/* Called and returns with control_lock held. */
static void spin_while_suspended(struct per_cpu *cpu)
{
	while (cpu->suspend_requested) {
		cpu->suspended = true;
		spin_unlock(&cpu->control_lock);
		while (cpu->suspend_requested)
			cpu_relax();
		spin_lock(&cpu->control_lock);
	}
	cpu->suspended = false;
}

enum cpu_action cpu_handle_events(void)
{
	struct per_cpu *cpu = this_cpu();
	enum cpu_action action = CPU_CONTINUE;
	bool flush;

	spin_lock(&cpu->control_lock);
	spin_while_suspended(cpu);
	if (cpu->reset_pending)
		action = CPU_RESET;
	else if (cpu->park_pending)
		action = CPU_PARK;
	flush = cpu->flush_pending;
	cpu->reset_pending = cpu->park_pending = cpu->flush_pending = false;
	spin_unlock(&cpu->control_lock);

	if (flush) {
		arch_hv_tlb_flush();
		arch_flush_stage2();
	}
	return action;
}

void cpu_mark_failed(void)
{
	struct cell *cell = this_cpu()->cell;
	int cpu;

	this_cpu()->failed = true;
	for_each_cpu(cpu, cell)
		if (!per_cpu((unsigned int)cpu)->failed)
			return;
	cell->comm_page->cell_state = JAILHOUSE_CELL_FAILED;
}
