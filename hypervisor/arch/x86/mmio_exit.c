// SPDX-License-Identifier: GPL-2.0-only
/* Emulation of trapped memory accesses: fetch, decode, dispatch, write back, skip. */
#include <core/cell.h>
#include <core/mmio.h>
#include <core/percpu.h>
#include <core/printk.h>
#include <core/seed.h>
#include <arch/vcpu.h>

static u64 size_mask(unsigned int size)
{
	return size >= 8 ? ~0ULL : (1ULL << (8 * size)) - 1;
}

/* Bytes that could not be fetched print as 0. */
static bool refuse_instruction(const u8 *bytes, unsigned int available)
{
	if (!available)
		panic_printk("FATAL: unable to get MMIO instruction");
	else
		panic_printk("FATAL: unsupported instruction (0x%02x 0x%02x 0x%02x 0x%02x)",
			     bytes[0], bytes[1], bytes[2], bytes[3]);
	panic_printk(", cell \"%s\", CPU %u: trapped memory takes MOV and MOVZX only\n",
		     cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}

bool vcpu_decode(struct insn *insn)
{
	u8 bytes[INSN_MAX_LENGTH] = { 0 };
	struct vcpu_state state;
	unsigned int available;

	vcpu_get_state(&state);
	available = vcpu_fetch(&state, bytes);
	if (insn_decode(insn, bytes, available, vcpu_insn_mode(&state)))
		return refuse_instruction(bytes, available);
	return true;
}

/* Loads of 8 and 16 bits keep the rest of the register, 32 bits clear it (SDM 1, 3.4.1.1). */
void vcpu_store_result(struct guest_regs *regs, const struct insn *insn, u64 value)
{
	u64 *reg = guest_reg(regs, insn->reg);
	unsigned int shift = insn->high_byte ? 8 : 0;
	u64 mask = size_mask(insn->reg_size) << shift;

	if (insn->reg_size == 4)
		mask = ~0ULL;
	value &= size_mask(insn->size);
	*reg = (*reg & ~mask) | value << shift;
}

u64 vcpu_operand(const struct guest_regs *regs, const struct insn *insn)
{
	u64 value;

	if (insn->is_immediate)
		value = insn->immediate;
	else
		value = *guest_reg((struct guest_regs *)regs, insn->reg) >>
			(insn->high_byte ? 8 : 0);
	return value & size_mask(insn->size);
}

/* size 0: the instruction could not be decoded */
static bool refuse_access(gpa_t addr, unsigned int size, bool is_write)
{
	panic_printk("FATAL: Invalid MMIO/RAM %s, addr: 0x%016llx size: %u, cell \"%s\", CPU %u: "
		     "no .mem_regions entry with %s covers it\n",
		     is_write ? "write" : "read", addr.raw, size, cell_name(this_cpu()->cell),
		     this_cpu()->cpu_id, is_write ? "JAILHOUSE_MEM_WRITE" : "JAILHOUSE_MEM_READ");
	return false;
}

static bool refuse_direction(bool is_write)
{
	panic_printk("FATAL: inconsistent access, expected %s instruction, cell \"%s\", CPU %u\n",
		     is_write ? "write" : "read", cell_name(this_cpu()->cell),
		     this_cpu()->cpu_id);
	return false;
}

bool x86_handle_mmio(struct guest_regs *regs, gpa_t addr, bool is_write)
{
	struct mmio_access access = { .address = addr.raw, .is_write = is_write };
	enum mmio_result result;
	struct insn insn;

	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_MMIO);
	seeded_cost_mmio();
	if (!vcpu_decode(&insn))
		return refuse_access(addr, 0, is_write);
	if (insn.is_write != is_write)
		return refuse_direction(is_write);

	access.size = insn.size;
	if (is_write)
		access.value = vcpu_operand(regs, &insn);
	result = mmio_dispatch(&access);
	if (result == MMIO_UNHANDLED)
		return refuse_access(addr, insn.size, is_write);
	if (result == MMIO_ERROR)
		return false;
	if (!is_write)
		vcpu_store_result(regs, &insn, access.value);
	vcpu_skip_instruction(insn.length);
	return true;
}
