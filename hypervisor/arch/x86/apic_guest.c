// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests' accesses to their local APIC: writes to the xAPIC page, and x2APIC
 * registers as MSRs.  In xAPIC mode the MSRs are translated (abi.md 7.3).
 */
#include <core/cell.h>
#include <core/printk.h>
#include <arch/apic.h>
#include <arch/apic_hw.h>
#include <arch/apic_regs.h>
#include <arch/ipi.h>
#include <arch/registers.h>
#include <arch/vcpu.h>

/* What may be done with a register */
enum reg_kind {
	REG_NONE,	/* not there: fatal as memory, #GP as MSR */
	REG_READ_ONLY,
	REG_IGNORE,	/* writes do nothing (abi.md 7.3) */
	REG_PLAIN,	/* `reserved` checked, then direct */
	REG_LVT,	/* plus delivery mode */
	REG_LDR, REG_DFR, REG_ICR, REG_ICR_HI,
};

/* What an x2APIC MSR allows */
#define MSR_R		0x1
#define MSR_W		0x2
#define MSR_ZERO	0x8	/* 0 may be written */
#define MSR_SPECIAL	0x4	/* not simply the register: see x2apic_value(), x2apic_write() */
#define MSR_RW		(MSR_R | MSR_W)

/* Read-only bits of LVT registers that guests write back: ignored, not reserved. */
#define LVT_READ_ONLY	0x00005000U
#define LVT(bits)	{ REG_LVT, MSR_RW, (bits) & ~LVT_READ_ONLY }

static const struct apic_reg {
	u8 kind;
	u8 msr;		/* 0: only in the xAPIC page */
	u32 reserved;
} apic_regs[APIC_NUM_REGS] = {
	[APIC_REG_ID]		= { REG_IGNORE, MSR_R | MSR_SPECIAL, 0 },
	[APIC_REG_VERSION]	= { REG_READ_ONLY, MSR_R, 0 },
	[APIC_REG_TPR]		= { REG_PLAIN, MSR_RW, 0xffffff00 },
	[APIC_REG_PPR]		= { REG_READ_ONLY, MSR_R, 0 },
	/* As an MSR it takes 0 only. */
	[APIC_REG_EOI]		= { REG_PLAIN, MSR_ZERO, 0 },
	[APIC_REG_LDR]		= { REG_LDR, MSR_R | MSR_SPECIAL, 0 },
	[APIC_REG_DFR]		= { REG_DFR, 0, 0 },
	[APIC_REG_SVR]		= { REG_PLAIN, MSR_RW, 0xffffec00 },
	[APIC_REG_ISR0 ... APIC_REG_IRR0 + 7] = { REG_READ_ONLY, MSR_R, 0 },
	[APIC_REG_ESR]		= { REG_PLAIN, MSR_RW, 0 },
	[APIC_REG_LVTCMCI]	= { REG_LVT, MSR_RW | MSR_SPECIAL, 0xfffee800 & ~LVT_READ_ONLY },
	[APIC_REG_ICR]		= { REG_ICR, MSR_RW | MSR_SPECIAL, 0 },
	[APIC_REG_ICR_HI]	= { REG_ICR_HI, 0, 0 },
	/* Has no delivery mode by the manual, but emulators and some CPUs use the field. */
	[APIC_REG_LVTT]		= LVT(0xfff8e800),
	[APIC_REG_LVTTHMR]	= LVT(0xfffee800),
	[APIC_REG_LVTPC]	= LVT(0xfffee800),
	[APIC_REG_LVT0]		= LVT(0xfffe0800),
	[APIC_REG_LVT1]		= LVT(0xfffe0800),
	[APIC_REG_LVTERR]	= LVT(0xfffee800),
	[APIC_REG_TMICT]	= { REG_PLAIN, MSR_RW, 0 },
	[APIC_REG_TMCCT]	= { REG_READ_ONLY, MSR_R, 0 },
	[APIC_REG_TDCR]		= { REG_PLAIN, MSR_RW, 0xfffffff4 },
	[APIC_REG_SELF_IPI]	= { REG_NONE, MSR_W | MSR_SPECIAL, 0 },
	[APIC_REG_EXT_LVT0 ... APIC_REG_EXT_LVT3] =
				  { REG_LVT, 0, 0xfffee800 & ~LVT_READ_ONLY },
};

static bool refuse(const char *what, unsigned int reg, u32 value)
{
	panic_printk("FATAL: %s (reg %02x, value %08x), cell \"%s\", CPU %u\n", what, reg,
		     value, cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}

static bool refuse_value(const char *what, u32 value)
{
	panic_printk("FATAL: %s: %x, cell \"%s\", CPU %u\n", what, value,
		     cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}

/* Root owns the PIC: on its way to a reboot Linux connects it again (virtual wire mode). */
static bool may_take_extint(unsigned int reg)
{
	return this_cpu()->cell == &root_cell &&
		(reg == APIC_REG_LVT0 || reg == APIC_REG_LVT1);
}

static bool lvt_mode_allowed(unsigned int reg, unsigned int mode)
{
	return mode == DELIVERY_FIXED || mode == DELIVERY_NMI ||
		(mode == DELIVERY_EXTINT && may_take_extint(reg));
}

static bool write_lvt(unsigned int reg, u32 value)
{
	if (!(value & LVT_MASKED) && !lvt_mode_allowed(reg, LVT_DELIVERY(value)))
		return refuse("Setting invalid LVT delivery mode", reg, value);
	apic_hw_write(reg, value);
	return true;
}

/* Flat mode with one fixed bit a CPU: what trimming of destinations relies on. */
static bool write_ldr(u32 value)
{
	unsigned int cpu = this_cpu()->cpu_id;

	if (cpu >= XAPIC_MAX_LOGICAL || value != 1U << (XAPIC_DEST_SHIFT + cpu))
		return refuse_value("Unsupported change to LDR", value);
	apic_hw_write(APIC_REG_LDR, value);
	return true;
}

static bool write_dfr(u32 value)
{
	if (value != DFR_FLAT)
		return refuse_value("Unsupported change to DFR", value);
	apic_hw_write(APIC_REG_DFR, value);
	return true;
}

static bool write_register(unsigned int reg, u32 value)
{
	const struct apic_reg *r = &apic_regs[reg];

	if (value & r->reserved)
		return refuse("Trying to set reserved APIC bits", reg, value);
	switch (r->kind) {
	case REG_READ_ONLY:
	case REG_IGNORE:
		return true;
	case REG_PLAIN:
	case REG_ICR_HI:
		apic_hw_write(reg, value);
		return true;
	case REG_LVT:
		return write_lvt(reg, value);
	case REG_LDR:
		return write_ldr(value);
	case REG_DFR:
		return write_dfr(value);
	default:
		return false;	/* ICR: callers handle it */
	}
}

static bool write_icr(u32 lo, u32 hi, bool x2apic_format)
{
	if (lo & ICR_RESERVED)
		return refuse("Trying to set reserved APIC bits", APIC_REG_ICR, lo);
	return ipi_send(lo & ~ICR_PENDING, hi, x2apic_format);
}

static bool refuse_access(u32 offset, bool is_write)
{
	panic_printk("FATAL: Unhandled APIC access, offset %u, is_write: %d, cell \"%s\", CPU %u\n",
		     offset, is_write, cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}

bool apic_handle_xapic_write(struct guest_regs *regs, u32 offset)
{
	unsigned int reg = offset >> 4;
	struct insn insn;
	bool ok;
	u32 value;

	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_XAPIC);
	if (using_x2apic) {
		panic_printk("FATAL: xAPIC access in x2APIC mode, cell \"%s\", CPU %u\n",
			     cell_name(this_cpu()->cell), this_cpu()->cpu_id);
		return false;
	}
	if (!vcpu_decode(&insn))
		return refuse_access(offset, true);
	if (!insn.is_write || insn.size != 4 || (offset & 0xf) ||
	    reg >= APIC_NUM_REGS || apic_regs[reg].kind == REG_NONE)
		return refuse_access(offset, insn.is_write);

	value = vcpu_operand(regs, &insn);
	if (reg == APIC_REG_ICR)
		ok = write_icr(value, apic_hw_read(APIC_REG_ICR_HI), false);
	else
		ok = write_register(reg, value);
	if (ok)
		vcpu_skip_instruction(insn.length);
	return ok;
}

#define MSR_INSN_LENGTH	2

static bool inject_gp(void)
{
	vcpu_inject_exception(XCPT_GP, true, 0);
	return true;
}

/* The logical id follows from the id (APM 2, 16.14.3). */
static u32 x2apic_ldr(u32 id)
{
	return (id >> 4) << 16 | 1U << (id & 0xf);
}

/*
 * Optional (version register, highest LVT entry).  Touching what is not there
 * sets an error bit that the next IPI of this CPU would be blamed for.
 */
static bool has_cmci(void)
{
	return ((apic_hw_read(APIC_REG_VERSION) >> 16) & 0xff) >= 6;
}

/* false: #GP */
static bool x2apic_value(unsigned int reg, u64 *value)
{
	switch (reg) {
	case APIC_REG_ID:
		*value = this_cpu()->arch.apic_id;
		return true;
	case APIC_REG_LDR:
		*value = x2apic_ldr(this_cpu()->arch.apic_id);
		return true;
	case APIC_REG_ICR:
		*value = apic_hw_read(APIC_REG_ICR) |
			(u64)(apic_hw_read(APIC_REG_ICR_HI) >> XAPIC_DEST_SHIFT) << 32;
		return true;
	default:
		*value = has_cmci() ? apic_hw_read(reg) : 0;
		return has_cmci();
	}
}

static __cold bool x2apic_read_special(struct guest_regs *regs, unsigned int reg)
{
	u64 value;

	if (!(apic_regs[reg].msr & MSR_R) || !x2apic_value(reg, &value))
		return inject_gp();
	regs->rax = (u32)value;
	regs->rdx = value >> 32;
	vcpu_skip_instruction(MSR_INSN_LENGTH);
	return true;
}

bool apic_handle_x2apic_read(struct guest_regs *regs, unsigned long reg)
{
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_MSR_OTHER);
	if ((apic_regs[reg].msr & (MSR_R | MSR_SPECIAL)) != MSR_R)
		return x2apic_read_special(regs, reg);
	if (using_x2apic)
		regs->rax = apic_hw_read(reg);
	else
		regs->rax = xapic_read(reg);
	regs->rdx = 0;
	vcpu_skip_instruction(MSR_INSN_LENGTH);
	return true;
}

static bool x2apic_done(bool ok)
{
	if (ok)
		vcpu_skip_instruction(MSR_INSN_LENGTH);
	return ok;
}

/* The one with 64 bits; reserved bits are write_icr()'s. */
static bool x2apic_write_icr(u64 value)
{
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_MSR_X2APIC_ICR);
	return x2apic_done(write_icr(value, value >> 32, true));
}

static __cold bool x2apic_write_special(unsigned int reg, u64 value)
{
	switch (reg) {
	case APIC_REG_SELF_IPI:
		if (value & ~(u64)ICR_VECTOR_MASK)
			return inject_gp();
		return x2apic_done(ipi_send(ICR_SELF | ICR_ASSERT | value, 0, true));
	case APIC_REG_LVTCMCI:
		if (!(value >> 32) && has_cmci())
			return x2apic_done(write_register(reg, value));
		return inject_gp();
	default:
		if (!(apic_regs[reg].msr & MSR_W) || value >> 32)
			return inject_gp();
		return x2apic_done(write_register(reg, value));
	}
}

/* Nothing to object to, nothing to do but write it: timers, task priority, end of interrupt. */
static bool x2apic_is_plain(const struct apic_reg *r, u64 value)
{
	u64 allowed = r->msr & MSR_W ? (u32)~r->reserved : 0;

	return r->kind == REG_PLAIN && !(value & ~allowed);
}

bool apic_handle_x2apic_write(struct guest_regs *regs, unsigned long reg)
{
	u64 value = (u32)regs->rax | regs->rdx << 32;

	if (reg == APIC_REG_ICR)
		return x2apic_write_icr(value);
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_MSR_OTHER);
	if (!x2apic_is_plain(&apic_regs[reg], value))
		return x2apic_write_special(reg, value);
	apic_hw_write(reg, value);
	vcpu_skip_instruction(MSR_INSN_LENGTH);
	return true;
}
