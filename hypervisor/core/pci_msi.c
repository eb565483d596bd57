// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSI capability (PCI 3.0 6.8.1).  Address and data live in a shadow; the
 * hardware gets only messages that the owner may send.  A message that goes
 * nowhere (address outside the interrupt window) turns the hardware's enable
 * bit off, while the owner keeps reading it as set.
 */
#include <arch/pci.h>
#include <core/pci_device.h>

static bool is_64bit(const struct pci_msi *msi)
{
	return msi->control & MSI_64BIT;
}

static u16 data_offset(const struct pci_msi *msi)
{
	return msi->cap + (is_64bit(msi) ? 0x0c : 0x08);
}

static u16 mask_offset(const struct pci_msi *msi)
{
	return data_offset(msi) + 4;
}

/* Shadow of this dword; NULL: not address or data. */
static u32 *shadow_at(struct pci_msi *msi, u16 dword)
{
	if (dword == msi->cap + 4)
		return &msi->address_lo;
	if (dword == data_offset(msi))
		return &msi->data;
	if (is_64bit(msi) && dword == msi->cap + 8)
		return &msi->address_hi;
	return NULL;
}

static void write_control(struct pci_device *device, bool enable)
{
	u16 control = device->msi.control & ~MSI_ENABLE;

	if (enable)
		control |= MSI_ENABLE;
	arch_pci_write(device->info->bdf, device->msi.cap + 2, control, 2);
	device->msi.hw_enabled = enable;
}

static void write_message(struct pci_device *device, u64 address, u32 data)
{
	struct pci_msi *msi = &device->msi;
	u16 bdf = device->info->bdf;

	arch_pci_write(bdf, msi->cap + 4, (u32)address, 4);
	if (is_64bit(msi))
		arch_pci_write(bdf, msi->cap + 8, (u32)(address >> 32), 4);
	arch_pci_write(bdf, data_offset(msi), data & 0xffff, 2);
	msi->hw_address = address;
	msi->hw_data = data;
}

void pci_msi_init(struct pci_device *device)
{
	struct pci_msi *msi = &device->msi;
	u16 bdf = device->info->bdf;

	*msi = (struct pci_msi){ .cap = pci_device_find_cap(device, PCI_CAP_ID_MSI) };
	if (!msi->cap)
		return;
	msi->control = arch_pci_read(bdf, msi->cap + 2, 2);
	msi->address_lo = arch_pci_read(bdf, msi->cap + 4, 4);
	if (is_64bit(msi))
		msi->address_hi = arch_pci_read(bdf, msi->cap + 8, 4);
	msi->data = arch_pci_read(bdf, data_offset(msi), 2);
	msi->hw_enabled = msi->control & MSI_ENABLE;
	msi->hw_address = (u64)msi->address_hi << 32 | msi->address_lo;
	msi->hw_data = msi->data;
}

void pci_msi_reset(struct pci_device *device)
{
	struct pci_msi *msi = &device->msi;

	if (!msi->cap)
		return;
	msi->control &= ~MSI_ENABLE;
	write_control(device, false);
	msi->address_lo = msi->address_hi = msi->data = 0;
	write_message(device, 0, 0);
	if (msi->control & MSI_MASKABLE)
		arch_pci_write(device->info->bdf, mask_offset(msi), ~0U, 4);
}

/*
 * Give the hardware what the owner wants, as far as it may.  Everything is
 * written every time: the device may have been reset behind our back.
 */
static bool program(struct pci_device *device)
{
	struct pci_msi *msi = &device->msi;
	u64 address = (u64)msi->address_hi << 32 | msi->address_lo;
	bool deliver = msi->control & MSI_ENABLE;
	u32 data = msi->data;

	if (deliver && !pci_message_check(device, 0, &address, &data, &deliver))
		return false;
	if (deliver)
		write_message(device, address, data);
	write_control(device, deliver);
	return true;
}

/* An event may have been sent to where the old message pointed: repeat it, once each. */
static void repeat_events(const struct pci_device *device)
{
	const struct pci_msi *msi = &device->msi;
	unsigned int n;

	for (n = 0; n < 1U << MSI_MULTIPLE_ENABLED(msi->control); n++)
		arch_msi_inject(device->cell, msi->hw_address, msi->hw_data | n);
}

void pci_msi_commit(struct pci_device *device)
{
	struct pci_msi *msi = &device->msi;
	u64 old_address = msi->hw_address;
	bool was_enabled = msi->hw_enabled;

	if (!msi->cap || !(msi->control & MSI_ENABLE))
		return;
	if (!program(device))
		write_control(device, false);
	if (msi->hw_enabled && (!was_enabled || msi->hw_address != old_address))
		repeat_events(device);
}

void pci_msi_restore(struct pci_device *device)
{
	struct pci_msi *msi = &device->msi;

	if (!msi->cap)
		return;
	write_message(device, (u64)msi->address_hi << 32 | msi->address_lo, msi->data);
	write_control(device, msi->control & MSI_ENABLE);
}

enum pci_verdict pci_msi_read(struct pci_device *device, u16 dword, u32 *value)
{
	struct pci_msi *msi = &device->msi;
	u32 *shadow;

	if (!msi->cap)
		return PCI_PASS;
	if (dword == msi->cap) {
		*value = arch_pci_read(device->info->bdf, dword, 4) & ~(MSI_ENABLE << 16);
		*value |= (u32)(msi->control & MSI_ENABLE) << 16;
		return PCI_DONE;
	}
	shadow = shadow_at(msi, dword);
	if (!shadow)
		return PCI_PASS;
	*value = *shadow;
	return PCI_DONE;
}

enum pci_verdict pci_msi_write(struct pci_device *device, u16 dword, u32 value, u32 mask)
{
	struct pci_msi *msi = &device->msi, old = *msi;
	u32 *shadow;

	if (!msi->cap)
		return PCI_PASS;
	shadow = shadow_at(msi, dword);
	if (shadow)
		*shadow = merge_bits(*shadow, value, mask);
	else if (dword == msi->cap)	/* enable and number of vectors; the rest is read-only */
		msi->control = merge_bits(msi->control, value >> 16, mask >> 16 & 0x71);
	else
		return PCI_PASS;
	/* Not enabled and not becoming so: the hardware needs no message. */
	if (shadow && !(msi->control & MSI_ENABLE))
		return PCI_DONE;
	if (program(device))
		return PCI_DONE;
	*msi = old;	/* a refused write has no effect */
	return PCI_FATAL;
}
