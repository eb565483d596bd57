/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Measurements leave a program on a way that costs no exit and is no console:
 * through QEMU's debug port on x86, by semihosting on ARM.  One line a series,
 * decimal, in ticks of the clock:
 *
 *	<series> <what> <sample> <sample> ...
 *
 * and END <program> when all is said.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include <inmate.h>

/* Longer than any of the rounds by which an emulator switches CPUs */
#define PATIENCE_NS	(2 * NS_PER_SEC)

#ifdef __aarch64__
#define SYS_WRITE0	0x04	/* Arm IHI 0203, 6.22: a string, to the debug console */

static inline void record_text(const char *text)
{
	register u64 w0 asm("x0") = SYS_WRITE0;
	register const char *x1 asm("x1") = text;

	asm volatile("hlt #0xf000" : "+r" (w0) : "r" (x1) : "memory");
}
#else
#define DEBUG_PORT	0xe9

static inline void record_text(const char *text)
{
	while (*text)
		port_out8(DEBUG_PORT, *text++);
}

/* Nothing answers hypercalls on the bare machine (abi.md 3.2). */
static inline bool in_cell(void)
{
	return cpuid(0x40000000, 0).ebx == 0x6c69614a;
}
#endif

static inline void record_series(const char *series, const char *what, const u64 *samples,
				 unsigned int count)
{
	char text[32];
	unsigned int n;

	record_text(series);
	record_text(" ");
	record_text(what);
	for (n = 0; n < count; n++) {
		snprintf(text, sizeof(text), " %llu", samples[n]);
		record_text(text);
	}
	record_text("\n");
}

static inline void __noreturn record_end(const char *program)
{
	record_text("END ");
	record_text(program);
	record_text("\n");
	stop();
}

#endif
