// SPDX-License-Identifier: GPL-2.0-only
/* Can this machine, in the state in which Linux has it now, be entered? */
#include "../driver.h"
#include "hypercall.h"

#include <linux/of.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/sysreg.h>
#include <asm/virt.h>

/* No stub call, and no function identifier of SMCCC either. */
#define PROBE_CALL	0x1000

MODULE_FIRMWARE("jailhouse.bin");

const char * const arch_stat_names[] = {
	"vmexits_maintenance", "vmexits_virt_irq", "vmexits_virt_sgi", "vmexits_psci",
	"vmexits_smccc",
};
const unsigned int arch_num_stats = ARRAY_SIZE(arch_stat_names);

const char *arch_firmware_name(void)
{
	return "jailhouse.bin";
}

static bool has_el2(void)
{
	return cpuid_feature_extract_unsigned_field(read_cpuid(ID_AA64PFR0_EL1), 8) != 0;
}

static const struct of_device_id psci[] = {
	{ .compatible = "arm,psci" },
	{ .compatible = "arm,psci-0.2" },
	{ .compatible = "arm,psci-1.0" },
	{},
};

/*
 * "hvc": somebody else sits in EL2, whatever the CPU says it has.  The kernel
 * keeps to itself in which mode it was started.
 */
static bool psci_is_by_smc(void)
{
	struct device_node *node = of_find_matching_node(NULL, psci);
	const char *method = NULL;
	bool smc;

	of_property_read_string(node, "method", &method);
	smc = method && strcmp(method, "smc") == 0;
	of_node_put(node);
	return smc;
}

/* Bits: what at least one CPU has found. */
#define STUB_REPLACED	0
static unsigned long found_problems;

/* On every CPU: KVM's vectors answer otherwise than Linux' stub. */
static void probe_stub(void *unused)
{
	register u64 x0 asm("x0") = PROBE_CALL;

	asm volatile("hvc #0"
		     : "+r" (x0)
		     : : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
			 "x12", "x13", "x14", "x15", "x16", "x17", "memory");
	if (x0 != STUB_UNKNOWN)
		set_bit(STUB_REPLACED, &found_problems);
}

int arch_check_cpus(void)
{
	if (is_kernel_in_hyp_mode()) {
		pr_err("the kernel runs in EL2 (VHE), which leaves no room for a hypervisor: boot with "
		       "id_aa64mmfr1.vh=0 kvm-arm.mode=none\n");
		return -ENODEV;
	}
	if (!has_el2()) {
		pr_err("HYP mode not available: the CPUs have no EL2\n");
		return -ENODEV;
	}
	if (!psci_is_by_smc()) {
		pr_err("HYP mode not available: no PSCI firmware that is called by SMC, so the kernel "
		       "was not started in EL2\n");
		return -ENODEV;
	}
	found_problems = 0;
	on_each_cpu(probe_stub, NULL, 1);
	if (test_bit(STUB_REPLACED, &found_problems)) {
		pr_err("EL2 is in use by KVM: boot with kvm-arm.mode=none\n");
		return -ENODEV;
	}
	return 0;
}

/* Nothing is measured: CNTFRQ_EL0 says what there is to know. */
int arch_fill_config(struct jailhouse_system *config)
{
	return 0;
}
