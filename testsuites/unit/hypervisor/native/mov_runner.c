// SPDX-License-Identifier: GPL-2.0-only
/*
 * Executes MOV instructions natively, one at a time: cases from stdin, results
 * to stdout (mov_case.h).
 *
 * Two traced children share a code area.  In one the data windows are not
 * accessible: the page fault tells the address, as a nested page fault would.
 * In the other they are aliases of one piece of shared memory, and the
 * instruction runs.  16- and 32-bit code runs in segments of the LDT.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include "mov_case.h"

#define UNIT		0x30000000ULL		/* low half of every address register, roughly */
#define UNIT_64		0x1230000000ULL		/* all of it in 64-bit mode */
#define CODE		0x28000000ULL
#define CODE_SIZE	0x10000

#define DATA_VALUE	0xfedcba9876543210ULL

/* Selectors of the LDT, RPL 3 */
#define CODE_16		0x07
#define CODE_32		0x0f
#define DATA		0x17

/* Multiples of UNIT modulo 4 GiB, and of UNIT_64, that base + index * scale can reach */
static const uint64_t windows[] = {
	UNIT, 0x60000000, 0x90000000, 0xc0000000, 0xf0000000, 0x80000000, 0xb0000000,
	0x20000000, 0xe0000000,
	UNIT_64, 2 * UNIT_64, 3 * UNIT_64, 4 * UNIT_64, 5 * UNIT_64, 8 * UNIT_64, 9 * UNIT_64,
};

static uint8_t *code, *window;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *map(uint64_t where, size_t size, int prot, int fd)
{
	void *p = mmap((void *)where, size, prot, MAP_SHARED | (where ? MAP_FIXED : 0), fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static void add_segment(unsigned int entry, uint64_t base, unsigned int contents, int is_32bit)
{
	struct user_desc desc = {
		.entry_number = entry, .base_addr = (unsigned int)base, .limit = 0xfffff,
		.seg_32bit = is_32bit, .contents = contents, .limit_in_pages = 1, .useable = 1,
	};

	if (syscall(SYS_modify_ldt, 1, &desc, sizeof(desc)))
		die("modify_ldt");
}

static pid_t start_child(int code_fd, int window_fd, int prot)
{
	pid_t pid = fork();
	size_t n;

	if (pid < 0)
		die("fork");
	if (pid) {
		int status;

		if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			die("child");
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	map(CODE, CODE_SIZE, PROT_READ | PROT_EXEC, code_fd);
	for (n = 0; n < sizeof(windows) / sizeof(windows[0]); n++)
		map(windows[n] - MOV_WINDOW_BEFORE, MOV_WINDOW_SIZE, prot, window_fd);
	add_segment(0, CODE, 2, 0);
	add_segment(1, CODE, 2, 1);
	add_segment(2, UNIT, 0, 1);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	_exit(0);
}

static void to_array(const struct user_regs_struct *r, uint64_t a[16])
{
	const uint64_t values[16] = {
		r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi,
		r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15,
	};

	memcpy(a, values, sizeof(values));
}

static void from_array(struct user_regs_struct *r, const uint64_t a[16])
{
	r->rax = a[0]; r->rcx = a[1]; r->rdx = a[2]; r->rbx = a[3];
	r->rsp = a[4]; r->rbp = a[5]; r->rsi = a[6]; r->rdi = a[7];
	r->r8 = a[8]; r->r9 = a[9]; r->r10 = a[10]; r->r11 = a[11];
	r->r12 = a[12]; r->r13 = a[13]; r->r14 = a[14]; r->r15 = a[15];
}

static void set_up(struct user_regs_struct *regs, const struct mov_case *c, uint64_t values[16])
{
	unsigned int n;

	for (n = 0; n < 16; n++)
		values[n] = (c->mode == 64 ? UNIT_64 : UNIT) + n * 0x110 + 0x10;
	if (c->data_reg < 16)
		values[c->data_reg] = c->mode == 64 ? DATA_VALUE : (uint32_t)DATA_VALUE;
	from_array(regs, values);
	regs->orig_rax = -1ULL;
	regs->fs_base = regs->gs_base = 0;
	regs->rip = c->code_offset;
	if (c->mode == 64) {
		regs->rip += CODE;
		return;
	}
	regs->cs = c->mode == 16 ? CODE_16 : CODE_32;
	regs->ds = regs->es = regs->fs = regs->gs = regs->ss = DATA;
}

static int step(pid_t pid, struct user_regs_struct *regs)
{
	int status;

	if (ptrace(PTRACE_SETREGS, pid, NULL, regs) ||
	    ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) ||
	    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		die("step");
	if (ptrace(PTRACE_GETREGS, pid, NULL, regs))
		die("getregs");
	return WSTOPSIG(status);
}

static int find_window(uint64_t address, uint32_t *offset)
{
	size_t n;

	for (n = 0; n < sizeof(windows) / sizeof(windows[0]); n++) {
		uint64_t start = windows[n] - MOV_WINDOW_BEFORE;

		if (address >= start && address - start <= MOV_WINDOW_SIZE - 8) {
			*offset = (uint32_t)(address - start);
			return 1;
		}
	}
	return 0;
}

/* Looks at the neighbourhood only; the whole window is compared once at the end. */
static void look_at_memory(struct mov_result *result)
{
	uint32_t first = result->window_offset, n;

	for (n = first - 16; n < first + 24; n++) {
		if (n >= first && n < first + 8)
			result->memory[n - first] = window[n];
		else if (window[n] != mov_pattern(n))
			result->stray = 1;
		window[n] = mov_pattern(n);
	}
}

static void run(pid_t faulter, pid_t executor, const struct user_regs_struct *pristine,
		const struct mov_case *c, struct mov_result *result)
{
	struct user_regs_struct regs = *pristine;
	siginfo_t info;

	memset(result, 0, sizeof(*result));
	memcpy(code + c->code_offset, c->code, sizeof(c->code));
	set_up(&regs, c, result->before);
	if (step(faulter, &regs) != SIGSEGV) {
		result->status = MOV_NO_ACCESS;
		return;
	}
	if (ptrace(PTRACE_GETSIGINFO, faulter, NULL, &info))
		die("siginfo");
	if (!find_window((uint64_t)info.si_addr, &result->window_offset)) {
		result->status = MOV_OUTSIDE;
		return;
	}
	regs = *pristine;
	set_up(&regs, c, result->before);
	if (step(executor, &regs) != SIGTRAP) {
		result->status = MOV_SIGNAL;
		return;
	}
	to_array(&regs, result->after);
	result->rip_delta = (uint32_t)(regs.rip - (c->mode == 64 ? CODE : 0) - c->code_offset);
	look_at_memory(result);
}

/* Tracer and children take turns: waking another CPU would only cost time. */
static void stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void fill_window(void)
{
	uint32_t n;

	for (n = 0; n < MOV_WINDOW_SIZE; n++)
		window[n] = mov_pattern(n);
}

int main(void)
{
	int code_fd = memfd_create("code", 0), window_fd = memfd_create("window", 0);
	struct user_regs_struct pristine;
	struct mov_result result;
	pid_t faulter, executor;
	struct mov_case c;
	uint32_t n;

	if (ftruncate(code_fd, CODE_SIZE) || ftruncate(window_fd, MOV_WINDOW_SIZE))
		die("memfd");
	code = map(0, CODE_SIZE, PROT_READ | PROT_WRITE, code_fd);
	window = map(0, MOV_WINDOW_SIZE, PROT_READ | PROT_WRITE, window_fd);
	fill_window();
	stay_on_one_cpu();
	faulter = start_child(code_fd, window_fd, PROT_NONE);
	executor = start_child(code_fd, window_fd, PROT_READ | PROT_WRITE);
	if (ptrace(PTRACE_GETREGS, executor, NULL, &pristine))
		die("getregs");

	while (fread(&c, sizeof(c), 1, stdin) == 1) {
		run(faulter, executor, &pristine, &c, &result);
		if (fwrite(&result, sizeof(result), 1, stdout) != 1)
			die("write");
	}
	kill(faulter, SIGKILL);
	kill(executor, SIGKILL);
	for (n = 0; n < MOV_WINDOW_SIZE; n++)
		if (window[n] != mov_pattern(n)) {
			fprintf(stderr, "window changed at 0x%x\n", n);
			return 1;
		}
	return fflush(stdout) ? 1 : 0;
}
