// SPDX-License-Identifier: GPL-2.0-only
/* No interrupt remapping: there is no driver for AMD's units yet. */
#include <core/pci_device.h>
#include <arch/irq_remap.h>
#include <arch/pci.h>

bool arch_msi_validate(const struct pci_device *device, unsigned int n, u64 *address, u32 *data,
		       bool *disabled)
{
	struct msi_message msi = { *address, *data };
	bool allowed = apic_msi_validate(device->cell, &msi, disabled);

	(void)n;
	*address = msi.address;
	*data = msi.data;
	return allowed;
}

/* The same interrupt, sent by this CPU. */
void arch_msi_inject(const struct cell *cell, u64 address, u32 data)
{
	struct msi_message msi = { address, data };
	bool disabled;

	if (apic_msi_validate(cell, &msi, &disabled) && !disabled)
		apic_msi_send(&msi);
}

bool irq_remap_pin(u32 ioapic, unsigned int pin, const struct msi_message *msi, u64 *entry)
{
	(void)ioapic;
	(void)pin;
	(void)entry;
	return msi;
}
