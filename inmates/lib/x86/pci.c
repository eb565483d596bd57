/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <inmate.h>

#define PORT_ADDRESS		0xcf8
#define PORT_DATA		0xcfc
#define ADDRESS_ENABLE		0x80000000

#define MSI_ADDRESS		0xfee00000
#define MSI_CTRL		2
#define  MSI_CTRL_ENABLE	0x0001
#define  MSI_CTRL_64BIT		0x0080
#define MSIX_CTRL		2
#define  MSIX_CTRL_ENABLE	0x8000
#define MSIX_TABLE		4

#define MAX_CAPS		48

static void select(u16 bdf, unsigned int reg)
{
	port_out32(PORT_ADDRESS, ADDRESS_ENABLE | bdf << 8 | (reg & 0xfc));
}

u32 pci_read(u16 bdf, unsigned int reg, unsigned int size)
{
	u16 port = PORT_DATA + (reg & 3);

	select(bdf, reg);
	switch (size) {
	case 1:
		return port_in8(port);
	case 2:
		return port_in16(port);
	default:
		return port_in32(port);
	}
}

void pci_write(u16 bdf, unsigned int reg, u32 value, unsigned int size)
{
	u16 port = PORT_DATA + (reg & 3);

	select(bdf, reg);
	switch (size) {
	case 1:
		port_out8(port, value);
		break;
	case 2:
		port_out16(port, value);
		break;
	default:
		port_out32(port, value);
		break;
	}
}

static bool id_matches(u16 wanted, u16 found)
{
	return wanted == PCI_ID_ANY || wanted == found;
}

int pci_find_device(u16 vendor, u16 device, u16 start)
{
	unsigned int bdf;
	u16 id;

	for (bdf = start; bdf < 0x10000; bdf++) {
		id = pci_read(bdf, PCI_CFG_VENDOR, 2);
		if (id != 0xffff && id_matches(vendor, id) &&
		    id_matches(device, pci_read(bdf, PCI_CFG_DEVICE, 2)))
			return bdf;
	}
	return -1;
}

int pci_find_class(u16 class_code, u16 start)
{
	int bdf = start;

	for (; bdf < 0x10000; bdf++) {
		bdf = pci_find_device(PCI_ID_ANY, PCI_ID_ANY, bdf);
		if (bdf < 0 || pci_read(bdf, PCI_CFG_CLASS, 2) == class_code)
			return bdf;
	}
	return -1;
}

unsigned int pci_find_cap(u16 bdf, u8 id)
{
	unsigned int cap, n;

	if (!(pci_read(bdf, PCI_CFG_STATUS, 2) & PCI_STATUS_CAPS))
		return 0;
	cap = pci_read(bdf, PCI_CFG_CAPS, 1);
	/* Bounded: a broken list may be a ring. */
	for (n = 0; cap && n < MAX_CAPS; n++) {
		if (pci_read(bdf, cap, 1) == id)
			return cap;
		cap = pci_read(bdf, cap + 1, 1);
	}
	return 0;
}

u64 pci_bar(u16 bdf, unsigned int bar)
{
	u32 low = pci_read(bdf, PCI_CFG_BAR + 4 * bar, 4);

	if (low & 1)
		return low & ~3U;
	if ((low & 6) == 4)
		return (low & ~0xfU) |
			(u64)pci_read(bdf, PCI_CFG_BAR + 4 * bar + 4, 4) << 32;
	return low & ~0xfU;
}

bool pci_msi_set_vector(u16 bdf, unsigned int vector)
{
	unsigned int cap = pci_find_cap(bdf, PCI_CAP_MSI);
	unsigned int data;
	u16 ctrl;

	if (!cap)
		return false;
	ctrl = pci_read(bdf, cap + MSI_CTRL, 2);
	pci_write(bdf, cap + 4, MSI_ADDRESS | apic_id() << 12, 4);
	data = 8;
	if (ctrl & MSI_CTRL_64BIT) {
		pci_write(bdf, cap + 8, 0, 4);
		data = 12;
	}
	pci_write(bdf, cap + data, vector, 2);
	/* One vector: multiple message enable is 0. */
	pci_write(bdf, cap + MSI_CTRL, (ctrl & ~0x70) | MSI_CTRL_ENABLE, 2);
	return true;
}

bool pci_msix_set_vector(u16 bdf, unsigned int vector, unsigned int index)
{
	unsigned int cap = pci_find_cap(bdf, PCI_CAP_MSIX);
	u32 table;
	u64 address;
	u16 ctrl;
	u8 *entry;

	if (!cap)
		return false;
	ctrl = pci_read(bdf, cap + MSIX_CTRL, 2);
	if (index > (ctrl & 0x7ffU))
		return false;
	table = pci_read(bdf, cap + MSIX_TABLE, 4);
	address = pci_bar(bdf, table & 7) + (table & ~7U) + 16 * index;
	map_range(address, 16, MAP_UNCACHED);
	entry = (void *)(unsigned long)address;
	mmio_write32(entry, MSI_ADDRESS | apic_id() << 12);
	mmio_write32(entry + 4, 0);
	mmio_write32(entry + 8, vector);
	mmio_write32(entry + 12, 0);
	pci_write(bdf, cap + MSIX_CTRL, ctrl | MSIX_CTRL_ENABLE, 2);
	return true;
}
