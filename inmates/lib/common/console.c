/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Text output: a UART and the hypervisor's console, either, both or none.
 * Settings come from the communication region, con-* parameters win.  The 8250
 * is here, other UARTs are in uart_drivers[] of the architecture.
 */
#include <inmate.h>

#define UART_THR	0
#define UART_DLL	0
#define UART_DLM	1
#define UART_LCR	3
#define  UART_LCR_8N1	0x03
#define  UART_LCR_DLAB	0x80
#define UART_LSR	5
#define  UART_LSR_THRE	0x20
#define UART_MDR	8

/* A UART that isn't there or has stopped must not stop the program. */
#define UART_SPINS	1000000

static struct {
	const struct uart_driver *driver;	/* NULL: 8250 */
	unsigned long base;
	bool present, mmio, wide, virtual;
	volatile u32 lock;
} con;

static void uart_write(unsigned int reg, u8 value)
{
	if (!con.mmio)
		port_out8(con.base + reg, value);
	else if (con.wide)
		mmio_write32((void *)(con.base + 4 * reg), value);
	else
		mmio_write8((void *)(con.base + reg), value);
}

static u8 uart_read(unsigned int reg)
{
	if (!con.mmio)
		return port_in8(con.base + reg);
	if (con.wide)
		return mmio_read32((void *)(con.base + 4 * reg));
	return mmio_read8((void *)(con.base + reg));
}

static void uart_init(u32 divider, bool mdr_quirk)
{
	if (!divider)
		return;
	uart_write(UART_LCR, UART_LCR_DLAB);
	uart_write(UART_DLL, divider);
	uart_write(UART_DLM, divider >> 8);
	uart_write(UART_LCR, UART_LCR_8N1);
	if (mdr_quirk)
		uart_write(UART_MDR, 0);
}

static bool uart_ready(void)
{
	if (con.driver)
		return con.driver->ready((char *)con.base);
	return uart_read(UART_LSR) & UART_LSR_THRE;
}

static void uart_putc(char c)
{
	unsigned int n;

	for (n = 0; n < UART_SPINS && !uart_ready(); n++)
		cpu_relax();
	if (con.driver)
		con.driver->send((char *)con.base, (u8)c);
	else
		uart_write(UART_THR, c);
}

/* By number or, if there is one, by name. */
static const struct uart_driver *find_driver(const char *name, u16 type)
{
	const struct uart_driver *driver;

	for (driver = uart_drivers; driver->name; driver++)
		if (*name ? strcmp(driver->name, name) == 0 : driver->type == type)
			return driver;
	return 0;
}

/* Which one; con.driver is set unless it is an 8250. False: none. */
static bool uart_wanted(const struct jailhouse_console *record)
{
	char name[16];

	if (!cmdline_find("con-type", name, sizeof(name)))
		name[0] = 0;
	con.driver = find_driver(name, record->type);
	if (con.driver)
		return true;
	return *name ? strcmp(name, "8250") == 0 : record->type == JAILHOUSE_CON_TYPE_8250;
}

/* The gate of its clock, where the configuration or the command line names one. */
static void uart_clock_enable(const struct jailhouse_console *record)
{
	u64 reg = cmdline_int("con-clock-reg", record->clock_reg);
	u32 bit = 1U << (cmdline_int("con-gate-nr", record->gate_nr) & 31);
	bool inverted = cmdline_flag("con-gate-inverted",
				     record->flags & JAILHOUSE_CON_INVERTED_GATE);
	u32 value;

	if (!reg)
		return;
	map_range(reg, sizeof(u32), MAP_UNCACHED);
	value = mmio_read32((void *)(unsigned long)reg);
	mmio_write32((void *)(unsigned long)reg, inverted ? value & ~bit : value | bit);
}

void console_init(void)
{
	const struct jailhouse_console *record = &comm_region()->console;
	u32 flags = comm_region()->flags, divider;

	con.virtual = (flags & JAILHOUSE_COMM_FLAG_DBG_PUTC_PERMITTED) &&
		cmdline_flag("con-virtual",
			     flags & JAILHOUSE_COMM_FLAG_DBG_PUTC_ACTIVE);

	if (!uart_wanted(record))
		return;
	con.base = cmdline_int("con-base", record->address);
	con.mmio = cmdline_flag("con-is-mmio",
				record->flags & JAILHOUSE_CON_ACCESS_MMIO);
	con.wide = !cmdline_flag("con-regdist-1",
				 !(record->flags & JAILHOUSE_CON_REGDIST_4));
	if (con.mmio || con.driver)
		map_range(con.base, PAGE_SIZE, MAP_UNCACHED);
	uart_clock_enable(record);
	divider = cmdline_int("con-divider", record->divider);
	if (con.driver && con.driver->init)
		con.driver->init((char *)con.base, divider);
	else if (!con.driver)
		uart_init(divider, record->flags & JAILHOUSE_CON_MDR_QUIRK);
	con.present = true;
}

static void emit(char c)
{
	if (con.present)
		uart_putc(c);
	if (con.virtual)
		hypercall(JAILHOUSE_HC_DEBUG_CONSOLE_PUTC, (u8)c, 0);
}

void console_putc(char c)
{
	if (c == '\n')
		emit('\r');
	emit(c);
}

/*
 * Lines of several CPUs don't mix.  The wait is bounded: a CPU that was
 * parked while printing must not silence the others.
 */
void console_puts(const char *text)
{
	unsigned long flags = irq_save();
	unsigned int n = 10000000;

	while (__sync_lock_test_and_set(&con.lock, 1) && --n)
		cpu_relax();
	while (*text)
		console_putc(*text++);
	__sync_lock_release(&con.lock);
	irq_restore(flags);
}
