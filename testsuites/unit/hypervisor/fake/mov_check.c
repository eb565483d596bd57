// SPDX-License-Identifier: GPL-2.0-only
/*
 * Emulates what mov_runner executed: x86_handle_mmio() with memory that has the
 * runner's contents, and compares registers, memory and instruction pointer.
 */
#include <core/cell.h>
#include <core/mmio.h>
#include <core/percpu.h>
#include <arch/vcpu.h>
#include <mov_case.h>

static const struct mov_case *current;
static u32 access_at;		/* window offset of the current access */
static u8 memory[8];		/* window contents from there on */
static unsigned int available, skipped, accesses;

void vcpu_get_state(struct vcpu_state *state)
{
	*state = (struct vcpu_state){ 0 };
}

enum insn_mode vcpu_insn_mode(const struct vcpu_state *state)
{
	(void)state;
	return current->mode == 64 ? INSN_64 : current->mode == 32 ? INSN_32 : INSN_16;
}

unsigned int vcpu_fetch(const struct vcpu_state *state, u8 bytes[INSN_MAX_LENGTH])
{
	(void)state;
	__builtin_memcpy(bytes, current->code, available);
	return available;
}

void vcpu_skip_instruction(unsigned int length)
{
	skipped = length;
}

enum mmio_result mmio_dispatch(struct mmio_access *access)
{
	accesses++;
	if (access->address != access_at || access->size > 8)
		return MMIO_UNHANDLED;
	if (access->is_write)
		__builtin_memcpy(memory, &access->value, access->size);
	else
		__builtin_memcpy(&access->value, memory, access->size);
	return MMIO_HANDLED;
}

static void set_up_cell(void)
{
	static struct jailhouse_cell_desc config = { .name = "decoder" };
	static struct cell cell = { .config = &config };

	this_cpu()->cell = &cell;
}

static bool emulate(const struct mov_case *c, const struct mov_result *r, struct guest_regs *regs)
{
	unsigned int n;

	set_up_cell();
	current = c;
	access_at = r->window_offset;
	skipped = accesses = 0;
	for (n = 0; n < 16; n++)
		*guest_reg(regs, n) = r->before[n];
	for (n = 0; n < 8; n++)
		memory[n] = mov_pattern(access_at + n);
	return x86_handle_mmio(regs, gpa(access_at), c->is_write);
}

/* NULL: as native */
const char *mov_check(const struct mov_case *c, const struct mov_result *r);
const char *mov_check(const struct mov_case *c, const struct mov_result *r)
{
	struct guest_regs regs;
	unsigned int n;

	if (r->status != MOV_OK)
		return r->status == MOV_NO_ACCESS ? "native: no access" :
			r->status == MOV_OUTSIDE ? "native: outside of the windows" : "native: signal";
	if (r->stray)
		return "native: stray write";
	if (r->rip_delta != c->length)
		return "native: other length than assembled";
	available = INSN_MAX_LENGTH;
	if (!emulate(c, r, &regs))
		return "refused";
	if (skipped != r->rip_delta)
		return "instruction pointer";
	for (n = 0; n < 16; n++)
		if (*guest_reg(&regs, n) != r->after[n])
			return "register";
	if (__builtin_memcmp(memory, r->memory, 8))
		return "memory";
	return NULL;
}

/* Index of the first difference, count: none. */
unsigned int mov_check_all(const struct mov_case *c, const struct mov_result *r,
			   unsigned int count, const char **why);
unsigned int mov_check_all(const struct mov_case *c, const struct mov_result *r,
			   unsigned int count, const char **why)
{
	unsigned int n;

	for (n = 0; n < count; n++) {
		*why = mov_check(&c[n], &r[n]);
		if (*why)
			break;
	}
	return n;
}

/* When only the first page of a straddling instruction can be read nothing may happen. */
unsigned int mov_check_truncated(const struct mov_case *c, const struct mov_result *r,
				 unsigned int count);
unsigned int mov_check_truncated(const struct mov_case *c, const struct mov_result *r,
				 unsigned int count)
{
	struct guest_regs regs;
	unsigned int n;

	for (n = 0; n < count; n++)
		for (available = 0; available < c[n].length; available++)
			if (emulate(&c[n], &r[n], &regs) || accesses || skipped)
				return n;
	return n;
}
