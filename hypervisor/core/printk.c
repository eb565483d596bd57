// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output goes to the log page, where Linux reads it (abi.md 2.2), and to the
 * UART.  One lock keeps lines of several CPUs apart.
 */
#include <jailhouse/image.h>
#include <core/percpu.h>
#include <core/printk.h>
#include <core/sections.h>
#include <core/uart.h>
#include <arch/cpu.h>
#include <lib/format.h>
#include <lib/spinlock.h>

/* How long output of others waits for a panic to end, and a panic for the lock. */
#define PANIC_WAIT_TURNS	10000000UL
#define NO_CPU			(~0U)

/* A page of its own: Linux may map it. */
union console_page {
	struct jailhouse_virt_console ring;
	u8 page[PAGE_SIZE];
} console_page __aligned(4096) __console_section = { .ring = { .busy = 0 } };

static u32 console_lock;
static volatile u32 panic_cpu = NO_CPU;

static void ring_putc(char c)
{
	struct jailhouse_virt_console *ring = &console_page.ring;

	ring->content[ring->tail % JAILHOUSE_CONSOLE_SIZE] = c;
	ring->tail++;
}

static void ring_begin(void)
{
	console_page.ring.busy = 1;
	memory_barrier();
}

static void ring_end(void)
{
	memory_barrier();
	console_page.ring.busy = 0;
}

static void text_putc(void *arg, char c)
{
	(void)arg;
	ring_putc(c);
	if (c == '\n')
		uart_putc('\r');
	uart_putc(c);
}

static void output(const char *fmt, __builtin_va_list args)
{
	ring_begin();
	format_text(text_putc, NULL, fmt, args);
	ring_end();
}

/* Another CPU's panic is on the screen: wait a little, then give up. */
static bool panic_elsewhere(void)
{
	u32 me = this_cpu()->cpu_id;

	for (unsigned long turns = 0; turns < PANIC_WAIT_TURNS; turns++) {
		u32 owner = panic_cpu;

		if (owner == NO_CPU || owner == me)
			return false;
		cpu_relax();
	}
	return true;
}

void printk(const char *fmt, ...)
{
	__builtin_va_list args;

	if (panic_elsewhere())
		return;
	__builtin_va_start(args, fmt);
	spin_lock(&console_lock);
	output(fmt, args);
	spin_unlock(&console_lock);
	__builtin_va_end(args);
}

void console_putc(char c)
{
	if (panic_elsewhere())
		return;
	spin_lock(&console_lock);
	ring_begin();
	ring_putc(c);
	ring_end();
	uart_putc(c);
	spin_unlock(&console_lock);
}

void panic_begin(void)
{
	u32 me = this_cpu()->cpu_id, free;

	if (panic_cpu == me)
		return;
	for (unsigned long turns = 0; turns < PANIC_WAIT_TURNS; turns++) {
		free = NO_CPU;
		if (__atomic_compare_exchange_n(&panic_cpu, &free, me, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return;
		cpu_relax();
	}
	/* The other one died in its panic. */
	panic_cpu = me;
}

void panic_end(void)
{
	u32 me = this_cpu()->cpu_id;

	__atomic_compare_exchange_n(&panic_cpu, &me, NO_CPU, false,
				    __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* The lock may be held by a CPU that stopped, or by ourselves: it is no obstacle for long. */
void panic_printk(const char *fmt, ...)
{
	__builtin_va_list args;
	bool locked = false;

	for (unsigned long turns = 0; turns < PANIC_WAIT_TURNS && !locked; turns++) {
		locked = spin_trylock(&console_lock);
		cpu_relax();
	}
	__builtin_va_start(args, fmt);
	output(fmt, args);
	__builtin_va_end(args);
	if (locked)
		spin_unlock(&console_lock);
}
