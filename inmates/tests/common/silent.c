// SPDX-License-Identifier: GPL-2.0-only
/*
 * Says nothing, in one of three ways (how=<word>): "spin" turns in a loop, "halt"
 * waits for an interrupt that never comes, "storm" leaves the guest all the time.
 * For tests of hang reports, which look for the names of these functions.
 */
#include "report.h"

static volatile bool something_comes;

static __attribute__((noinline)) void wait_for_something(void)
{
	while (!something_comes)
		cpu_relax();
}

/* What no hardware answers by itself */
static inline void ask(void)
{
#ifdef __aarch64__
	hypercall(~0U, 0, 0);
#else
	u32 eax, ebx, ecx, edx;

	asm volatile("cpuid" : "=a" (eax), "=b" (ebx), "=c" (ecx), "=d" (edx) : "a" (0), "c" (0));
#endif
}

static __attribute__((noinline)) void ask_for_ever(void)
{
	while (!something_comes)
		ask();
}

void inmate_main(void)
{
	char how[8] = "";

	cmdline_find("how", how, sizeof(how));
	if (how[0] == 's' && how[1] == 'p')
		wait_for_something();
	else if (how[0] == 's')
		ask_for_ever();
	halt();
}
