// SPDX-License-Identifier: GPL-2.0-only
/*
 * Port policy.  The bitmap decides what is direct; what traps is emulated by
 * one of the handlers below or refused (abi.md 10.3).
 */
#include <core/cell.h>
#include <core/page_pool.h>
#include <core/percpu.h>
#include <core/printk.h>
#include <core/seed.h>
#include <lib/string.h>
#include <arch/io.h>
#include <arch/pio.h>

#define PORT_I8042		0x64
#define I8042_CMD_WRITE_OUTPUT	0xd1	/* sets the reset line and A20 */
#define I8042_CMD_PULSE		0xf0	/* 0xf0..0xff pulse the reset line */
#define PORT_POST		0x80
#define PORT_PCI_ADDRESS	0xcf8
#define PORT_PCI_DATA		0xcfc

#define MAX_PORT		0xffff
#define PM_TIMER_PORTS		4

static bool port_granted(const struct cell *cell, unsigned int port)
{
	const struct jailhouse_pio *range = jailhouse_cell_pio(cell->config);
	unsigned int n;

	for (n = 0; n < cell->config->num_pio_regions; n++, range++)
		if (port >= range->base && port - range->base < range->length)
			return true;
	return false;
}

/* Non-root cells other than `except` */
static bool port_taken(unsigned int port, const struct cell *except)
{
	const struct cell *cell;

	for_each_non_root_cell(cell)
		if (cell != except && port_granted(cell, port))
			return true;
	return false;
}

/* What happens to one port of a cell's ranges, in some cell's bitmap */
typedef void (*port_action)(u8 *bitmap, unsigned int port, const struct cell *cell);

static void port_trap(u8 *bitmap, unsigned int port, const struct cell *cell)
{
	(void)cell;
	bitmap[port / 8] |= 1 << (port % 8);
}

static void port_open(u8 *bitmap, unsigned int port, const struct cell *cell)
{
	(void)cell;
	bitmap[port / 8] &= ~(1 << (port % 8));
}

/* The root cell gets a port back if it was its own and nobody else has it. */
static void port_return(u8 *bitmap, unsigned int port, const struct cell *from)
{
	if (port_granted(&root_cell, port) && !port_taken(port, from))
		port_open(bitmap, port, from);
}

static void for_granted_ports(const struct cell *cell, u8 *bitmap, port_action action)
{
	const struct jailhouse_pio *range = jailhouse_cell_pio(cell->config);
	unsigned int n, port;

	for (n = 0; n < cell->config->num_pio_regions; n++, range++)
		for (port = range->base; port < (unsigned int)range->base + range->length &&
		     port <= MAX_PORT; port++)
			action(bitmap, port, cell);
}

static void open_pm_timer(u8 *bitmap)
{
	unsigned int base = system_config->platform_info.x86.pm_timer_address, n;

	if (!base || base > MAX_PORT + 1 - PM_TIMER_PORTS)
		return;
	for (n = 0; n < PM_TIMER_PORTS; n++)
		port_open(bitmap, base + n, NULL);
}

/*
 * Emulated for everybody, whatever the configuration says.  Ports 0xcf9-0xcfb
 * are none of PCI's (0xcf9 is the chipset's reset control): granted like others.
 */
static void trap_emulated(u8 *bitmap)
{
	unsigned int n;

	port_trap(bitmap, PORT_I8042, NULL);
	port_trap(bitmap, PORT_PCI_ADDRESS, NULL);
	for (n = 0; n < 4; n++)
		port_trap(bitmap, PORT_PCI_DATA + n, NULL);
}

static void finish_bitmap(u8 *bitmap)
{
	open_pm_timer(bitmap);
	trap_emulated(bitmap);
}

int pio_cell_init(struct cell *cell)
{
	u8 *bitmap = page_alloc(&mem_pool, PIO_BITMAP_PAGES);

	if (!bitmap)
		return trace_error(-ENOMEM);
	cell->arch.io_bitmap = bitmap;

	memset(bitmap, seeded_port() && cell != &root_cell ? 0 : 0xff,
	       PIO_BITMAP_PAGES * PAGE_SIZE);
	for_granted_ports(cell, bitmap, port_open);
	finish_bitmap(bitmap);

	if (cell != &root_cell) {
		for_granted_ports(cell, root_cell.arch.io_bitmap, port_trap);
		finish_bitmap(root_cell.arch.io_bitmap);
	}
	return 0;
}

void pio_cell_exit(struct cell *cell)
{
	if (!cell->arch.io_bitmap)
		return;
	if (cell != &root_cell && root_cell.arch.io_bitmap) {
		for_granted_ports(cell, root_cell.arch.io_bitmap, port_return);
		finish_bitmap(root_cell.arch.io_bitmap);
	}
	page_free(&mem_pool, cell->arch.io_bitmap, PIO_BITMAP_PAGES);
	cell->arch.io_bitmap = NULL;
}

/* Writes to AL and AX keep the rest of RAX, to EAX clear it (SDM 1, 3.4.1.1). */
void pio_set_result(struct guest_regs *regs, unsigned int size, u32 value)
{
	if (size == 1)
		regs->rax = (regs->rax & ~0xffULL) | (u8)value;
	else if (size == 2)
		regs->rax = (regs->rax & ~0xffffULL) | (u16)value;
	else
		regs->rax = value;
}

/* POST codes: nobody reads them. */
static enum pio_result handle_post(struct guest_regs *regs, const struct pio_exit *io)
{
	if (io->size != 1)
		return PIO_UNHANDLED;
	if (io->in)
		pio_set_result(regs, 1, 0xff);
	return PIO_HANDLED;
}

/* Page registers of the ISA DMA controller, which Linux probes even where there is none. */
static enum pio_result handle_dma_page(struct guest_regs *regs, const struct pio_exit *io)
{
	if (io->size != 1 || !io->in)
		return PIO_UNHANDLED;
	pio_set_result(regs, 1, 0xff);
	return PIO_HANDLED;
}

static bool owns_port(const struct cell *cell, unsigned int port)
{
	if (cell == &root_cell && port_taken(port, NULL))
		return false;
	return port_granted(cell, port);
}

static enum pio_result write_i8042(u8 command)
{
	if (command != I8042_CMD_WRITE_OUTPUT && command < I8042_CMD_PULSE) {
		outb(command, PORT_I8042);
		return PIO_HANDLED;
	}
	panic_printk("FATAL: Invalid write to i8042 controller port, command %x, cell \"%s\", CPU %u\n",
		     command, cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return PIO_ERROR;
}

/* The keyboard controller can reset the machine. */
static __cold enum pio_result handle_i8042(struct guest_regs *regs, const struct pio_exit *io)
{
	if (io->size != 1 || !owns_port(this_cpu()->cell, PORT_I8042))
		return PIO_UNHANDLED;
	if (!io->in)
		return write_i8042((u8)regs->rax);
	pio_set_result(regs, 1, inb(PORT_I8042));
	return PIO_HANDLED;
}

static enum pio_result emulate_port(struct guest_regs *regs, const struct pio_exit *io)
{
	if (io->string_or_rep)
		return PIO_UNHANDLED;
	/* Linux' way to wait a microsecond */
	if (io->port == PORT_POST)
		return handle_post(regs, io);
	switch (io->port) {
	case PORT_PCI_ADDRESS:
	case PORT_PCI_DATA ... PORT_PCI_DATA + 3:
		return pio_handle_pci(regs, io);
	case PORT_I8042:
		return handle_i8042(regs, io);
	case 0x81 ... 0x83:
	case 0x87:
	case 0x89 ... 0x8b:
	case 0x8f:
		return handle_dma_page(regs, io);
	default:
		return PIO_UNHANDLED;
	}
}

static __cold void refuse_access(const struct pio_exit *io)
{
	panic_printk("FATAL: Invalid PIO %s, port: %x size: %u, cell \"%s\", CPU %u: ",
		     io->in ? "read" : "write", io->port, io->size,
		     cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	if (io->string_or_rep)
		panic_printk("string access to a trapped port\n");
	else
		panic_printk("no .pio_regions entry PIO_RANGE(0x%x, %u) grants it\n",
			     io->port, io->size);
}

bool x86_handle_pio(struct guest_regs *regs, const struct pio_exit *io)
{
	enum pio_result result = emulate_port(regs, io);

	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_PIO);
	if (result == PIO_UNHANDLED)
		refuse_access(io);
	return result == PIO_HANDLED;
}
