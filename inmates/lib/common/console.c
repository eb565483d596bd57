/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Text output: an 8250 UART and the hypervisor's console, either, both or
 * none.  Settings come from the communication region, con-* parameters win.
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

static void uart_putc(char c)
{
	unsigned int n;

	for (n = 0; n < UART_SPINS; n++) {
		if (uart_read(UART_LSR) & UART_LSR_THRE)
			break;
		cpu_relax();
	}
	uart_write(UART_THR, c);
}

static bool uart_wanted(const struct jailhouse_console *record)
{
	char type[16];

	if (!cmdline_find("con-type", type, sizeof(type)) || !*type)
		return record->type == JAILHOUSE_CON_TYPE_8250;
	return strcmp(type, "8250") == 0;
}

void console_init(void)
{
	const struct jailhouse_console *record = &comm_region()->console;
	u32 flags = comm_region()->flags;

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
	if (con.mmio)
		map_range(con.base, PAGE_SIZE, MAP_UNCACHED);
	uart_init(cmdline_int("con-divider", record->divider),
		  record->flags & JAILHOUSE_CON_MDR_QUIRK);
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
