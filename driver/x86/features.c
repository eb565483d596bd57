// SPDX-License-Identifier: GPL-2.0-only
/* Can this machine, in the state in which Linux has it now, be entered? */
#include "../driver.h"

#include <linux/cc_platform.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>

#include "stub.h"

#define CPUID_SVM	BIT(2)		/* 0x80000001.ECX, APM 3 E.4.2 */
#define CPUID_VMX	BIT(5)		/* 1.ECX */
#define VM_CR_SVMDIS	BIT(4)		/* APM 2 15.30.1 */
#define VM_CR_MSR	0xc0010114

#ifndef X86_CR4_CET
#define X86_CR4_CET	BIT(23)
#endif

MODULE_FIRMWARE("jailhouse-amd.bin");
MODULE_FIRMWARE("jailhouse-intel.bin");

const char * const arch_stat_names[] = {
	"vmexits_pio", "vmexits_xapic", "vmexits_cr", "vmexits_cpuid", "vmexits_xsetbv",
	"vmexits_exception", "vmexits_msr_other", "vmexits_msr_x2apic_icr",
};
const unsigned int arch_num_stats = ARRAY_SIZE(arch_stat_names);

/* Raw CPUID: newer kernels hide SVM when the firmware has locked it, which is another error. */
static bool has_svm(void)
{
	return cpuid_eax(0x80000000) >= 0x80000001 && cpuid_ecx(0x80000001) & CPUID_SVM;
}

static bool has_vmx(void)
{
	return cpuid_ecx(1) & CPUID_VMX;
}

/* SVM first (abi.md 2.2). */
bool arch_uses_vmx(void)
{
	return has_vmx() && !has_svm();
}

const char *arch_firmware_name(void)
{
	if (has_svm())
		return "jailhouse-amd.bin";
	if (has_vmx())
		return "jailhouse-intel.bin";
	return NULL;
}

/* Bits: what at least one CPU has found. */
enum cpu_problem {
	VIRT_MISSING,
	SVM_LOCKED,
	VMX_DISABLED,
	VIRT_IN_USE,
	LA57_ON,
	CET_ON,
	NUM_PROBLEMS
};

static const struct {
	int error;
	const char *text;
} problems[NUM_PROBLEMS] = {
	[VIRT_MISSING] = { -ENODEV, "Missing or unsupported HVM technology" },
	[SVM_LOCKED] = { -EPERM, "SVM is disabled and locked by the firmware (VM_CR.SVMDIS)" },
	[VMX_DISABLED] = { -ENODEV, "VT-x disabled by Firmware/BIOS" },
	[VIRT_IN_USE] = { -EBUSY, "virtualisation is in use already: unload kvm_amd/kvm_intel, "
			  "or boot with kvm.enable_virt_at_load=0" },
	[LA57_ON] = { -EIO, "5-level paging (CR4.LA57) is on, which is not supported: "
		      "boot with no5lvl" },
	[CET_ON] = { -EIO, "control-flow enforcement (CR4.CET) is on, which is not supported: "
		     "boot with ibt=off nousershstk" },
};

static unsigned long found_problems;

static bool svm_locked(void)
{
	u64 vm_cr = 0;

	return rdmsrl_safe(VM_CR_MSR, &vm_cr) == 0 && vm_cr & VM_CR_SVMDIS;
}

/* Linux itself enables and locks it at boot where the firmware has left that open. */
static bool vmx_disabled(void)
{
	const u64 on = FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX;
	u64 control = 0;

	rdmsrl_safe(MSR_IA32_FEAT_CTL, &control);
	return (control & on) != on;
}

/* On every CPU. */
static void check_this_cpu(void *unused)
{
	unsigned long cr4 = __read_cr4();
	u64 efer = 0;

	rdmsrl_safe(MSR_EFER, &efer);
	if (cr4 & X86_CR4_VMXE || efer & EFER_SVME)
		set_bit(VIRT_IN_USE, &found_problems);
	if (cr4 & X86_CR4_LA57)
		set_bit(LA57_ON, &found_problems);
	if (cr4 & X86_CR4_CET)
		set_bit(CET_ON, &found_problems);
	if (!has_svm() && !has_vmx())
		set_bit(VIRT_MISSING, &found_problems);
	if (has_svm() && svm_locked())
		set_bit(SVM_LOCKED, &found_problems);
	if (arch_uses_vmx() && vmx_disabled())
		set_bit(VMX_DISABLED, &found_problems);
}

int arch_check_cpus(void)
{
	unsigned int n;

	found_problems = 0;
	on_each_cpu(check_this_cpu, NULL, 1);
	for (n = 0; n < NUM_PROBLEMS; n++) {
		if (!test_bit(n, &found_problems))
			continue;
		pr_err("%s\n", problems[n].text);
		return problems[n].error;
	}
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT)) {
		pr_err("memory encryption is on, which is not supported: boot with mem_encrypt=off\n");
		return -EIO;
	}
	return 0;
}
