// SPDX-License-Identifier: GPL-2.0-only
/*
 * PSCI 1.1 (Arm DEN 0022) for the CPUs of one cell.  CPUs are off in EL2; the
 * firmware learns of nothing but the end of the machine.
 */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <arch/cpu.h>
#include <arch/exits.h>
#include <arch/firmware.h>
#include <arch/irqchip.h>
#include <arch/psci.h>
#include <arch/sysregs.h>
#include <lib/spinlock.h>

/* How long CPU_ON waits for a target that is on its way into EL2 (decisions.md 20) */
#define PARKING_TIMEOUT_MS	1000

void psci_cpu_off(struct per_cpu *cpu)
{
	spin_lock(&cpu->arch.power_lock);
	cpu->arch.power = CPU_POWER_OFF;
	spin_unlock(&cpu->arch.power_lock);
}

bool psci_take_start(struct per_cpu *cpu)
{
	struct arch_percpu *arch = &cpu->arch;
	u64 entry, context;
	bool start;

	spin_lock(&arch->power_lock);
	start = arch->power == CPU_POWER_STARTING;
	entry = arch->start_entry;
	context = arch->start_context;
	if (start)
		arch->power = CPU_POWER_ON;
	spin_unlock(&arch->power_lock);
	if (!start)
		return false;
	irqchip_cpu_reset(cpu);
	guest_reset(guest_regs(), entry, context);
	return true;
}

static struct per_cpu *find_cpu(u64 mpidr)
{
	const struct cell *cell = this_cpu()->cell;
	int cpu;

	for_each_cpu(cpu, cell)
		if (per_cpu((unsigned int)cpu)->arch.mpidr == (mpidr & MPIDR_AFFINITY))
			return per_cpu((unsigned int)cpu);
	return NULL;
}

/* It was told to park or to reset and has not done so yet. */
static bool wait_until_parked(const struct per_cpu *cpu)
{
	u64 end = ticks_from_now(PARKING_TIMEOUT_MS);

	while (cpu->park_pending || cpu->reset_pending) {
		if ((s64)(arch_ticks() - end) > 0)
			return false;
		cpu_relax();
	}
	return true;
}

static bool start_cpu(struct per_cpu *cpu, u64 entry, u64 context)
{
	struct arch_percpu *arch = &cpu->arch;
	bool off;

	spin_lock(&arch->power_lock);
	off = arch->power == CPU_POWER_OFF && !cpu->failed;
	if (off) {
		arch->start_entry = entry;
		arch->start_context = context;
		arch->power = CPU_POWER_STARTING;
	}
	spin_unlock(&arch->power_lock);
	if (off)
		arch_cpu_kick(cpu);
	return off;
}

static long cpu_on(u64 mpidr, u64 entry, u64 context)
{
	struct per_cpu *cpu = find_cpu(mpidr);

	if (!cpu)
		return PSCI_DENIED;
	if (cpu == this_cpu() || !wait_until_parked(cpu) || !start_cpu(cpu, entry, context))
		return PSCI_ALREADY_ON;
	return PSCI_SUCCESS;
}

static long affinity_info(u64 mpidr, u64 level)
{
	const struct per_cpu *cpu = find_cpu(mpidr);

	if (level != 0)
		return PSCI_INVALID_PARAMETERS;
	if (!cpu)
		return PSCI_DENIED;
	if (cpu->park_pending)
		return PSCI_CPU_IS_OFF;
	return cpu->arch.power == CPU_POWER_OFF ? PSCI_CPU_IS_OFF : PSCI_CPU_IS_ON;
}

/* Any interrupt ends it, also one that the guest has masked; state is kept. */
static long suspend(void)
{
	/* Something for the guest is in a list register already: physical WFI knows nothing of it. */
	if (gic.ops->lr_empty() != (1ULL << gic.num_lrs) - 1)
		return PSCI_SUCCESS;
	wait_for_interrupt();
	return PSCI_SUCCESS;
}

static long features(u32 function)
{
	switch (function) {
	case PSCI_VERSION:
	case PSCI_CPU_SUSPEND:
	case PSCI_CPU_SUSPEND | PSCI_64:
	case PSCI_CPU_OFF:
	case PSCI_CPU_ON:
	case PSCI_CPU_ON | PSCI_64:
	case PSCI_AFFINITY_INFO:
	case PSCI_AFFINITY_INFO | PSCI_64:
	case PSCI_FEATURES:
	case SMCCC_VERSION:
		return PSCI_SUCCESS;
	default:
		return PSCI_NOT_SUPPORTED;
	}
}

static bool answer(struct guest_regs *regs, long result)
{
	regs->x[0] = (u64)result;
	/* The instruction is not skipped by the CPU (DDI 0487, D1.3.2). */
	guest_skip_instruction(true);
	return true;
}

/* Another life begins: no result, no next instruction. */
static bool cpu_off(void)
{
	psci_cpu_off(this_cpu());
	arm_handle_events();
	return true;
}

/*
 * The machine is the root cell's, as on x86: its panic or reboot must end it even if
 * a cell did not let the hypervisor go (bugs.md A4).  Nobody else's call gets through.
 */
static long system_end(u32 function)
{
	if (this_cpu()->cell != &root_cell)
		return PSCI_NOT_SUPPORTED;
	printk("Root cell %s the machine\n", function == PSCI_SYSTEM_OFF ? "switches off" : "resets");
	return firmware_call(function, 0);
}

/* The 32-bit calls take 32 bits of each argument (Arm DEN 0028, 2.6). */
static __cold bool call_about_cpus(struct guest_regs *regs, u32 function)
{
	u64 mask = function & PSCI_64 ? ~0ULL : 0xffffffffULL;
	u64 arg1 = regs->x[1] & mask, arg2 = regs->x[2] & mask, arg3 = regs->x[3] & mask;

	switch (function) {
	case PSCI_CPU_SUSPEND:
	case PSCI_CPU_SUSPEND | PSCI_64:
		return answer(regs, suspend());
	case PSCI_CPU_OFF:
	case PSCI_CPU_OFF_UBOOT:
		return cpu_off();
	case PSCI_CPU_ON:
	case PSCI_CPU_ON | PSCI_64:
	case PSCI_CPU_ON_UBOOT:
		return answer(regs, cpu_on(arg1, arg2, arg3));
	case PSCI_AFFINITY_INFO:
	case PSCI_AFFINITY_INFO | PSCI_64:
		return answer(regs, affinity_info(arg1, arg2));
	case PSCI_FEATURES:
		return answer(regs, features((u32)arg1));
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
		return answer(regs, system_end(function));
	default:
		return answer(regs, PSCI_NOT_SUPPORTED);
	}
}

bool psci_call(struct guest_regs *regs, u32 function)
{
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_PSCI);
	if (function == PSCI_VERSION)
		return answer(regs, PSCI_VERSION_1_1);
	return call_about_cpus(regs, function);
}
