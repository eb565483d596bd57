// SPDX-License-Identifier: GPL-2.0-only
/*
 * Model-specific registers: one table says for each range what root and other
 * cells may do (abi.md 7.4, decisions.md 8).  The bitmaps of the control block
 * follow from it.  Registers that no range names are direct where a bitmap can
 * say so; beyond the bitmaps they do not exist for guests (#GP).
 */
#include <core/cell.h>
#include <core/printk.h>
#include <arch/apic.h>
#include <arch/msr.h>
#include <arch/registers.h>
#include <arch/vcpu.h>

#define MSR_INSN_LENGTH		2

#define PASS	MSR_PASS
#define NATIVE	MSR_NATIVE
#define GP	MSR_GP
#define IGNORE	MSR_IGNORE
#define FATAL	MSR_FATAL
#define EMULATE	MSR_EMULATE

/* First match counts. Columns: root read, root write, cell read, cell write. */
static const struct msr_rule {
	u32 first, last;
	u8 action[4];
} rules[] = {
	/* Mode and address of the local APIC are fixed. */
	{ 0x01b, 0x01b, { PASS, FATAL, PASS, FATAL } },
	/* Microcode update (Intel's number) */
	{ 0x079, 0x079, { GP, GP, GP, FATAL } },
	/* Variable and fixed MTRRs describe the whole machine. */
	{ 0x200, 0x276, { PASS, FATAL, PASS, FATAL } },
	{ 0x277, 0x277, { EMULATE, EMULATE, EMULATE, EMULATE } },
	{ 0x2ff, 0x2ff, { PASS, EMULATE, PASS, EMULATE } },
	/* Intel PT writes to physical addresses. */
	{ 0x560, 0x58f, { GP, GP, GP, FATAL } },
	{ 0x800, 0x82f, { MSR_X2APIC, MSR_X2APIC, MSR_X2APIC, MSR_X2APIC } },
	{ 0x830, 0x830, { MSR_X2APIC, EMULATE, MSR_X2APIC, EMULATE } },
	{ 0x831, 0x83f, { MSR_X2APIC, MSR_X2APIC, MSR_X2APIC, MSR_X2APIC } },
	{ 0xc0000080, 0xc0000080, { PASS, EMULATE, PASS, EMULATE } },
	/* TSC ratio: of the hypervisor */
	{ 0xc0000104, 0xc0000104, { PASS, GP, PASS, FATAL } },
	/* SYSCFG */
	{ 0xc0010010, 0xc0010010, { PASS, GP, PASS, FATAL } },
	/* HWCR: Linux sets performance bits on every CPU it brings online. */
	{ 0xc0010015, 0xc0010015, { PASS, PASS, PASS, IGNORE } },
	/* IORRs, TOP_MEM, TOM2: the machine's memory map */
	{ 0xc0010016, 0xc001001f, { PASS, GP, PASS, FATAL } },
	/* Microcode patch loader */
	{ 0xc0010020, 0xc0010020, { PASS, GP, PASS, FATAL } },
	/* I/O traps, MMIO configuration base */
	{ 0xc0010050, 0xc0010058, { PASS, GP, PASS, FATAL } },
	/* P-states and C-states belong to who manages power. */
	{ 0xc0010061, 0xc001006f, { PASS, PASS, PASS, IGNORE } },
	{ 0xc0010073, 0xc0010073, { PASS, PASS, PASS, IGNORE } },
	/* SMM base, address and mask */
	{ 0xc0010111, 0xc0010113, { PASS, GP, PASS, FATAL } },
	/* VM_CR: the real value; told "disabled", 6.12 warns whenever a CPU comes back. */
	{ 0xc0010114, 0xc0010114, { NATIVE, GP, GP, FATAL } },
	/* IGNNE, SMM control */
	{ 0xc0010115, 0xc0010116, { GP, GP, GP, FATAL } },
	/* VM_HSAVE_PA: Linux clears it on its way to a reboot. */
	{ 0xc0010117, 0xc0010117, { GP, EMULATE, GP, FATAL } },
	/* keys, doorbell */
	{ 0xc0010118, 0xc001011b, { GP, GP, GP, FATAL } },
	/* Core configuration: shared between threads, errata work-arounds */
	{ 0xc0011000, 0xc001102f, { PASS, PASS, PASS, IGNORE } },
	/* Scalable MCA banks: beyond the bitmaps, harmless for root (bugs.md A31) */
	{ 0xc0002000, 0xc0002fff, { NATIVE, NATIVE, GP, GP } },
	/* KVM's paravirtual registers below us: root's memory only (A31) */
	{ 0x4b564d00, 0x4b564dff, { NATIVE, NATIVE, GP, GP } },
};

static const struct msr_rule *msr_rule_find(u32 msr)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(rules); n++)
		if (msr >= rules[n].first && msr <= rules[n].last)
			return &rules[n];
	return NULL;
}

/* x2APIC registers are the hardware's business in that mode, translated otherwise. */
static enum msr_action resolve(u8 action)
{
	if (action != MSR_X2APIC)
		return action;
	return using_x2apic ? MSR_PASS : MSR_EMULATE;
}

enum msr_action msr_action(u32 msr, bool root, bool is_write)
{
	const struct msr_rule *rule = msr_rule_find(msr);

	if (!rule)
		return msr_has_bitmap(msr) ? MSR_PASS : MSR_GP;
	return resolve(rule->action[(root ? 0 : 2) + (is_write ? 1 : 0)]);
}

static void msr_done(void)
{
	vcpu_skip_instruction(MSR_INSN_LENGTH);
}

static void set_result(struct guest_regs *regs, u64 value)
{
	regs->rax = (u32)value;
	regs->rdx = value >> 32;
}

static u64 operand(const struct guest_regs *regs)
{
	return (u32)regs->rax | regs->rdx << 32;
}

static bool inject_gp(void)
{
	vcpu_inject_exception(XCPT_GP, true, 0);
	return true;
}

static bool msr_fatal(u32 msr, bool is_write)
{
	panic_printk("FATAL: Unhandled MSR %s: %x, cell \"%s\", CPU %u\n",
		     is_write ? "write" : "read", msr, cell_name(this_cpu()->cell),
		     this_cpu()->cpu_id);
	return false;
}

/* --- Page attribute table, memory types --------------------------------- */

static bool pat_read(struct guest_regs *regs)
{
	set_result(regs, this_cpu()->arch.pat);
	msr_done();
	return true;
}

/* Types 0, 1, 4 to 7 (APM 2, 7.8.1) */
static bool pat_valid(u64 pat)
{
	unsigned int n;

	for (n = 0; n < 64; n += 8) {
		u8 type = pat >> n;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

/* With the MTRRs disabled all is uncached: type 0 in every entry. */
static void update_memory_types(struct arch_percpu *arch)
{
	vcpu_set_pat(arch->mtrr_def_type & MTRR_ENABLE ? arch->pat : 0);
}

static bool pat_write(struct guest_regs *regs)
{
	struct arch_percpu *arch = &this_cpu()->arch;
	u64 pat = operand(regs);

	if (!pat_valid(pat)) {
		panic_printk("FATAL: Invalid PAT value: %llx, cell \"%s\", CPU %u\n", pat,
			     cell_name(this_cpu()->cell), this_cpu()->cpu_id);
		return false;
	}
	arch->pat = pat;
	update_memory_types(arch);
	msr_done();
	return true;
}

/* Only the enable bit is emulated; the register itself is never written. */
static bool mtrr_def_type_write(struct guest_regs *regs)
{
	struct arch_percpu *arch = &this_cpu()->arch;

	arch->mtrr_def_type = (arch->mtrr_def_type & ~MTRR_ENABLE) |
		(operand(regs) & MTRR_ENABLE);
	update_memory_types(arch);
	msr_done();
	return true;
}

void msr_reset_memory_types(void)
{
	struct arch_percpu *arch = &this_cpu()->arch;

	arch->pat = PAT_RESET;
	arch->mtrr_def_type &= ~MTRR_ENABLE;
	update_memory_types(arch);
}

/* --- Others ------------------------------------------------------------- */

static bool efer_write(struct guest_regs *regs)
{
	if (!vcpu_set_efer(operand(regs)))
		return inject_gp();
	msr_done();
	return true;
}

/* Ours.  Clearing it is harmless; setting it is how a KVM in root finds out. */
static bool hsave_pa_write(struct guest_regs *regs)
{
	if ((u32)regs->rax || (u32)regs->rdx)
		return inject_gp();
	msr_done();
	return true;
}

static bool native_read(struct guest_regs *regs, u32 msr)
{
	u64 value;

	if (!msr_read_safe(msr, &value))
		return inject_gp();
	set_result(regs, value);
	msr_done();
	return true;
}

static bool native_write(const struct guest_regs *regs, u32 msr)
{
	if (!msr_write_safe(msr, operand(regs)))
		return inject_gp();
	msr_done();
	return true;
}

/* Handlers for EMULATE in `rules`; the x2APIC range has its own. */
static const struct {
	u32 msr;
	bool is_write;
	bool (*handler)(struct guest_regs *regs);
} emulations[] = {
	{ MSR_EFER, true, efer_write },
	{ MSR_PAT, false, pat_read },
	{ MSR_PAT, true, pat_write },
	{ MSR_MTRR_DEF_TYPE, true, mtrr_def_type_write },
	{ MSR_VM_HSAVE_PA, true, hsave_pa_write },
};

static bool is_x2apic_msr(u32 msr)
{
	return msr >= MSR_X2APIC_BASE && msr <= MSR_X2APIC_END;
}

static bool emulate(struct guest_regs *regs, u32 msr, bool is_write)
{
	unsigned int n;

	if (is_x2apic_msr(msr))
		return is_write ? apic_handle_x2apic_write(regs, msr) :
			apic_handle_x2apic_read(regs, msr);
	for (n = 0; n < ARRAY_SIZE(emulations); n++)
		if (emulations[n].msr == msr && emulations[n].is_write == is_write)
			return emulations[n].handler(regs);
	return inject_gp();
}

static bool msr_access(struct guest_regs *regs, bool is_write)
{
	const struct per_cpu *cpu = this_cpu();
	u32 msr = regs->rcx;

	/* The ICR counts as itself (apic_guest.c). */
	if (!(is_write && msr == MSR_X2APIC_BASE + 0x30))
		CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_MSR_OTHER);
	switch (msr_action(msr, cpu->cell == &root_cell, is_write)) {
	case MSR_EMULATE:
		return emulate(regs, msr, is_write);
	case MSR_PASS:
	case MSR_NATIVE:
		return is_write ? native_write(regs, msr) : native_read(regs, msr);
	case MSR_IGNORE:
		if (!is_write)
			set_result(regs, 0);
		msr_done();
		return true;
	case MSR_FATAL:
		return msr_fatal(msr, is_write);
	default:
		return inject_gp();
	}
}

bool x86_handle_msr_read(struct guest_regs *regs)
{
	return msr_access(regs, false);
}

bool x86_handle_msr_write(struct guest_regs *regs)
{
	return msr_access(regs, true);
}
