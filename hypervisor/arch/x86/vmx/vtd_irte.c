// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of the remapping table, and what hardware sends to name them (VT-d
 * specification 3.3: 5.1 messages, 9.9 entries).
 */
#include <core/cell.h>
#include <core/pci_device.h>
#include <arch/apic_hw.h>
#include <arch/irq_remap.h>
#include <arch/pci.h>
#include <arch/registers.h>
#include "vtd_irq.h"

/* Entry, low word: fields that stand elsewhere in a message */
#define IRTE_PRESENT		(1ULL << 0)
#define IRTE_LOGICAL		(1ULL << 2)
#define IRTE_HINT		(1ULL << 3)
#define IRTE_LEVEL		(1ULL << 4)
#define IRTE_MODE_SHIFT		5		/* delivery mode */
#define IRTE_VECTOR_SHIFT	16
#define IRTE_XAPIC_DEST_SHIFT	40
#define IRTE_X2APIC_DEST_SHIFT	32
/* Message, address */
#define MSI_BASE		0xfee00000ULL
#define MSI_LOGICAL		(1U << 2)
#define MSI_HINT		(1U << 3)
#define MSI_DEST_SHIFT		12
#define MSI_REMAPPABLE		(1U << 4)
#define MSI_SUBHANDLE		(1U << 3)	/* in a remappable one: data is added to the handle */
#define MSI_HANDLE_SHIFT	5
/* Message, data */
#define MSI_VECTOR(data)	((data) & 0xff)
#define MSI_MODE(data)		((data) >> 8 & 7)
#define MSI_LEVEL		(1U << 15)

/* Redirection entry of an IOAPIC */
#define PIN_KEPT		0x000000000001f0ffULL	/* vector, polarity, trigger, masked, status */
#define PIN_LEVEL		0x0000000000008000ULL
#define PIN_REMAPPABLE		(1ULL << 48)
#define PIN_HANDLE_SHIFT	49

/* --- Entries ---------------------------------------------------------------------------- */

static unsigned int destination_shift(void)
{
	return using_x2apic ? IRTE_X2APIC_DEST_SHIFT : IRTE_XAPIC_DEST_SHIFT;
}

static u64 encode(const struct msi_message *msi)
{
	return IRTE_PRESENT | (msi->address & MSI_LOGICAL ? IRTE_LOGICAL : 0) |
		(msi->address & MSI_HINT ? IRTE_HINT : 0) |
		(msi->data & MSI_LEVEL ? IRTE_LEVEL : 0) |
		(u64)MSI_MODE(msi->data) << IRTE_MODE_SHIFT |
		(u64)MSI_VECTOR(msi->data) << IRTE_VECTOR_SHIFT |
		(msi->address >> MSI_DEST_SHIFT & 0xff) << destination_shift();
}

static struct msi_message decode(u64 low)
{
	return (struct msi_message){
		.address = MSI_BASE | (low & IRTE_LOGICAL ? MSI_LOGICAL : 0) |
			(low & IRTE_HINT ? MSI_HINT : 0) |
			(low >> destination_shift() & 0xff) << MSI_DEST_SHIFT,
		.data = (u32)((low & IRTE_LEVEL ? MSI_LEVEL : 0) |
			(low >> IRTE_MODE_SHIFT & 7) << 8 | (low >> IRTE_VECTOR_SHIFT & 0xff)),
	};
}

/* One store: a unit sees the old entry or the new one, never half of each. */
static void entry_set(unsigned int index, u64 low)
{
	if (vtd_irq.entries[index].low == low)
		return;
	vtd_irq.entries[index].low = low;
	if (!vtd_irq.coherent)
		cache_line_write_back((const void *)&vtd_irq.entries[index]);
	vtd_units_forget_interrupt(index);
}

/* May it still be sent, as it is? */
static bool belongs_to(const struct cell *cell, u64 low)
{
	struct msi_message msi = decode(low);
	u64 address = msi.address;
	bool disabled;

	return apic_msi_validate(cell, &msi, &disabled) && !disabled && msi.address == address;
}

/* An event may have gone to a CPU that has left the cell: it is sent once more. */
static void message_set(const struct cell *cell, unsigned int index, const struct msi_message *msi)
{
	u64 old = vtd_irq.entries[index].low;

	entry_set(index, encode(msi));
	if ((old & IRTE_PRESENT) && !belongs_to(cell, old))
		apic_msi_send(msi);
}

/* --- What hardware sends --------------------------------------------------------------------- */

/* Several messages of MSI (not MSI-X) are one with its low bits counting (PCI 3.0 6.8.1.3). */
static unsigned int messages_in_one(const struct pci_device *device)
{
	u16 control = device->msi.control;

	return control & MSI_ENABLE ? 1U << MSI_MULTIPLE_ENABLED(control) : 1;
}

/* false: it has no entry for that, and must not send. */
static bool remap(const struct pci_device *device, unsigned int n, struct msi_message *msi)
{
	unsigned int count = messages_in_one(device);
	struct msi_message one = *msi;
	struct vtd_irq_run run = vtd_irq_run_of(device->info->bdf);

	if (n + count > run.count)
		return false;
	for (unsigned int i = 0; i < count; i++) {
		one.data = (msi->data & ~(count - 1)) | i;
		message_set(device->cell, run.first + n + i, &one);
	}
	msi->address = MSI_BASE | MSI_REMAPPABLE | MSI_SUBHANDLE | run.first << MSI_HANDLE_SHIFT;
	msi->data = n;
	return true;
}

bool arch_msi_validate(const struct pci_device *device, unsigned int n, u64 *address, u32 *data,
		       bool *disabled)
{
	struct msi_message msi = { *address, *data };
	bool allowed = apic_msi_validate(device->cell, &msi, disabled);

	if (vtd_irq.active && allowed && !*disabled)
		*disabled = !remap(device, n, &msi);
	*address = msi.address;
	*data = msi.data;
	return allowed;
}

bool irq_remap_pin(u16 ioapic, unsigned int pin, const struct msi_message *msi, u64 *entry)
{
	u64 level = *entry & PIN_LEVEL ? IRTE_LEVEL : 0;
	struct vtd_irq_run run;

	if (!vtd_irq.active)
		return true;
	run = vtd_irq_run_of(ioapic);
	if (pin >= run.count)
		return false;
	entry_set(run.first + pin, encode(msi) | level);
	*entry = (*entry & PIN_KEPT) | PIN_REMAPPABLE | (u64)(run.first + pin) << PIN_HANDLE_SHIFT;
	return true;
}

/* Back from what hardware has; false: that is nothing that could be sent. */
static bool origin_of(struct msi_message *msi)
{
	unsigned int index;

	if (!(msi->address & MSI_REMAPPABLE))
		return true;
	index = (msi->address >> MSI_HANDLE_SHIFT & 0x7fff) + (msi->data & 0xffff);
	if (!vtd_irq.active || index >= vtd_irq.num_entries ||
	    !(vtd_irq.entries[index].low & IRTE_PRESENT))
		return false;
	*msi = decode(vtd_irq.entries[index].low);
	return true;
}

/* The same interrupt, sent by this CPU. */
void arch_msi_inject(const struct cell *cell, u64 address, u32 data)
{
	struct msi_message msi = { address, data };
	bool disabled;

	if (origin_of(&msi) && apic_msi_validate(cell, &msi, &disabled) && !disabled)
		apic_msi_send(&msi);
}

/* Levels come again by themselves. */
void vtd_irq_repeat_edges(void)
{
	struct msi_message msi;

	for (unsigned int n = 0; n < vtd_irq.num_entries; n++) {
		if ((vtd_irq.entries[n].low & (IRTE_PRESENT | IRTE_LEVEL)) != IRTE_PRESENT)
			continue;
		msi = decode(vtd_irq.entries[n].low);
		apic_msi_send(&msi);
	}
}
