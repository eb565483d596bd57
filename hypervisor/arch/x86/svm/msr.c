// SPDX-License-Identifier: GPL-2.0-only
/* Model-specific registers of AMD (decisions.md 8); common ones: arch/x86/msr.c. */
#include <arch/msr.h>
#include <arch/registers.h>
#include <arch/vcpu.h>

const struct msr_rule vendor_msr_rules[] = {
	{ 0xc0000080, 0xc0000080, { MSR_PASS, MSR_EMULATE, MSR_PASS, MSR_EMULATE } },
	/* TSC ratio: of the hypervisor */
	{ 0xc0000104, 0xc0000104, { MSR_PASS, MSR_GP, MSR_PASS, MSR_FATAL } },
	/* SYSCFG */
	{ 0xc0010010, 0xc0010010, { MSR_PASS, MSR_GP, MSR_PASS, MSR_FATAL } },
	/* HWCR: Linux sets performance bits on every CPU it brings online. */
	{ 0xc0010015, 0xc0010015, { MSR_PASS, MSR_PASS, MSR_PASS, MSR_IGNORE } },
	/* IORRs, TOP_MEM, TOM2: the machine's memory map */
	{ 0xc0010016, 0xc001001f, { MSR_PASS, MSR_GP, MSR_PASS, MSR_FATAL } },
	/* Microcode patch loader */
	{ 0xc0010020, 0xc0010020, { MSR_PASS, MSR_GP, MSR_PASS, MSR_FATAL } },
	/* I/O traps, MMIO configuration base */
	{ 0xc0010050, 0xc0010058, { MSR_PASS, MSR_GP, MSR_PASS, MSR_FATAL } },
	/* P-states and C-states belong to who manages power. */
	{ 0xc0010061, 0xc001006f, { MSR_PASS, MSR_PASS, MSR_PASS, MSR_IGNORE } },
	{ 0xc0010073, 0xc0010073, { MSR_PASS, MSR_PASS, MSR_PASS, MSR_IGNORE } },
	/* SMM base, address and mask */
	{ 0xc0010111, 0xc0010113, { MSR_PASS, MSR_GP, MSR_PASS, MSR_FATAL } },
	/* VM_CR: the real value; told "disabled", 6.12 warns whenever a CPU comes back. */
	{ 0xc0010114, 0xc0010114, { MSR_NATIVE, MSR_GP, MSR_GP, MSR_FATAL } },
	/* IGNNE, SMM control */
	{ 0xc0010115, 0xc0010116, { MSR_GP, MSR_GP, MSR_GP, MSR_FATAL } },
	/* VM_HSAVE_PA: Linux clears it on its way to a reboot. */
	{ 0xc0010117, 0xc0010117, { MSR_GP, MSR_EMULATE, MSR_GP, MSR_FATAL } },
	/* keys, doorbell */
	{ 0xc0010118, 0xc001011b, { MSR_GP, MSR_GP, MSR_GP, MSR_FATAL } },
	/* Core configuration: shared between threads, errata work-arounds */
	{ 0xc0011000, 0xc001102f, { MSR_PASS, MSR_PASS, MSR_PASS, MSR_IGNORE } },
	/* Scalable MCA banks: beyond the bitmaps, harmless for root (bugs.md A31) */
	{ 0xc0002000, 0xc0002fff, { MSR_NATIVE, MSR_NATIVE, MSR_GP, MSR_GP } },
};
const unsigned int vendor_num_msr_rules = ARRAY_SIZE(vendor_msr_rules);

static bool efer_write(struct guest_regs *regs)
{
	if (!vcpu_set_efer(msr_operand(regs)))
		return msr_inject_gp();
	msr_done();
	return true;
}

/* Ours.  Clearing it is harmless; setting it is how a KVM in root finds out. */
static bool hsave_pa_write(struct guest_regs *regs)
{
	if ((u32)regs->rax || (u32)regs->rdx)
		return msr_inject_gp();
	msr_done();
	return true;
}

const struct msr_emulation vendor_msr_emulations[] = {
	{ MSR_EFER, true, efer_write },
	{ MSR_VM_HSAVE_PA, true, hsave_pa_write },
};
const unsigned int vendor_num_msr_emulations = ARRAY_SIZE(vendor_msr_emulations);
