// SPDX-License-Identifier: GPL-2.0-only
/*
 * Model-specific registers: one table says for each range what root and other
 * cells may do (abi.md 7.4, decisions.md 8).  The bitmaps of the control block
 * follow from it.  Registers that no range names are direct where a bitmap can
 * say so; beyond the bitmaps they do not exist for guests (#GP).
 */
#include <core/cell.h>
#include <core/printk.h>
#include <core/seed.h>
#include <arch/apic.h>
#include <arch/msr.h>
#include <arch/registers.h>
#include <arch/vcpu.h>

#define MSR_INSN_LENGTH		2
#define X2APIC_MSRS		(MSR_X2APIC_END + 1 - MSR_X2APIC_BASE)

/* After the vendor's. */
static const struct msr_rule rules[] = {
	/* Mode and address of the local APIC are fixed. */
	{ 0x01b, 0x01b, { MSR_PASS, MSR_FATAL, MSR_PASS, MSR_FATAL } },
	/* Microcode update (Intel's number) */
	{ 0x079, 0x079, { MSR_GP, MSR_GP, MSR_GP, MSR_FATAL } },
	/* Variable and fixed MTRRs describe the whole machine. */
	{ 0x200, 0x276, { MSR_PASS, MSR_FATAL, MSR_PASS, MSR_FATAL } },
	{ 0x277, 0x277, { MSR_EMULATE, MSR_EMULATE, MSR_EMULATE, MSR_EMULATE } },
	{ 0x2ff, 0x2ff, { MSR_PASS, MSR_EMULATE, MSR_PASS, MSR_EMULATE } },
	/* Intel PT writes to physical addresses. */
	{ 0x560, 0x58f, { MSR_GP, MSR_GP, MSR_GP, MSR_FATAL } },
	{ 0x800, 0x82f, { MSR_X2APIC, MSR_X2APIC, MSR_X2APIC, MSR_X2APIC } },
	{ 0x830, 0x830, { MSR_X2APIC, MSR_EMULATE, MSR_X2APIC, MSR_EMULATE } },
	{ 0x831, 0x83f, { MSR_X2APIC, MSR_X2APIC, MSR_X2APIC, MSR_X2APIC } },
	/* KVM's paravirtual registers below us: root's memory only (A31) */
	{ 0x4b564d00, 0x4b564dff, { MSR_NATIVE, MSR_NATIVE, MSR_GP, MSR_GP } },
};

static const struct msr_rule *find_in(const struct msr_rule *rule, unsigned int count, u32 msr)
{
	for (; count > 0; rule++, count--)
		if (msr >= rule->first && msr <= rule->last)
			return rule;
	return NULL;
}

static const struct msr_rule *msr_rule_find(u32 msr)
{
	const struct msr_rule *rule = find_in(vendor_msr_rules, vendor_num_msr_rules, msr);

	return rule ? rule : find_in(rules, ARRAY_SIZE(rules), msr);
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

static u32 run_end_in(const struct msr_rule *rule, unsigned int count, u32 msr)
{
	u32 end = ~0U;

	for (; count > 0; rule++, count--)
		if (rule->first > msr)
			end = MIN(end, rule->first - 1);
		else if (rule->last >= msr)
			end = MIN(end, rule->last);
	return end;
}

u32 msr_run_end(u32 msr)
{
	return MIN(run_end_in(vendor_msr_rules, vendor_num_msr_rules, msr),
		   run_end_in(rules, ARRAY_SIZE(rules), msr));
}

void msr_done(void)
{
	vcpu_skip_instruction(MSR_INSN_LENGTH);
}

static void set_result(struct guest_regs *regs, u64 value)
{
	regs->rax = (u32)value;
	regs->rdx = value >> 32;
}

u64 msr_operand(const struct guest_regs *regs)
{
	return (u32)regs->rax | regs->rdx << 32;
}

bool msr_inject_gp(void)
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
	u64 pat = msr_operand(regs);

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
		(msr_operand(regs) & MTRR_ENABLE);
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

/* Shown as emulated; hardware that can pass the read does (the rules say which). */
static bool mtrr_def_type_read(struct guest_regs *regs)
{
	set_result(regs, this_cpu()->arch.mtrr_def_type);
	msr_done();
	return true;
}

static bool native_read(struct guest_regs *regs, u32 msr)
{
	u64 value;

	if (!msr_read_safe(msr, &value))
		return msr_inject_gp();
	set_result(regs, value);
	msr_done();
	return true;
}

static bool native_write(const struct guest_regs *regs, u32 msr)
{
	if (!msr_write_safe(msr, msr_operand(regs)))
		return msr_inject_gp();
	msr_done();
	return true;
}

/* Handlers for EMULATE in `rules`; the x2APIC range has its own (apic_guest.c). */
static const struct msr_emulation emulations[] = {
	{ MSR_PAT, false, pat_read },
	{ MSR_PAT, true, pat_write },
	{ MSR_MTRR_DEF_TYPE, false, mtrr_def_type_read },
	{ MSR_MTRR_DEF_TYPE, true, mtrr_def_type_write },
};

static const struct msr_emulation *find_emulation(const struct msr_emulation *e,
						  unsigned int count, u32 msr, bool is_write)
{
	for (; count > 0; e++, count--)
		if (e->msr == msr && e->is_write == is_write)
			return e;
	return NULL;
}

static bool emulate(struct guest_regs *regs, u32 msr, bool is_write)
{
	const struct msr_emulation *e;

	e = find_emulation(emulations, ARRAY_SIZE(emulations), msr, is_write);
	if (!e)
		e = find_emulation(vendor_msr_emulations, vendor_num_msr_emulations, msr,
				   is_write);
	return e ? e->handler(regs) : msr_inject_gp();
}

static bool msr_access(struct guest_regs *regs, bool is_write)
{
	const struct per_cpu *cpu = this_cpu();
	u32 msr = regs->rcx;

	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_MSR_OTHER);
	seeded_cost_msr();
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
		return msr_inject_gp();
	}
}

/*
 * The local APIC first: each tick goes through here.  In x2APIC mode only the ICR is
 * trapped, so that none of these is MSR_PASS.
 */
bool x86_handle_msr_read(struct guest_regs *regs)
{
	u32 reg = (u32)regs->rcx - MSR_X2APIC_BASE;

	if (reg < X2APIC_MSRS)
		return apic_handle_x2apic_read(regs, reg);
	return msr_access(regs, false);
}

bool x86_handle_msr_write(struct guest_regs *regs)
{
	u32 reg = (u32)regs->rcx - MSR_X2APIC_BASE;

	if (reg < X2APIC_MSRS)
		return apic_handle_x2apic_write(regs, reg);
	return msr_access(regs, true);
}
