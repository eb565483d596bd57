// SPDX-License-Identifier: GPL-2.0-only
/*
 * Configuration access through MMCONFIG, if there is a controller behind it.
 * MSIs are the interrupt controller's business: a message names an LPI or a
 * message-based SPI, and is written through (abi.md 9.3).
 */
#include <core/cell.h>
#include <core/paging.h>
#include <core/pci.h>
#include <core/printk.h>
#include <arch/io.h>
#include <arch/pci.h>

static void *mmconfig;		/* NULL: no physical controller */

static u64 mmconfig_size(void)
{
	return (system_config->platform_info.pci_mmconfig_end_bus + 1ULL) << 20;
}

int arch_pci_init(void)
{
	u64 base = system_config->platform_info.pci_mmconfig_base;

	if (!base || system_config->platform_info.pci_is_virtual)
		return 0;
	mmconfig = hv_map(hpa(base), mmconfig_size(), PG_READ | PG_WRITE | PG_DEVICE);
	return mmconfig ? 0 : trace_error(-ENOMEM);
}

static void *config_reg(u16 bdf, u16 reg)
{
	if (!mmconfig || PCI_BUS(bdf) > system_config->platform_info.pci_mmconfig_end_bus)
		return NULL;
	return (u8 *)mmconfig + ((u64)bdf << 12) + reg;
}

u32 arch_pci_read(u16 bdf, u16 reg, unsigned int size)
{
	void *address = config_reg(bdf, reg);

	if (!address)
		return ~0U;
	if (size == 1)
		return mmio_read8(address);
	return size == 2 ? mmio_read16(address) : mmio_read32(address);
}

void arch_pci_write(u16 bdf, u16 reg, u32 value, unsigned int size)
{
	void *address = config_reg(bdf, reg);

	if (!address)
		return;
	if (size == 1)
		mmio_write8(address, (u8)value);
	else if (size == 2)
		mmio_write16(address, (u16)value);
	else
		mmio_write32(address, value);
}

bool arch_msi_validate(const struct pci_device *device, unsigned int vector, u64 *address,
		       u32 *data, bool *disabled)
{
	(void)device;
	(void)vector;
	(void)address;
	(void)data;
	*disabled = false;
	return true;
}

/* Edge interrupts stay pending in the GIC while their owner changes: nothing is lost. */
void arch_msi_inject(const struct cell *cell, u64 address, u32 data)
{
	(void)cell;
	(void)address;
	(void)data;
}
