// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first 64 bytes of configuration space (PCI 3.0 6.1; bridges: PCI-to-PCI
 * Bridge Architecture 1.2, 3.2).  What the tables don't list is read-only, and
 * writing it is a violation.
 */
#include <arch/pci.h>
#include <core/pci_device.h>

enum header_action { HEADER_PASS, HEADER_IGNORE };

struct header_rule {
	u16 first, last;	/* dwords */
	u32 writable;		/* bits that may be written */
	enum header_action action;
};

static const struct header_rule device_rules[] = {
	{ 0x04, 0x04, 0xffffffff, HEADER_PASS },	/* command, status */
	{ 0x0c, 0x0c, 0xffffffff, HEADER_PASS },	/* cache line, latency, BIST */
	{ 0x30, 0x30, 0xffffffff, HEADER_IGNORE },	/* expansion ROM: there is none */
	{ 0x3c, 0x3c, 0x000000ff, HEADER_PASS },	/* interrupt line */
	{ }
};

static const struct header_rule bridge_rules[] = {
	{ 0x04, 0x04, 0xffffffff, HEADER_PASS },
	{ 0x0c, 0x0c, 0xffffffff, HEADER_PASS },
	{ 0x1c, 0x1c, 0x0000ffff, HEADER_IGNORE },	/* I/O window */
	{ 0x20, 0x30, 0xffffffff, HEADER_IGNORE },	/* memory windows, I/O upper bits */
	{ 0x3c, 0x3c, 0xffff00ff, HEADER_PASS },	/* interrupt line, bridge control */
	{ }
};

static bool is_bridge(const struct pci_device *device)
{
	return device->info->type == JAILHOUSE_PCI_TYPE_BRIDGE;
}

static bool is_bar(const struct pci_device *device, u16 dword)
{
	return !is_bridge(device) && dword >= PCI_CFG_BAR && dword < PCI_CFG_BAR_END;
}

static const struct header_rule *find_rule(const struct pci_device *device, u16 dword)
{
	const struct header_rule *rule = is_bridge(device) ? bridge_rules : device_rules;

	for (; rule->writable; rule++)
		if (dword >= rule->first && dword <= rule->last)
			return rule;
	return NULL;
}

/* BARs are the cell's to move about; the device stays where the hardware has it. */
void pci_header_init(struct pci_device *device)
{
	unsigned int n;

	if (is_bridge(device))
		return;
	for (n = 0; n < PCI_NUM_BARS; n++)
		device->bar[n] = arch_pci_read(device->info->bdf, PCI_CFG_BAR + 4 * n, 4);
}

enum pci_verdict pci_header_read(struct pci_device *device, u16 dword, u32 *value)
{
	if (is_bar(device, dword)) {
		*value = device->bar[(dword - PCI_CFG_BAR) / 4];
		return PCI_DONE;
	}
	if (!is_bridge(device) && dword == 0x30) {
		*value = 0;
		return PCI_DONE;
	}
	return PCI_PASS;
}

static void write_bar(struct pci_device *device, u16 dword, u32 value, u32 mask)
{
	unsigned int n = (dword - PCI_CFG_BAR) / 4;

	device->bar[n] = merge_bits(device->bar[n], value, mask & device->info->bar_mask[n]);
}

enum pci_verdict pci_header_write(struct pci_device *device, u16 dword, u32 value, u32 mask)
{
	const struct header_rule *rule = find_rule(device, dword);

	if (is_bar(device, dword)) {
		write_bar(device, dword, value, mask);
		return PCI_DONE;
	}
	if (!rule || (mask & ~rule->writable))
		return PCI_FATAL;
	return rule->action == HEADER_PASS ? PCI_PASS : PCI_DONE;
}
