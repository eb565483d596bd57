// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions that hypervisors must not get stuck in (CVE-2015-5307 and -8104)
 * and still have to deliver.
 *
 *	mode=benign	each once, checked (default)
 *	mode=db-loop	delivering #DB hits a watchpoint, which raises #DB
 *	mode=ac-loop	ring 3 repeats a misaligned access for ever
 *	mode=ud-loop	an endless sequence of #UD, for comparison
 *
 * Output of benign: CHECK <name> ok|failed, DONE exceptions ok|failed.  The
 * loops print LOOP <name> and nothing more; interrupts are off.
 */
#include "report.h"

#define DR6_WATCH0		0x1
#define DR6_STEP		0x4000
#define DR7_WATCH0_WRITE8	0x00090003	/* global, local, 8 bytes */

#define PTE_USER		0x4
#define PTE_ADDRESS		0x000ffffffffff000UL

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3, iomap;
} __attribute__((packed));

extern u64 boot_gdt[];
extern u64 page_map_root[];

static struct tss tss;
static u64 watched __attribute__((aligned(16)));
static volatile unsigned long db_count, db_dr6;
static volatile unsigned long ac_count, ac_error, ac_cs;

static unsigned long dr6_read(void)
{
	unsigned long value;

	asm volatile("mov %%dr6, %0" : "=r" (value));
	return value;
}

static void dr6_write(unsigned long value)
{
	asm volatile("mov %0, %%dr6" : : "r" (value));
}

static void dr7_write(unsigned long value)
{
	asm volatile("mov %0, %%dr7" : : "r" (value));
}

static void dr0_write(unsigned long value)
{
	asm volatile("mov %0, %%dr0" : : "r" (value));
}

static void tss_init(void)
{
	u64 base = (unsigned long)&tss;

	tss.rsp[0] = (unsigned long)heap_alloc(PAGE_SIZE, 16) + PAGE_SIZE;
	tss.ist[0] = (unsigned long)heap_alloc(PAGE_SIZE, 16) + PAGE_SIZE;
	tss.iomap = sizeof(tss);
	boot_gdt[SEG_TSS / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 |
		0x0000890000000000UL | (base >> 24 & 0xff) << 56;
	boot_gdt[SEG_TSS / 8 + 1] = base >> 32;
	asm volatile("ltr %w0" : : "r" (SEG_TSS));
}

/* The first 2 MiB become ring 3's, too. */
static void allow_user(void)
{
	u64 *table = page_map_root;
	int level;

	for (level = 0; level < 3; level++) {
		table[0] |= PTE_USER;
		table = (u64 *)(table[0] & PTE_ADDRESS);
	}
	cr3_write(cr3_read());
}

static bool check(const char *name, bool ok)
{
	printf("CHECK %s %s\n", name, ok ? "ok" : "failed");
	return ok;
}

/* --- #DB --- */

static void debug_handler(struct trap_frame *frame)
{
	db_count++;
	db_dr6 = dr6_read();
	dr6_write(0);
	frame->rflags &= ~X86_RFLAGS_TF;
}

static bool check_step(void)
{
	db_count = 0;
	asm volatile(
		"pushfq\n\t"
		"orl %0, (%%rsp)\n\t"
		"popfq\n\t"
		"nop\n\t"
		"nop"
		: : "i" (X86_RFLAGS_TF) : "memory", "cc");
	return check("step", db_count == 1 && (db_dr6 & DR6_STEP));
}

#define WATCHPOINT_TRIES	3

/* QEMU's translator was seen to miss one in dozens of runs: ask again. */
static bool check_watchpoint(void)
{
	unsigned int n;

	db_count = 0;
	dr0_write((unsigned long)&watched);
	for (n = 0; n < WATCHPOINT_TRIES && db_count == 0; n++) {
		dr7_write(DR7_WATCH0_WRITE8);
		*(volatile u64 *)&watched = 1;
		dr7_write(0x400);
	}
	if (n != 1)
		printf("NOTE %u tries, %lu debug exceptions, dr6 %lx\n", n,
		       db_count, db_dr6);
	return check("watchpoint", db_count == 1 && (db_dr6 & DR6_WATCH0));
}

static void db_loop(void)
{
	/* The last word that delivery pushes to this vector's stack. */
	dr0_write(tss.ist[0] - 40);
	dr7_write(DR7_WATCH0_WRITE8);
	trap_set_ist(VECTOR_DB, 1);
	printf("LOOP db-loop\n");
	/* Where delivery itself raises nothing (emulators), this does, for ever. */
	for (;;)
		*(volatile u64 *)(tss.ist[0] - 40) = 0;
}

/* --- #AC --- */

static void alignment_catch(struct trap_frame *frame)
{
	ac_count++;
	ac_error = frame->error;
	ac_cs = frame->cs;
	trap_unwind(frame);
}

static void alignment_repeat(struct trap_frame *frame __maybe_unused)
{
	ac_count++;
}

/* Ring 3 with AC set and interrupts off; leaves through an exception. */
static void misaligned_user(void *arg __maybe_unused)
{
	unsigned long sp = (unsigned long)heap_alloc(PAGE_SIZE, 16) + 2048;

	asm volatile(
		"pushq %0\n\t"
		"pushq %1\n\t"
		"pushq %2\n\t"
		"pushq %3\n\t"
		"pushq $1f\n\t"
		"iretq\n"
		"1:\tmovl 1(%%rsp), %%eax\n\t"
		"ud2"
		: : "i" (SEG_USER_DATA | 3), "r" (sp),
		  "i" (X86_RFLAGS_AC | 2), "i" (SEG_USER_CODE64 | 3)
		: "rax", "memory");
}

static bool check_alignment(void)
{
	int vector;

	cr0_write(cr0_read() | X86_CR0_AM);
	trap_set_handler(VECTOR_AC, alignment_catch);
	vector = trap_catch(misaligned_user, 0);
	if (vector == VECTOR_UD) {
		/* QEMU's translator does not check alignment. */
		printf("NOTE no alignment checks here\n");
		return true;
	}
	return check("alignment", vector == VECTOR_AC && ac_count == 1 &&
		     ac_error == 0 && (ac_cs & 3) == 3);
}

static void ac_loop(void)
{
	cr0_write(cr0_read() | X86_CR0_AM);
	trap_set_handler(VECTOR_AC, alignment_repeat);
	printf("LOOP ac-loop\n");
	misaligned_user(0);
}

/* --- others --- */

static void do_undefined(void *arg __maybe_unused)
{
	asm volatile("ud2");
}

static void do_divide(void *arg __maybe_unused)
{
	asm volatile("div %b0" : : "q" (0) : "eax");
}

static void do_breakpoint(void *arg __maybe_unused)
{
	asm volatile("int3");
}

static void do_protection(void *arg __maybe_unused)
{
	asm volatile("mov %w0, %%fs" : : "r" (0xfff8));
}

static void do_page_fault(void *arg __maybe_unused)
{
	*(volatile u32 *)0x7fffdeadb00UL = 1;
}

static bool check_catch(const char *name, void (*fn)(void *), int vector,
			unsigned long error)
{
	return check(name, trap_catch(fn, 0) == vector &&
		     trap_caught.error == error);
}

static void undefined_again(struct trap_frame *frame __maybe_unused)
{
}

static void ud_loop(void)
{
	trap_set_handler(VECTOR_UD, undefined_again);
	printf("LOOP ud-loop\n");
	do_undefined(0);
}

static bool benign(void)
{
	bool ok = true;

	ok &= check_step();
	ok &= check_watchpoint();
	ok &= check_alignment();
	ok &= check_catch("undefined", do_undefined, VECTOR_UD, 0);
	ok &= check_catch("divide", do_divide, 0, 0);
	ok &= check_catch("breakpoint", do_breakpoint, 3, 0);
	ok &= check_catch("protection", do_protection, VECTOR_GP, 0xfff8);
	ok &= check_catch("page-fault", do_page_fault, VECTOR_PF, 2) &&
		check("cr2", trap_caught.cr2 == 0x7fffdeadb00UL);
	return ok;
}

void inmate_main(void)
{
	char mode[12] = "benign";

	cmdline_find("mode", mode, sizeof(mode));
	tss_init();
	allow_user();
	trap_set_handler(VECTOR_DB, debug_handler);
	if (strcmp(mode, "db-loop") == 0)
		db_loop();
	if (strcmp(mode, "ac-loop") == 0)
		ac_loop();
	if (strcmp(mode, "ud-loop") == 0)
		ud_loop();
	report_done("exceptions", benign());
}
