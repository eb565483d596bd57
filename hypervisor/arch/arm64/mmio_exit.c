// SPDX-License-Identifier: GPL-2.0-only
/* Trapped memory accesses: address and syndrome from the CPU, dispatch, write back, skip. */
#include <core/cell.h>
#include <core/mmio.h>
#include <core/paging.h>
#include <core/printk.h>
#include <arch/cpu.h>
#include <arch/exits.h>
#include <arch/insn.h>
#include <arch/irqchip.h>
#include <arch/sysregs.h>

/* ESR_EL2.ISS of a data abort (DDI 0487, D19.2.37) */
#define ISS_ISV		(1U << 24)
#define ISS_SIZE(iss)	(1U << ((iss) >> 22 & 3))
#define ISS_SSE		(1U << 21)
#define ISS_REG(iss)	((iss) >> 16 & 0x1f)
#define ISS_SF		(1U << 15)
#define ISS_S1PTW	(1U << 7)
#define ISS_WRITE	(1U << 6)
#define ISS_DFSC(iss)	((iss) & 0x3f)
#define DFSC_PERMISSION	0x0c	/* and the level in the last two bits */

/* Stage 1 of the guest; false: it does not translate this any more. */
static bool translate(u64 virt, bool el0, u64 *page)
{
	u64 saved = sysreg_read(par_el1), par = address_translate(virt, el0);

	sysreg_write(par_el1, saved);
	*page = par & 0x0000fffffffff000ULL;
	return !(par & 1);
}

/*
 * HPFAR_EL2 is only good for translation faults (D19.2.60): after a permission
 * fault ask the CPU's translation of stage 1.  False: let the guest fault again.
 */
static bool faulting_address(u32 iss, gpa_t *address)
{
	u64 far = sysreg_read(far_el2), page;

	if ((ISS_DFSC(iss) & ~3U) != DFSC_PERMISSION || (iss & ISS_S1PTW))
		page = (sysreg_read(hpfar_el2) & 0xfffffffff0ULL) << 8;
	else if (!translate(far, false, &page))
		return false;
	*address = gpa(page | (far & PAGE_OFFS_MASK));
	return true;
}

static bool fatal_abort(void)
{
	panic_printk("FATAL: unhandled trap (exception class 0x%02x), cell \"%s\", CPU %u\n",
		     EC_DATA_ABORT, cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}

static bool refuse_access(gpa_t address, unsigned int size, bool is_write)
{
	panic_printk("Unhandled data %s at 0x%llx(%u), cell \"%s\", CPU %u: no .mem_regions entry with "
		     "%s covers it\n", is_write ? "write" : "read", address.raw, size,
		     cell_name(this_cpu()->cell), this_cpu()->cpu_id,
		     is_write ? "JAILHOUSE_MEM_WRITE" : "JAILHOUSE_MEM_READ");
	return fatal_abort();
}

static u64 sign_extend(u64 value, unsigned int size)
{
	unsigned int shift = 64 - 8 * size;

	return (u64)((s64)(value << shift) >> shift);
}

static u64 truncate(u64 value, unsigned int size)
{
	return size == 8 ? value : value & ((1ULL << (8 * size)) - 1);
}

static void load_result(struct guest_regs *regs, unsigned int reg, u64 value, unsigned int size,
			bool sign, bool wide)
{
	value = truncate(value, size);
	if (sign)
		value = sign_extend(value, size);
	guest_reg_set(regs, reg, wide ? value : (u32)value);
}

/* The distributor is what guests use most, and in no cell's list: it is there for all of them. */
static enum mmio_result dispatch(struct mmio_access *access)
{
	u64 offset = access->address - gic.dist_phys;
	u64 address = access->address;
	enum mmio_result result;

	if (offset >= gic.ops->dist_size)
		return mmio_dispatch(access);
	access->address = offset;
	result = gic.ops->dist_access(this_cpu()->cell, access);
	access->address = address;
	return result;
}

/* False: nobody takes it, or who takes it refuses; lines printed. */
static bool perform(struct mmio_access *access)
{
	enum mmio_result result = dispatch(access);

	if (result == MMIO_HANDLED)
		return true;
	if (result == MMIO_UNHANDLED)
		return refuse_access(gpa(access->address), access->size, access->is_write);
	return fatal_abort();
}

/* --- Without syndrome ----------------------------------------------------------- */

static bool in_el0(void)
{
	return SPSR_MODE(sysreg_read(spsr_el2)) == 0;
}

/* The guest's own tables say where its instruction is. */
static bool fetch(u32 *word)
{
	u64 pc = sysreg_read(elr_el2), page;
	const u32 *mapped;

	if ((sysreg_read(spsr_el2) & SPSR_AARCH32) || !translate(pc, in_el0(), &page))
		return false;
	mapped = cell_map_temp(this_cpu()->cell, gpa(page | (pc & PAGE_OFFS_MASK)), 1, PG_READ);
	if (!mapped)
		return false;
	*word = *mapped;
	return true;
}

static u64 base_get(const struct guest_regs *regs, const struct insn *insn)
{
	if (insn->base != 31)
		return regs->x[insn->base];
	return SPSR_MODE(sysreg_read(spsr_el2)) == SPSR_EL1H ? sysreg_read(sp_el1) :
		sysreg_read(sp_el0);
}

static void base_set(struct guest_regs *regs, const struct insn *insn, u64 value)
{
	if (insn->base != 31)
		regs->x[insn->base] = value;
	else if (SPSR_MODE(sysreg_read(spsr_el2)) == SPSR_EL1H)
		sysreg_write(sp_el1, value);
	else
		sysreg_write(sp_el0, value);
}

/* All of the instruction, or nothing: a pair that leaves the page is refused. */
static bool emulate(struct guest_regs *regs, const struct insn *insn, gpa_t address)
{
	u64 base = base_get(regs, insn), virt = insn->post_index ? base : base + insn->offset;
	struct mmio_access access = { .size = insn->size, .is_write = insn->is_write };

	if ((virt & PAGE_OFFS_MASK) + insn->count * insn->size > PAGE_SIZE)
		return refuse_access(address, insn->size, insn->is_write);
	for (unsigned int n = 0; n < insn->count; n++) {
		access.address = (address.raw & PAGE_MASK) +
			(virt & PAGE_OFFS_MASK) + n * insn->size;
		if (insn->is_write)
			access.value = truncate(guest_reg_get(regs, insn->reg[n]), insn->size);
		if (!perform(&access))
			return false;
		if (!insn->is_write)
			load_result(regs, insn->reg[n], access.value, insn->size,
				    insn->sign_extend, insn->wide);
	}
	if (insn->writeback)
		base_set(regs, insn, base + insn->offset);
	guest_skip_instruction(true);
	return true;
}

static bool handle_without_syndrome(struct guest_regs *regs, gpa_t address, bool is_write)
{
	struct insn insn;
	u32 word;

	if (!fetch(&word) || !insn_decode(word, &insn) || insn.is_write != is_write)
		return refuse_access(address, 0, is_write);
	return emulate(regs, &insn, address);
}

/* --- With syndrome ---------------------------------------------------------------- */

bool handle_data_abort(struct guest_regs *regs, u64 esr)
{
	u32 iss = (u32)ESR_ISS(esr);
	struct mmio_access access = { .is_write = iss & ISS_WRITE, .size = ISS_SIZE(iss) };
	gpa_t address;

	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_MMIO);
	if (!faulting_address(iss, &address))
		return true;
	if (iss & ISS_S1PTW)
		return refuse_access(address, 0, access.is_write);
	if (!(iss & ISS_ISV))
		return handle_without_syndrome(regs, address, access.is_write);

	access.address = address.raw;
	if (access.is_write)
		access.value = truncate(guest_reg_get(regs, ISS_REG(iss)), access.size);
	if (!perform(&access))
		return false;
	if (!access.is_write)
		load_result(regs, ISS_REG(iss), access.value, access.size, iss & ISS_SSE,
			    iss & ISS_SF);
	guest_skip_instruction(esr & ESR_IL);
	return true;
}
