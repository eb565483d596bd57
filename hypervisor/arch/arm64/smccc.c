// SPDX-License-Identifier: GPL-2.0-only
/*
 * SMC by a guest (Arm DEN 0028).  Nothing reaches the firmware but the
 * mitigations that it offers: who may call what is a list, not a filter.
 */
#include <core/cell.h>
#include <core/printk.h>
#include <arch/cpu.h>
#include <arch/exits.h>
#include <arch/firmware.h>
#include <arch/psci.h>
#include <arch/smccc.h>

static bool has_features;	/* the firmware knows SMCCC_ARCH_FEATURES */

/* Calls that old firmware does not know are not even possible everywhere: ask in order. */
void smccc_init(void)
{
	has_features = (s32)firmware_call(PSCI_VERSION, 0) >= 0x10000 &&
		(s32)firmware_call(PSCI_FEATURES, SMCCC_VERSION) >= 0 &&
		(s32)firmware_call(SMCCC_VERSION, 0) >= 0x10001;
}

static long arch_features(u32 function)
{
	switch (function) {
	case SMCCC_VERSION:
	case SMCCC_ARCH_FEATURES:
		return PSCI_SUCCESS;
	case SMCCC_WORKAROUND_1:
	case SMCCC_WORKAROUND_2:
		return has_features ? (s32)firmware_call(SMCCC_ARCH_FEATURES, function) :
			PSCI_NOT_SUPPORTED;
	default:
		return PSCI_NOT_SUPPORTED;
	}
}

static long arch_call(struct guest_regs *regs, u32 function, bool *handled)
{
	*handled = true;
	switch (function) {
	case SMCCC_VERSION:
		return 0x10001;
	case SMCCC_ARCH_FEATURES:
		return arch_features((u32)regs->x[1]);
	case SMCCC_WORKAROUND_1:
	case SMCCC_WORKAROUND_2:
		if (arch_features(function) >= 0)
			return firmware_call(function, regs->x[1]);
		break;
	}
	*handled = false;
	return 0;
}

static bool refuse(u32 function)
{
	panic_printk("FATAL: forbidden access (SMC 0x%08x), cell \"%s\", CPU %u\n", function,
		     cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}

static __cold bool other_call(struct guest_regs *regs, u32 function)
{
	bool handled = true;
	long result = PSCI_NOT_SUPPORTED;

	switch (SMCCC_OWNER(function)) {
	case SMCCC_OWNER_SIP:
		/* Linux' clock and firmware drivers spin when nobody answers (bugs.md A19). */
		CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_SMCCC);
		if (guest_line_allowed())
			printk("CPU %u: SiP call 0x%08x answered with \"not supported\"\n",
			       this_cpu()->cpu_id, function);
		break;
	case SMCCC_OWNER_ARCH:
		CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_SMCCC);
		result = arch_call(regs, function, &handled);
		break;
	default:
		if (function == PSCI_CPU_OFF_UBOOT || function == PSCI_CPU_ON_UBOOT)
			return psci_call(regs, function);
		handled = false;
	}
	if (!handled)
		return refuse(function);
	regs->x[0] = (u64)result;
	guest_skip_instruction(true);
	return true;
}

bool handle_smc(struct guest_regs *regs)
{
	u32 function = (u32)regs->x[0];

	return SMCCC_OWNER(function) == SMCCC_OWNER_STANDARD ? psci_call(regs, function) :
		other_call(regs, function);
}
