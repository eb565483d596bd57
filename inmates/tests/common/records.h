/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Measurements leave a program through QEMU's debug port, which costs no exit
 * and is no console.  One line a series, decimal, in TSC ticks:
 *
 *	<series> <what> <sample> <sample> ...
 *
 * and END <program> when all is said.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include <inmate.h>

#define DEBUG_PORT	0xe9
/* Longer than any of the rounds by which an emulator switches CPUs */
#define PATIENCE_NS	(2 * NS_PER_SEC)

static inline void record_text(const char *text)
{
	while (*text)
		port_out8(DEBUG_PORT, *text++);
}

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

/* Nothing answers hypercalls on the bare machine (abi.md 3.2). */
static inline bool in_cell(void)
{
	return cpuid(0x40000000, 0).ebx == 0x6c69614a;
}

#endif
