/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test of a hypervisor's instruction decoder, for 64-bit and 32-bit code.
 *
 * Every case is one MOV that is executed twice: on RAM, and on a register of
 * the test device.  Both must change memory and registers in the same way and
 * go on at the same place.  What follows the instruction is INT3, so the place
 * is known to the byte.
 *
 * The test device is the page behind the communication region; its last eight
 * bytes are those of the communication region.  testdev=<page> puts it
 * elsewhere: testdev=0x100000 makes it plain memory, to check this program.
 */
#ifndef MMIO_ACCESS_H
#define MMIO_ACCESS_H

#include <inmate.h>

#define TESTDEV_PAGE	0x101000UL
#define WINDOW_OFFSET	0xff8
#define WINDOW_SIZE	8

#ifdef __x86_64__
#define NUM_REGS	16
#else
#define NUM_REGS	8
#endif
#define REG_SP		4
#define REG_BP		5
#define REG_NONE	0xff

#define OPCODE_INT3	0xcc
#define CODE_SIZE	16

enum insn_kind {
	INSN_LOAD,		/* mov (m), r */
	INSN_LOAD_ZX,		/* movzx (m), r */
	INSN_STORE,		/* mov r, (m) */
	INSN_STORE_IMM,		/* mov $imm, (m) */
	INSN_LOAD_MOFFS,	/* mov address, accumulator */
	INSN_STORE_MOFFS,	/* mov accumulator, address */
};

/* One instruction; memory forms and registers are added to it. */
struct insn {
	int line;
	enum insn_kind kind;
	u8 opcode[2];
	u8 access;		/* bytes */
	bool operand16;		/* prefix 66 */
	bool rex_w;
	bool rex;		/* a REX prefix even if nothing needs it */
};

struct mem_form {
	u8 mod, base, index, scale;
	bool rip;		/* mod 0, rm 5 */
	bool address32;		/* prefix 67 */
};

struct cpu_state {
	unsigned long r[NUM_REGS];
	unsigned long next;	/* where it went on, from the start of the code */
	unsigned long vector;
};

struct code {
	u8 byte[CODE_SIZE];
	unsigned int len;
};

static struct {
	u8 *window;		/* in the device */
	u8 *alias;		/* the same bytes, in the communication region */
	u8 *ram;
	u8 *code_pages;
	unsigned long sp;	/* when a case starts */
	bool read_ok, write_ok;
} test;

/* Where run_case() starts; read by enter_case() when registers are gone. */
unsigned long case_entry;
unsigned long case_regs[NUM_REGS];
static struct cpu_state case_end;

/* --- execution --- */

static void frame_to_state(const struct trap_frame *f, struct cpu_state *s)
{
	unsigned long r[NUM_REGS] = {
#ifdef __x86_64__
		f->rax, f->rcx, f->rdx, f->rbx, f->rsp, f->rbp, f->rsi, f->rdi,
		f->r8, f->r9, f->r10, f->r11, f->r12, f->r13, f->r14, f->r15,
#else
		f->rax, f->rcx, f->rdx, f->rbx,
		/* PUSHA's value is from after five words were pushed. */
		f->unused_sp + 20, f->rbp, f->rsi, f->rdi,
#endif
	};

	memcpy(s->r, r, sizeof(r));
}

static void breakpoint(struct trap_frame *frame)
{
	frame_to_state(frame, &case_end);
	trap_unwind(frame);
}

static void enter_case(void *arg __maybe_unused)
{
#ifdef __x86_64__
	asm volatile(
		"pushq case_entry\n\t"
		"movq case_regs, %%rax\n\t"
		"movq case_regs + 8, %%rcx\n\t"
		"movq case_regs + 16, %%rdx\n\t"
		"movq case_regs + 24, %%rbx\n\t"
		"movq case_regs + 40, %%rbp\n\t"
		"movq case_regs + 48, %%rsi\n\t"
		"movq case_regs + 56, %%rdi\n\t"
		"movq case_regs + 64, %%r8\n\t"
		"movq case_regs + 72, %%r9\n\t"
		"movq case_regs + 80, %%r10\n\t"
		"movq case_regs + 88, %%r11\n\t"
		"movq case_regs + 96, %%r12\n\t"
		"movq case_regs + 104, %%r13\n\t"
		"movq case_regs + 112, %%r14\n\t"
		"movq case_regs + 120, %%r15\n\t"
		"ret"
		: : : "memory");
#else
	asm volatile(
		"pushl case_entry\n\t"
		"movl case_regs, %%eax\n\t"
		"movl case_regs + 4, %%ecx\n\t"
		"movl case_regs + 8, %%edx\n\t"
		"movl case_regs + 12, %%ebx\n\t"
		"movl case_regs + 20, %%ebp\n\t"
		"movl case_regs + 24, %%esi\n\t"
		"movl case_regs + 28, %%edi\n\t"
		"ret"
		: : : "memory");
#endif
}

/* Runs code up to the INT3 behind it. case_regs are the registers. */
static void __attribute__((noinline))
run_case(u8 *where, const struct code *code, struct cpu_state *end)
{
	memset(where, OPCODE_INT3, CODE_SIZE + 8);
	memcpy(where, code->byte, code->len);
	case_entry = (unsigned long)where;
	trap_catch(enter_case, 0);
	*end = case_end;
	end->vector = trap_caught.vector;
	end->next = trap_caught.rip - (unsigned long)where;
	/* #BP reports the place behind INT3. */
	if (end->vector == 3)
		end->next--;
}

/* --- encoding --- */

static void put(struct code *code, u64 value, unsigned int bytes)
{
	while (bytes--) {
		code->byte[code->len++] = value;
		value >>= 8;
	}
}

static void put_prefixes(struct code *code, const struct insn *insn,
			 const struct mem_form *form, u8 reg)
{
	u8 rex = 0x40;

	if (form && form->address32)
		put(code, 0x67, 1);
	if (insn->operand16)
		put(code, 0x66, 1);
	rex |= insn->rex_w << 3 | (reg >= 8) << 2;
	if (form && form->base != REG_NONE)
		rex |= form->base >= 8;
	if (rex != 0x40 || insn->rex)
		put(code, rex, 1);
	put(code, insn->opcode[0], 1);
	if (insn->opcode[0] == 0x0f)
		put(code, insn->opcode[1], 1);
}

static void put_modrm(struct code *code, const struct mem_form *form, u8 reg)
{
	bool no_base = form->base == REG_NONE && !form->rip;
	u8 base = no_base ? 5 : form->base & 7;
	u8 modrm = form->mod << 6 | (reg & 7) << 3;

	if (form->rip) {
		put(code, modrm | 5, 1);
	} else if (form->index != REG_NONE || no_base || base == REG_SP) {
		put(code, modrm | 4, 1);
		put(code, form->scale << 6 |
		    (form->index == REG_NONE ? 4 : form->index) << 3 | base, 1);
	} else {
		put(code, modrm | base, 1);
	}
}

static unsigned int disp_size(const struct mem_form *form)
{
	if (form->mod == 1)
		return 1;
	if (form->mod == 2 || form->rip || form->base == REG_NONE)
		return 4;
	return 0;
}

static unsigned int imm_size(const struct insn *insn)
{
	if (insn->kind != INSN_STORE_IMM)
		return 0;
	return insn->operand16 ? 2 : 4;
}

/* Nice to recognise in a dump, and negative where it is sign-extended. */
#define IMMEDIATE	0xc3b2a190

static void encode(struct code *code, const struct insn *insn,
		   const struct mem_form *form, u8 reg, u64 disp)
{
	unsigned int disp_at;

	code->len = 0;
	put_prefixes(code, insn, form, reg);
	if (insn->kind >= INSN_LOAD_MOFFS) {
		put(code, disp, form->address32 || NUM_REGS == 8 ? 4 : 8);
		return;
	}
	put_modrm(code, form, reg);
	disp_at = code->len;
	put(code, disp, disp_size(form));
	put(code, IMMEDIATE, imm_size(insn));
	if (form->rip && NUM_REGS == 16) {
		/* Relative to the end; disp is relative to the start. */
		disp -= code->len;
		code->len = disp_at;
		put(code, disp, 4);
		code->len += imm_size(insn);
	}
}

/* --- one case --- */

/* Displacement of a form whose base register is free to choose. */
static u64 form_disp(const struct mem_form *form)
{
	return form->mod == 1 ? -0x13 : form->mod == 2 ? 0x12345 : 0;
}

/*
 * Sets registers so that form addresses target, and returns the displacement
 * that belongs to it.
 */
static u64 place_operand(const struct insn *insn, const struct mem_form *form,
			 unsigned long target, const u8 *where)
{
	u64 disp = form_disp(form), rest;

	if (insn->kind >= INSN_LOAD_MOFFS)
		return target;
	if (form->rip)
		return NUM_REGS == 16 ? target - (unsigned long)where : target;
	rest = target;
	if (form->index != REG_NONE) {
		case_regs[form->index] = 0x110;
		rest -= 0x110UL << form->scale;
		if (form->base == form->index) {
			/* base + index * scale = target - disp */
			rest = (target - disp) / ((1 << form->scale) + 1);
			disp = target - rest * ((1 << form->scale) + 1);
			case_regs[form->base] = rest;
			return disp;
		}
	}
	if (form->base == REG_NONE)
		return rest;
	if (form->base == REG_SP)
		return rest - test.sp;
	case_regs[form->base] = rest - disp;
#ifdef __x86_64__
	if (form->address32)
		case_regs[form->base] |= 0xbad0000000000000UL;
#endif
	return disp;
}

static void fill_registers(void)
{
	unsigned int n;

	for (n = 0; n < NUM_REGS; n++)
#ifdef __x86_64__
		case_regs[n] = 0x8182838485868788UL + 0x0101010101010101UL * n;
#else
		case_regs[n] = 0x81828384UL + 0x01010101UL * n;
#endif
}

static void fill_window(u8 *window)
{
	unsigned int n;

	for (n = 0; n < WINDOW_SIZE; n++)
		window[n] = 0xe1 + 3 * n;
}

struct outcome {
	struct cpu_state end;
	unsigned long start[NUM_REGS];
	u64 memory;
};

static void prepare(const struct insn *insn, const struct mem_form *form,
		    u8 reg, u8 *where, unsigned long target, struct code *code)
{
	u64 disp;

	fill_registers();
	disp = place_operand(insn, form, target, where);
	encode(code, insn, form, reg, disp);
}

/*
 * Forms that are relative to the stack pointer take two rounds: the first, with
 * nothing but INT3, tells what it is at this place.
 */
static void run_on(const struct insn *insn, const struct mem_form *form, u8 reg,
		   u8 *where, u8 *window, u8 *alias, unsigned int offset,
		   struct code *code, struct outcome *outcome)
{
	bool ready = form->base != REG_SP;

	fill_window(alias);
	code->len = 0;
	for (;; ready = true) {
		if (ready)
			prepare(insn, form, reg, where,
				(unsigned long)window + offset, code);
		memcpy(outcome->start, case_regs, sizeof(case_regs));
		run_case(where, code, &outcome->end);
		if (ready)
			break;
		test.sp = outcome->end.r[REG_SP];
	}
	memcpy(&outcome->memory, alias, WINDOW_SIZE);
}

static bool same_registers(const struct outcome *a, const struct outcome *b,
			   unsigned int *reg)
{
	bool changed_a, changed_b;
	unsigned int n;

	for (n = 0; n < NUM_REGS; n++) {
		if (n == REG_SP)
			continue;
		*reg = n;
		changed_a = a->end.r[n] != a->start[n];
		changed_b = b->end.r[n] != b->start[n];
		if (changed_a != changed_b ||
		    (changed_a && a->end.r[n] != b->end.r[n]))
			return false;
	}
	return true;
}

static void print_code(const struct code *code)
{
	unsigned int n;

	printf(" code");
	for (n = 0; n < code->len; n++)
		printf(" %02x", code->byte[n]);
}

static bool report_difference(const char *what, const struct code *code,
			      u64 got, u64 wanted)
{
	print_code(code);
	printf(": %s\n %llx != %llx\n", what, got, wanted);
	return false;
}

/* Destination and address share a register that is written only in part. */
static bool ambiguous(const struct insn *insn, const struct mem_form *form,
		      u8 reg)
{
	unsigned int dest = reg;

	if (insn->kind != INSN_LOAD && insn->kind != INSN_LOAD_ZX &&
	    insn->kind != INSN_STORE)
		return false;
	if (insn->access == 1 && insn->kind != INSN_LOAD_ZX && reg < 8 &&
	    !insn->rex && reg >= 4)
		dest = reg - 4;
	return dest == form->base || dest == form->index;
}

static bool run_pair(const struct insn *insn, const struct mem_form *form,
		     u8 reg, u8 *where, unsigned int offset)
{
	struct outcome native, device;
	struct code code;
	unsigned int r;

	offset = offset * insn->access % WINDOW_SIZE;
	run_on(insn, form, reg, where, test.ram, test.ram, offset, &code,
	       &native);
	run_on(insn, form, reg, where, test.window, test.alias, offset, &code,
	       &device);

	if (native.end.vector != 3 || native.end.next != code.len)
		return report_difference("native run is wrong", &code,
					 native.end.next, code.len);
	if (device.end.vector != 3)
		return report_difference("exception", &code,
					 device.end.vector, 3);
	if (device.end.next != code.len)
		return report_difference("length", &code, device.end.next,
					 code.len);
	if (device.memory != native.memory)
		return report_difference("memory", &code, device.memory,
					 native.memory);
	if (!same_registers(&device, &native, &r)) {
		printf(" register %u:", r);
		return report_difference("value", &code, device.end.r[r],
					 native.end.r[r]);
	}
	return true;
}

/* --- sets of cases --- */

static bool needs_register(const struct insn *insn)
{
	return insn->kind <= INSN_STORE;
}

/* Register operands that exist: the stack pointer is not among them. */
static bool register_usable(const struct insn *insn, u8 reg)
{
	bool high_byte = insn->access == 1 && insn->kind != INSN_LOAD_ZX &&
		!insn->rex;

	if (!needs_register(insn))
		return reg == 0;
	/* A REX prefix turns AH into SPL. */
	if (insn->access == 1 && insn->kind != INSN_LOAD_ZX && reg == REG_SP)
		return high_byte;
	return reg != REG_SP;
}

static bool check_registers(const struct insn *insn)
{
	struct mem_form form = { .mod = 0, .index = REG_NONE };
	unsigned int reg, base, n = 0;
	bool ok = true;

	for (reg = 0; reg < NUM_REGS; reg++) {
		for (base = 0; base < NUM_REGS; base++) {
			form.base = base;
			form.mod = (base & 7) == REG_BP ? 1 : 0;
			/* A REX prefix for the base changes the operand. */
			if (!register_usable(insn, reg) || base == REG_SP ||
			    ((base >= 8 || reg >= 8) && insn->access == 1 &&
			     !insn->rex && reg >= 4 && reg < 8) ||
			    ambiguous(insn, &form, reg))
				continue;
			ok &= run_pair(insn, &form, reg, test.code_pages, n++);
		}
	}
	return ok;
}

static bool check_form(const struct insn *insn, struct mem_form form,
		       u8 *where, unsigned int n)
{
	static const u8 candidates[] = { 1, 3, 2 };
	bool ok = true;
	unsigned int i = 0;
	u8 reg;

	do {
		reg = needs_register(insn) ? candidates[i++] : 0;
	} while (ambiguous(insn, &form, reg));
	ok &= run_pair(insn, &form, reg, where, n);
#ifdef __x86_64__
	form.address32 = true;
	/* Relative addresses and the stack are below 4 GiB anyway. */
	ok &= run_pair(insn, &form, reg, where, n);
#endif
	return ok;
}

/* mod x base, with and without index and scale; absolute; relative. */
static bool check_forms(const struct insn *insn)
{
	struct mem_form form = { 0 };
	unsigned int n = 0;
	bool ok = true;

	if (insn->kind >= INSN_LOAD_MOFFS) {
		form.base = form.index = REG_NONE;
		return check_form(insn, form, test.code_pages, 0) &
			check_form(insn, form, test.code_pages, 1);
	}
	for (form.mod = 0; form.mod < 3; form.mod++) {
		for (form.base = 0; form.base < NUM_REGS; form.base++) {
			if (form.mod == 0 && (form.base & 7) == REG_BP)
				continue;
			form.index = REG_NONE;
			if (form.base != REG_SP || form.mod == 2)
				ok &= check_form(insn, form, test.code_pages,
						 n++);
			for (form.index = 0; form.index < 8; form.index++) {
				/* mod 2: any displacement will do. */
				if (form.index == REG_SP ||
				    ((form.base == REG_SP ||
				      form.base == form.index) &&
				     form.mod != 2))
					continue;
				form.scale = n % 4;
				ok &= check_form(insn, form, test.code_pages,
						 n++);
			}
			form.scale = 0;
		}
	}
	form = (struct mem_form){ .base = REG_NONE, .index = REG_NONE };
	ok &= check_form(insn, form, test.code_pages, n++);
	form.index = 6;
	form.scale = 3;
	ok &= check_form(insn, form, test.code_pages, n++);
	form = (struct mem_form){
		.base = REG_NONE, .index = REG_NONE, .rip = true,
	};
	ok &= check_form(insn, form, test.code_pages, n++);
	return ok;
}

/* The longest form, cut by a page boundary at every byte. */
static bool check_straddling(const struct insn *insn)
{
	struct mem_form form = {
		.mod = 2, .base = NUM_REGS == 16 ? 12 : 6, .index = 7,
		.scale = 2,
	};
	unsigned int before;
	bool ok = true;

	if (insn->kind >= INSN_LOAD_MOFFS)
		form.base = form.index = REG_NONE;
	for (before = 1; before < 15; before++)
		ok &= check_form(insn, form,
				 test.code_pages + PAGE_SIZE - before, before);
	return ok;
}

static bool check_line(int line, bool ok)
{
	printf("Test at line #%d %s\n", line, ok ? "passed" : "FAILED");
	return ok;
}

static bool check_insns(const struct insn *insn, unsigned int count)
{
	bool ok = true;

	for (; count; count--, insn++) {
		if (needs_register(insn))
			ok &= check_line(insn->line, check_registers(insn));
		ok &= check_line(insn->line, check_forms(insn));
		ok &= check_line(insn->line, check_straddling(insn));
	}
	return ok;
}

static void mmio_access_init(void)
{
	unsigned long page = cmdline_int("testdev", TESTDEV_PAGE);
	trap_set_handler(3, breakpoint);
	test.window = (u8 *)page + WINDOW_OFFSET;
	test.alias = (u8 *)COMM_REGION_BASE + WINDOW_OFFSET;
	test.ram = heap_alloc(WINDOW_SIZE, WINDOW_SIZE);
	test.code_pages = heap_alloc(2 * PAGE_SIZE, PAGE_SIZE);
}

#endif
