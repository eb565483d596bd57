// SPDX-License-Identifier: GPL-2.0-only
/*
 * Configuration mechanism #1 (PCI 3.0 3.2.2.3.2), for cells and for ourselves,
 * and the MMCONFIG window.
 *
 * Each cell has an address register of its own, which never reaches the
 * hardware.  Bits 24-27 are reserved in PCI 3.0; AMD's northbridges take them
 * as register bits 8-11 (BKDG, "IOCFGADDR"), and so do we: an access to an
 * extended register never hits another one in the first 256 bytes.
 */
#include <core/device_lock.h>
#include <core/mmio.h>
#include <core/paging.h>
#include <core/pci.h>
#include <core/percpu.h>
#include <core/printk.h>
#include <arch/io.h>
#include <arch/pci.h>
#include <arch/pio.h>

#define PORT_ADDRESS		0xcf8
#define PORT_DATA		0xcfc

#define ADDRESS_ENABLE		0x80000000
#define ADDRESS_WRITABLE	0x8ffffffc	/* enable, register 11:8, bus, device, function, register */
#define ADDRESS_BDF(a)		((a) >> 8 & 0xffff)
#define ADDRESS_REG(a)		(((a) & 0xfc) | ((a) >> 16 & 0xf00))

static struct device_lock port_lock;	/* address and data belong together */
static void *mmconfig;			/* NULL: ports only */

static u64 mmconfig_size(void)
{
	return (system_config->platform_info.pci_mmconfig_end_bus + 1ULL) << 20;
}

int arch_pci_init(void)
{
	u64 base = system_config->platform_info.pci_mmconfig_base;

	if (!base)
		return 0;
	mmconfig = hv_map(hpa(base), mmconfig_size(), PG_READ | PG_WRITE | PG_DEVICE);
	return mmconfig ? 0 : trace_error(-ENOMEM);
}

/* --- Raw access --- */

static void *mmconfig_reg(u16 bdf, u16 reg)
{
	if (!mmconfig || PCI_BUS(bdf) > system_config->platform_info.pci_mmconfig_end_bus)
		return NULL;
	return (u8 *)mmconfig + ((u64)bdf << 12) + reg;
}

static u16 select_port(u16 bdf, u16 reg)
{
	outl(ADDRESS_ENABLE | (u32)bdf << 8 | (reg & 0xfc), PORT_ADDRESS);
	return PORT_DATA + (reg & 3);
}

static u32 ports_read(u16 bdf, u16 reg, unsigned int size)
{
	u32 value;
	u16 port;

	if (reg >= 0x100)
		return ~0U;	/* out of reach */
	device_lock(&port_lock);
	port = select_port(bdf, reg);
	value = size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
	device_unlock(&port_lock);
	return value;
}

static void ports_write(u16 bdf, u16 reg, u32 value, unsigned int size)
{
	u16 port;

	if (reg >= 0x100)
		return;
	device_lock(&port_lock);
	port = select_port(bdf, reg);
	if (size == 1)
		outb(value, port);
	else if (size == 2)
		outw(value, port);
	else
		outl(value, port);
	device_unlock(&port_lock);
}

u32 arch_pci_read(u16 bdf, u16 reg, unsigned int size)
{
	void *address = mmconfig_reg(bdf, reg);

	if (!address)
		return ports_read(bdf, reg, size);
	if (size == 1)
		return mmio_read8(address);
	return size == 2 ? mmio_read16(address) : mmio_read32(address);
}

void arch_pci_write(u16 bdf, u16 reg, u32 value, unsigned int size)
{
	void *address = mmconfig_reg(bdf, reg);

	if (!address)
		ports_write(bdf, reg, value, size);
	else if (size == 1)
		mmio_write8(address, value);
	else if (size == 2)
		mmio_write16(address, value);
	else
		mmio_write32(address, value);
}

/* --- Cells --- */

/* Other sizes are not meant for the address register (PCI 3.0 3.2.2.3.2). */
static enum pio_result access_address(struct cell *cell, struct guest_regs *regs,
				      const struct pio_exit *io)
{
	if (io->size != 4) {
		panic_printk("FATAL: Invalid PCI config %s, port: %x, size: %u, cell \"%s\", CPU %u\n",
			     io->in ? "read" : "write", io->port, io->size, cell_name(cell),
			     this_cpu()->cpu_id);
		return PIO_ERROR;
	}
	if (io->in)
		pio_set_result(regs, 4, cell->arch.pci_addr_port);
	else
		cell->arch.pci_addr_port = (u32)regs->rax & ADDRESS_WRITABLE;
	return PIO_HANDLED;
}

/* Without the enable bit the ports address nothing. */
static bool access_data(struct cell *cell, const struct pio_exit *io, u32 *value)
{
	u32 address = cell->arch.pci_addr_port;
	u16 reg = ADDRESS_REG(address) + (io->port - PORT_DATA);

	if (!(address & ADDRESS_ENABLE)) {
		*value = ~0U;
		return true;
	}
	return pci_config_access(cell, "config", ADDRESS_BDF(address), reg, io->size, !io->in,
				 value);
}

enum pio_result pio_handle_pci(struct guest_regs *regs, const struct pio_exit *io)
{
	struct cell *cell = this_cpu()->cell;
	u32 value = (u32)regs->rax;

	if (io->port < PORT_DATA)
		return access_address(cell, regs, io);
	if (!access_data(cell, io, &value))
		return PIO_ERROR;
	if (io->in)
		pio_set_result(regs, io->size, value);
	return PIO_HANDLED;
}
