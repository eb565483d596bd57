/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text for people: debug console and log page.
 * Formats: %c %d %p %s %u %x with l, ll, width and 0 (abi.md 11.1).
 */
#ifndef CORE_PRINTK_H
#define CORE_PRINTK_H

#include <core/types.h>

void printk(const char *fmt, ...) __printf(1, 2);

/* Between panic_begin() and panic_end() only the calling CPU prints. */
void panic_begin(void);
void panic_end(void);
void panic_printk(const char *fmt, ...) __printf(1, 2);

/* One character of a cell (hypercall 8), unbuffered. */
void console_putc(char c);

/* Sets up the UART of the system configuration; later calls do nothing. */
void console_init(void);

#ifdef CONFIG_TRACE_ERROR
#define trace_error(code) ({						\
	printk("%s:%d: returning error %s\n", __FILE__, __LINE__, #code); \
	(code);								\
})
#else
#define trace_error(code)	(code)
#endif

#endif
