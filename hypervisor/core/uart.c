// SPDX-License-Identifier: GPL-2.0-only
/*
 * 8250 by ports or memory (abi.md 1.12), and what else the architecture has.
 * Other types: log page only, with one line.
 */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/paging.h>
#include <core/printk.h>
#include <core/uart.h>
#include <arch/cpu.h>
#include <arch/io.h>
#include <arch/uart.h>

#define UART_TX		0	/* also divider, low */
#define UART_DLM	1
#define UART_LCR	3
#define   LCR_8N1	0x03
#define   LCR_DLAB	0x80
#define UART_LSR	5
#define   LSR_TX_EMPTY	0x20

/*
 * A character takes 87 us at 115200 baud; an emulator whose reader is starved
 * takes much longer, and its text is wanted all the same.
 */
#define TX_WAIT_MS	2000

static struct {
	enum { UART_OFF, UART_PORTS, UART_BYTES, UART_WORDS, UART_OTHER } access;
	const struct uart_driver *driver;	/* UART_OTHER */
	u16 port;
	char *base;
	bool stuck;	/* did not take a character in time: don't wait every time */
	bool done;
} uart;

static void uart_write(unsigned int reg, u8 value)
{
	switch (uart.access) {
	case UART_PORTS:
		outb(value, (u16)(uart.port + reg));
		break;
	case UART_BYTES:
		mmio_write8(uart.base + reg, value);
		break;
	case UART_WORDS:
		mmio_write32(uart.base + 4 * reg, value);
		break;
	case UART_OTHER:
	case UART_OFF:
		break;
	}
}

static u8 uart_read(unsigned int reg)
{
	switch (uart.access) {
	case UART_PORTS:
		return inb((u16)(uart.port + reg));
	case UART_BYTES:
		return mmio_read8(uart.base + reg);
	case UART_WORDS:
		return (u8)mmio_read32(uart.base + 4 * reg);
	case UART_OTHER:
	case UART_OFF:
		break;
	}
	return 0xff;
}

static bool uart_ready(void)
{
	if (uart.access == UART_OTHER)
		return uart.driver->ready(uart.base);
	return uart_read(UART_LSR) & LSR_TX_EMPTY;
}

static void uart_send(char c)
{
	if (uart.access == UART_OTHER)
		uart.driver->send(uart.base, (u8)c);
	else
		uart_write(UART_TX, (u8)c);
}

void uart_putc(char c)
{
	/* The clock takes longer than a character where there is nothing to wait for. */
	u64 end = 0;

	if (uart.access == UART_OFF)
		return;
	while (!uart_ready()) {
		if (!end) {
			end = ticks_from_now(uart.stuck ? 0 : TX_WAIT_MS);
		} else if ((s64)(arch_ticks() - end) > 0) {
			uart.stuck = true;
			return;
		}
		cpu_relax();
	}
	uart.stuck = false;
	uart_send(c);
}

static void uart_set_divider(u32 divider)
{
	if (divider == 0)
		return;
	uart_write(UART_LCR, LCR_DLAB);
	uart_write(UART_TX, (u8)divider);
	uart_write(UART_DLM, (u8)(divider >> 8));
	uart_write(UART_LCR, LCR_8N1);
}

static void uart_init_8250(const struct jailhouse_console *con)
{
	if (!(con->flags & JAILHOUSE_CON_ACCESS_MMIO)) {
		uart.port = (u16)con->address;
		uart.access = UART_PORTS;
	} else {
		uart.base = hv_map(hpa(con->address), con->size,
				   PG_READ | PG_WRITE | PG_DEVICE);
		if (uart.base)
			uart.access = con->flags & JAILHOUSE_CON_REGDIST_4 ?
				UART_WORDS : UART_BYTES;
	}
	uart_set_divider(con->divider);
}

static void uart_init_other(const struct jailhouse_console *con)
{
	uart.driver = arch_uart_driver(con->type);
	if (!uart.driver) {
		printk("Console type %u is not supported, using the log page only\n", con->type);
		return;
	}
	uart.base = hv_map(hpa(con->address), con->size, PG_READ | PG_WRITE | PG_DEVICE);
	if (!uart.base)
		return;
	if (con->divider && uart.driver->init)
		uart.driver->init(uart.base, con->divider);
	uart.access = UART_OTHER;
}

void console_init(void)
{
	const struct jailhouse_console *con = &system_config->debug_console;

	if (uart.done)
		return;
	uart.done = true;
	if (con->type == JAILHOUSE_CON_TYPE_8250)
		uart_init_8250(con);
	else if (con->type != JAILHOUSE_CON_TYPE_NONE)
		uart_init_other(con);
}
