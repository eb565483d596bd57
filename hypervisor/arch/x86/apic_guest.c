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

struct apic_reg {
	u8 kind;
	bool no_msr;	/* only in the xAPIC page */
	bool write_only;
	u32 reserved;
};

static const struct apic_reg apic_regs[APIC_NUM_REGS] = {
	[APIC_REG_ID]		= { REG_IGNORE, .no_msr = false },
	[APIC_REG_VERSION]	= { REG_READ_ONLY },
	[APIC_REG_TPR]		= { REG_PLAIN, .reserved = 0xffffff00 },
	[APIC_REG_PPR]		= { REG_READ_ONLY },
	[APIC_REG_EOI]		= { REG_PLAIN, .write_only = true },
	[APIC_REG_LDR]		= { REG_LDR },
	[APIC_REG_DFR]		= { REG_DFR, .no_msr = true },
	[APIC_REG_SVR]		= { REG_PLAIN, .reserved = 0xffffec00 },
	[APIC_REG_ISR0 ... APIC_REG_IRR0 + 7] = { REG_READ_ONLY },
	[APIC_REG_ESR]		= { REG_PLAIN },
	[APIC_REG_LVTCMCI]	= { REG_LVT, .reserved = 0xfffee800 },
	[APIC_REG_ICR]		= { REG_ICR },
	[APIC_REG_ICR_HI]	= { REG_ICR_HI, .no_msr = true },
	/* Has no delivery mode by the manual, but emulators and some CPUs use the field. */
	[APIC_REG_LVTT]		= { REG_LVT, .reserved = 0xfff8e800 },
	[APIC_REG_LVTTHMR]	= { REG_LVT, .reserved = 0xfffee800 },
	[APIC_REG_LVTPC]	= { REG_LVT, .reserved = 0xfffee800 },
	[APIC_REG_LVT0]		= { REG_LVT, .reserved = 0xfffe0800 },
	[APIC_REG_LVT1]		= { REG_LVT, .reserved = 0xfffe0800 },
	[APIC_REG_LVTERR]	= { REG_LVT, .reserved = 0xfffee800 },
	[APIC_REG_TMICT]	= { REG_PLAIN },
	[APIC_REG_TMCCT]	= { REG_READ_ONLY },
	[APIC_REG_TDCR]		= { REG_PLAIN, .reserved = 0xfffffff4 },
	[APIC_REG_EXT_LVT0 ... APIC_REG_EXT_LVT3] =
				  { REG_LVT, .no_msr = true, .reserved = 0xfffee800 },
};

/* Read-only bits of LVT registers that guests write back: ignored, not reserved. */
#define LVT_READ_ONLY		0x00005000U

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

	if (value & r->reserved & ~(r->kind == REG_LVT ? LVT_READ_ONLY : 0))
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

static u64 x2apic_value(unsigned int reg)
{
	u32 value = apic_hw_read(reg);

	switch (reg) {
	case APIC_REG_ID:
		return this_cpu()->arch.apic_id;
	case APIC_REG_LDR:
		return x2apic_ldr(this_cpu()->arch.apic_id);
	case APIC_REG_ICR:
		return value | (u64)(apic_hw_read(APIC_REG_ICR_HI) >> XAPIC_DEST_SHIFT) << 32;
	default:
		return value;
	}
}

/*
 * Optional (version register, highest LVT entry).  Touching what is not there
 * sets an error bit that the next IPI of this CPU would be blamed for.
 */
static bool register_exists(unsigned int reg)
{
	return reg != APIC_REG_LVTCMCI ||
		((apic_hw_read(APIC_REG_VERSION) >> 16) & 0xff) >= 6;
}

bool apic_handle_x2apic_read(struct guest_regs *regs, u32 msr)
{
	unsigned int reg = msr - MSR_X2APIC_BASE;
	u64 value;

	if (reg >= APIC_NUM_REGS || apic_regs[reg].kind == REG_NONE ||
	    apic_regs[reg].no_msr || apic_regs[reg].write_only || !register_exists(reg))
		return inject_gp();
	value = x2apic_value(reg);
	regs->rax = (u32)value;
	regs->rdx = value >> 32;
	vcpu_skip_instruction(MSR_INSN_LENGTH);
	return true;
}

/* Registers that the architecture makes read-only as MSR */
static bool x2apic_writable(unsigned int reg)
{
	const struct apic_reg *r = &apic_regs[reg];

	return r->kind != REG_NONE && !r->no_msr && r->kind != REG_READ_ONLY &&
		reg != APIC_REG_ID && reg != APIC_REG_LDR;
}

static bool x2apic_write_icr(u64 value)
{
	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_MSR_X2APIC_ICR);
	return write_icr(value, value >> 32, true);
}

bool apic_handle_x2apic_write(struct guest_regs *regs, u32 msr)
{
	u64 value = (u32)regs->rax | regs->rdx << 32;
	unsigned int reg = msr - MSR_X2APIC_BASE;
	bool ok;

	if (reg == APIC_REG_ICR)
		ok = x2apic_write_icr(value);
	else if (reg == APIC_REG_SELF_IPI && !(value & ~(u64)ICR_VECTOR_MASK))
		ok = ipi_send(ICR_SELF | ICR_ASSERT | value, 0, true);
	else if (reg >= APIC_NUM_REGS || !x2apic_writable(reg) || !register_exists(reg) ||
		 value >> 32 ||
		 (reg == APIC_REG_EOI && value))
		return inject_gp();
	else
		ok = write_register(reg, value);
	if (ok)
		vcpu_skip_instruction(MSR_INSN_LENGTH);
	return ok;
}
