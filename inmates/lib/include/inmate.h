/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Library of bare-metal programs that run in a cell.
 *
 * A program is one flat binary linked at 0 that defines inmate_main().  State
 * that changes must not have an initialiser: a cell may be started again
 * without being loaded again, and then only .bss is cleared.
 */
#ifndef INMATE_H
#define INMATE_H

#include <stdarg.h>
#include <stddef.h>

#include <jailhouse/types.h>
#include <jailhouse/console.h>
#include <jailhouse/hypercall.h>

typedef _Bool bool;
#define true			1
#define false			0

#define PAGE_SIZE		4096UL
#define NS_PER_USEC		1000UL
#define NS_PER_MSEC		1000000UL
#define NS_PER_SEC		1000000000UL

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define ALIGN_UP(x, a)		(((x) + (a) - 1) & ~((a) - 1))
#define __maybe_unused		__attribute__((unused))
#define __noreturn		__attribute__((noreturn))

#include <arch/inmate.h>

/* The program itself. Returning from it is stop(). */
void inmate_main(void);

/* --- end of a program --- */

/* Halts this CPU for ever; the cell's state stays as it is. */
void __noreturn halt(void);

/*
 * The cell has finished: state SHUT_DOWN, so that management never waits for
 * an answer and no lock outlives the program; then halts this CPU.  Not for
 * cells whose communication region is read-only.
 */
void __noreturn stop(void);

/* --- communication region --- */

static inline struct jailhouse_comm_region *comm_region(void)
{
	struct jailhouse_comm_region *comm = (void *)COMM_REGION_BASE;

	/* Hides from the compiler that this is a constant address. */
	asm("" : "+r" (comm));
	return comm;
}

static inline void comm_set_state(u32 state)
{
	comm_region()->cell_state = state;
}

/* Takes the pending message, JAILHOUSE_MSG_NONE when there is none. */
u32 comm_poll_message(void);
/* Answers a message that comm_poll_message() returned. */
void comm_reply(u32 reply);
/* Approves shutdown requests (then stops), receives notices. */
void comm_serve(void);

/* --- command line --- */

#define CMDLINE_DEFAULT_SIZE	256

/* Gives a program a command line buffer of its own size. */
#define CMDLINE_BUFFER(size)						\
	const char cmdline[size] __attribute__((section(".cmdline")));	\
	const unsigned long cmdline_size = (size)

extern const char cmdline[];
extern const unsigned long cmdline_size;

/* Value of name=value; false when the parameter is absent. */
bool cmdline_find(const char *name, char *value, unsigned long size);
bool cmdline_flag(const char *name, bool absent);
s64 cmdline_int(const char *name, s64 absent);
/* Signed decimal or 0x hexadecimal; false when text is neither. */
bool parse_int(const char *text, s64 *value);

/* --- console --- */

/* A UART that is not an 8250; init() also when there is no divider (0). */
struct uart_driver {
	const char *name;	/* con-type= */
	u16 type;
	bool (*ready)(char *base);
	void (*send)(char *base, u8 c);
	void (*init)(char *base, u32 divider);
};

/* Of the architecture; the last one has no name. */
extern const struct uart_driver uart_drivers[];

void console_init(void);
void console_putc(char c);
void console_puts(const char *text);
int vsnprintf(char *buf, unsigned long size, const char *fmt, va_list args);
int __attribute__((format(printf, 3, 4)))
snprintf(char *buf, unsigned long size, const char *fmt, ...);
/* %c %d %i %u %x %p %s %% with l, ll, 0, - and width. One call, one write. */
void __attribute__((format(printf, 1, 2))) printf(const char *fmt, ...);

/* --- memory --- */

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
u32 crc32(u32 crc, const void *data, size_t n);

void heap_init(void);
/* Cleared memory; stops the program with a message when there is none. */
void *heap_alloc(unsigned long size, unsigned long align);
unsigned long heap_available(void);

#endif
