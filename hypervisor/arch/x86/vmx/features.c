// SPDX-License-Identifier: GPL-2.0-only
/* What this CPU's VMX can do, VMX operation on and off (SDM 3C, 23.7; 3D, appendix A). */
#include <core/cell.h>
#include <core/printk.h>
#include <arch/registers.h>
#include "vmx.h"

#define CPUID_1_ECX_VMX		(1U << 5)
#define FEATURE_CONTROL_ON	5U	/* locked, on outside SMX */

#define BASIC_REVISION		0x7fffffffULL
#define BASIC_TYPE(v)		(((v) >> 50) & 0xf)
#define BASIC_TYPE_WB		6
#define BASIC_TRUE_CONTROLS	(1ULL << 55)
#define MISC_HLT_ACTIVITY	(1ULL << 6)

struct vmx_features vmx_features;

static int check_enabled(void)
{
	u64 control;

	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX))
		return trace_error(-ENODEV);
	control = msr_read(MSR_FEATURE_CONTROL);
	if ((control & FEATURE_CONTROL_ON) != FEATURE_CONTROL_ON) {
		printk("ERROR: VT-x disabled by firmware (FEATURE_CONTROL 0x%llx)\n", control);
		return trace_error(-ENODEV);
	}
	return 0;
}

static int check_basic(u64 basic)
{
	if (!(basic & BASIC_TRUE_CONTROLS)) {
		printk("ERROR: VMX: missing: true controls\n");
		return -EIO;
	}
	if (BASIC_TYPE(basic) != BASIC_TYPE_WB) {
		printk("ERROR: VMX: missing: write-back VMCS\n");
		return -EIO;
	}
	return 0;
}

static int make_controls(struct vmx_controls *controls)
{
	const u64 caps[NUM_CONTROLS] = {
		[CONTROL_PIN] = msr_read(MSR_VMX_TRUE_PIN),
		[CONTROL_PRIMARY] = msr_read(MSR_VMX_TRUE_PRIMARY),
		[CONTROL_SECONDARY] = msr_read(MSR_VMX_SECONDARY),
		[CONTROL_EXIT] = msr_read(MSR_VMX_TRUE_EXIT),
		[CONTROL_ENTRY] = msr_read(MSR_VMX_TRUE_ENTRY),
	};
	int err = vmx_controls_make(controls, caps);

	/* Exists if there are secondary controls with EPT (SDM 3D, A.10). */
	return err ? err : vmx_ept_check(msr_read(MSR_VMX_EPT_VPID));
}

int vmx_features_get(struct vmx_features *features)
{
	u64 basic;
	int err = check_enabled();

	if (err)
		return err;
	basic = msr_read(MSR_VMX_BASIC);
	features->revision = basic & BASIC_REVISION;
	features->hlt_activity = msr_read(MSR_VMX_MISC) & MISC_HLT_ACTIVITY;
	err = check_basic(basic);
	if (!err)
		err = make_controls(&features->controls);
	return err ? trace_error(err) : 0;
}

/* --- On and off --------------------------------------------------------------- */

static bool vmxon(u64 region)
{
	bool failed;

	asm volatile("vmxon %1" : "=@ccbe" (failed) : "m" (region) : "memory");
	return !failed;
}

static bool vmclear(u64 vmcs)
{
	bool failed;

	asm volatile("vmclear %1" : "=@ccbe" (failed) : "m" (vmcs) : "memory");
	return !failed;
}

static bool vmptrld(u64 vmcs)
{
	bool failed;

	asm volatile("vmptrld %1" : "=@ccbe" (failed) : "m" (vmcs) : "memory");
	return !failed;
}

static bool register_allowed(u64 value, u32 fixed0, u32 fixed1)
{
	u64 ones = msr_read(fixed0), allowed = msr_read(fixed1);

	return !(ones & ~value) && !(value & ~allowed);
}

/* Of VMX operation itself, as Linux left them: NE is always on, VMXE is added here. */
static bool registers_allowed(void)
{
	return register_allowed(cr0_read(), MSR_VMX_CR0_FIXED0, MSR_VMX_CR0_FIXED1) &&
		register_allowed(cr4_read() | CR4_VMXE, MSR_VMX_CR4_FIXED0, MSR_VMX_CR4_FIXED1);
}

static bool load_vmcs(struct per_cpu *cpu)
{
	u64 vmcs = virt_to_hpa(cpu->arch.control_block).raw;

	return vmclear(vmcs) && vmptrld(vmcs);
}

int vmx_on(struct per_cpu *cpu)
{
	if (cpu->handover.cr4 & CR4_VMXE)
		return trace_error(-EBUSY);
	if (!registers_allowed()) {
		printk("ERROR: VMX does not allow CR0 0x%llx, CR4 0x%llx\n", cr0_read(),
		       cr4_read());
		return trace_error(-EIO);
	}
	cr4_write(cr4_read() | CR4_VMXE);
	*(u32 *)cpu->arch.host_state = vmx_features.revision;
	*(u32 *)cpu->arch.control_block = vmx_features.revision;
	if (!vmxon(virt_to_hpa(cpu->arch.host_state).raw)) {
		cr4_write(cr4_read() & ~CR4_VMXE);
		return trace_error(-EIO);
	}
	if (!load_vmcs(cpu)) {
		vmx_off(cpu);
		return trace_error(-EIO);
	}
	cpu->arch.vmcs_loaded = true;
	return 0;
}

/* An NMI meanwhile does no harm: it asks for no exit any more. */
void vmx_off(struct per_cpu *cpu)
{
	cpu->arch.vmcs_loaded = false;
	asm volatile("" : : : "memory");
	vmclear(virt_to_hpa(cpu->arch.control_block).raw);
	asm volatile("vmxoff" : : : "cc", "memory");
	cr4_write(cr4_read() & ~CR4_VMXE);
}
