// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of the remapping table, and what hardware sends to name them (VT-d
 * specification 3.3: 5.1 messages, 9.9 entries).
 */
#include <core/cell.h>
#include <core/pci_device.h>
#include <arch/apic_hw.h>
#include <arch/apic_regs.h>
#include <arch/io.h>
#include <arch/irq_remap.h>
#include <arch/pci.h>
#include <arch/registers.h>
#include "vtd_hw.h"
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
/* What must be 0: the mode of posted interrupts, and what has no meaning; ours are 8 to 11. */
#define IRTE_RESERVED		0x00000000ff00f000ULL
#define IRTE_IGNORED		0x0000000000000f02ULL	/* software's, and whether to tell of faults */
#define IRTE_XAPIC		0x0000ff0000ffffffULL
#define IRTE_X2APIC_BEYOND	0xffffff0000000000ULL	/* of a destination with eight bits */

/* Message, address */
#define MSI_BASE		0xfee00000ULL
#define MSI_LOGICAL		(1U << 2)
#define MSI_HINT		(1U << 3)
#define MSI_DEST_SHIFT		12
#define MSI_REMAPPABLE		(1U << 4)
#define MSI_SUBHANDLE		(1U << 3)	/* in a remappable one: data is added to the handle */
#define MSI_HANDLE_SHIFT	5
#define MSI_HANDLE_TOP		2
/* Message, data */
#define MSI_VECTOR(data)	((data) & 0xff)
#define MSI_MODE(data)		((data) >> 8 & 7)
#define MSI_LEVEL		(1U << 15)

/* Redirection entry of an IOAPIC */
#define PIN_KEPT		0x000000000001f0ffULL	/* vector, polarity, trigger, masked, status */
#define PIN_LEVEL		0x0000000000008000ULL
#define PIN_REMAPPABLE		(1ULL << 48)
#define PIN_HANDLE_SHIFT	49
#define PIN_HANDLE_TOP		11

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

/* Eight bits of the destination */
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

/* x2APIC, logical (SDM 3, 11.12.10.2): a cluster of 16 CPUs, a bit for each of them */
static u64 permitted_in_cluster(const struct cell *cell, u64 low)
{
	u32 cluster = (u32)(low >> IRTE_X2APIC_DEST_SHIFT) >> 16;
	unsigned int cpu;

	for (unsigned int n = 0; n < 16; n++) {
		cpu = apic_to_cpu(cluster << 4 | n);
		if (cpu == APIC_INVALID_CPU || !cell_owns_cpu(cell, cpu))
			low &= ~(1ULL << (IRTE_X2APIC_DEST_SHIFT + n));
	}
	return low >> IRTE_X2APIC_DEST_SHIFT & 0xffff ? low : 0;
}

/* The entry as far as this cell may have it; 0: not at all. */
static u64 permitted(const struct cell *cell, u64 low)
{
	u64 others = using_x2apic ? IRTE_X2APIC_BEYOND : ~IRTE_XAPIC;
	struct msi_message msi = decode(low);
	bool disabled;

	low &= ~IRTE_IGNORED;
	if (!(low & IRTE_PRESENT) || (low & IRTE_RESERVED))
		return 0;
	if (using_x2apic && (low & IRTE_LOGICAL) && cell == &root_cell) {
		/* Mode and vector are judged with a destination that is fine. */
		msi.address = MSI_BASE | this_cpu()->arch.apic_id << MSI_DEST_SHIFT;
		low = permitted_in_cluster(cell, low);
		others = 0;
	}
	if ((low & others) || !apic_msi_validate(cell, &msi, &disabled) || disabled)
		return 0;
	return others ? encode(&msi) : low;
}

static void send(u64 low)
{
	u32 destination = (u32)(low >> destination_shift());

	apic_hw_send(ICR_ASSERT | DELIVERY_FIXED << 8 | (low >> IRTE_VECTOR_SHIFT & 0xff) |
		     (low & IRTE_LOGICAL ? ICR_LOGICAL : 0), destination);
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

/* An event may have gone to a CPU that has left the cell, or nowhere: it is sent once more. */
static void message_set(const struct cell *cell, unsigned int index, u64 low, bool sending)
{
	u64 old = vtd_irq.entries[index].low;
	bool lost = old & IRTE_PRESENT ? permitted(cell, old) != old :
		sending && (old & VTD_IRTE_REPEAT);

	entry_set(index, low);
	if (lost && low)
		send(low);
}

/* --- Entries of Linux's own table ------------------------------------------------------------- */

static u64 entry_from(struct vtd_irq_source source)
{
	const struct vtd_root *root = &vtd_units[source.unit - 1].root;

	return source.index < root->entries ? permitted(&root_cell, root->table[source.index].low) : 0;
}

static void source_set(unsigned int index, struct vtd_irq_source source)
{
	if (vtd_irq.sources)
		vtd_irq.sources[index] = source;
}

static const struct vtd_irq_source no_source;

void vtd_irq_refresh(unsigned int unit, unsigned int first, u64 count)
{
	struct vtd_irq_source source;

	device_lock(&vtd_irq.lock);
	for (unsigned int n = 0; n < vtd_irq.num_entries; n++) {
		source = vtd_irq.sources[n];
		if (source.unit == unit + 1 && source.index >= first && source.index - first < count)
			entry_set(n, entry_from(source));
	}
	device_unlock(&vtd_irq.lock);
}

/* --- What hardware sends --------------------------------------------------------------------- */

/* Several messages of MSI (not MSI-X) are one with its low bits counting (PCI 3.0 6.8.1.3). */
static unsigned int messages_in_one(const struct pci_device *device)
{
	u16 control = device->msi.control;

	return control & MSI_ENABLE ? 1U << MSI_MULTIPLE_ENABLED(control) : 1;
}

/* A message that names an entry of Linux's table, and not an interrupt */
static bool names_entry(const struct cell *cell, const struct msi_message *msi)
{
	return vtd_irq.sources && cell == &root_cell && msi->address >> 20 == MSI_BASE >> 20 &&
		(msi->address & MSI_REMAPPABLE);
}

static unsigned int named_entry(const struct msi_message *msi)
{
	unsigned int index = (msi->address >> MSI_HANDLE_SHIFT & 0x7fff) |
		(msi->address >> MSI_HANDLE_TOP & 1) << 15;

	return msi->address & MSI_SUBHANDLE ? index + (msi->data & 0xffff) : index;
}

/* It could send its message until now. */
static bool is_sending(const struct pci_device *device, unsigned int n)
{
	const struct pci_msix *msix = &device->msix;

	if (device->msi.control & MSI_ENABLE)
		return device->msi.hw_enabled;
	return msix->table && !(mmio_read32((u8 *)msix->table + n * MSIX_VECTOR_SIZE +
					    MSIX_CONTROL * sizeof(u32)) & MSIX_VECTOR_MASKED);
}

/* The n-th of those that a device sends by counting */
static void remap_one(const struct pci_device *device, unsigned int index, unsigned int n,
		      const struct msi_message *msi, bool sending)
{
	struct vtd_irq_source source = no_source;
	u64 low = encode(msi) | (u64)n << IRTE_VECTOR_SHIFT;

	device_lock(&vtd_irq.lock);
	if (names_entry(device->cell, msi)) {
		source.unit = device->info->iommu + 1;
		source.index = (u16)(named_entry(msi) + n);
		low = entry_from(source);
	}
	source_set(index, source);
	message_set(device->cell, index, low, sending);
	device_unlock(&vtd_irq.lock);
}

/* false: it has no entry for that, and must not send. */
static bool remap(const struct pci_device *device, unsigned int n, struct msi_message *msi)
{
	unsigned int count = messages_in_one(device);
	struct vtd_irq_run run = vtd_irq_run_of(device->info->bdf);

	if (n + count > run.count)
		return false;
	msi->data &= ~(count - 1);
	for (unsigned int i = 0; i < count; i++)
		remap_one(device, run.first + n + i, i, msi, is_sending(device, n));
	msi->address = MSI_BASE | MSI_REMAPPABLE | MSI_SUBHANDLE | run.first << MSI_HANDLE_SHIFT;
	msi->data = n;
	return true;
}

bool arch_msi_validate(const struct pci_device *device, unsigned int n, u64 *address, u32 *data,
		       bool *disabled)
{
	struct msi_message msi = { *address, *data };
	bool allowed = true;

	*disabled = false;
	if (!vtd_irq.active || !names_entry(device->cell, &msi))
		allowed = apic_msi_validate(device->cell, &msi, disabled);
	if (vtd_irq.active && allowed && !*disabled)
		*disabled = !remap(device, n, &msi);
	*address = msi.address;
	*data = msi.data;
	return allowed;
}

static struct vtd_irq_source pin_source(u32 ioapic, u64 entry)
{
	return (struct vtd_irq_source){
		.unit = (u16)((ioapic >> 16) + 1),
		.index = (u16)((entry >> PIN_HANDLE_SHIFT & 0x7fff) | (entry >> PIN_HANDLE_TOP & 1) << 15),
	};
}

bool irq_remap_pin(u32 ioapic, unsigned int pin, const struct msi_message *msi, u64 *entry)
{
	u64 level = *entry & PIN_LEVEL ? IRTE_LEVEL : 0;
	struct vtd_irq_source source = no_source;
	struct vtd_irq_run run;

	if (!vtd_irq.active)
		return msi;
	run = vtd_irq_run_of((u16)ioapic);
	if (pin >= run.count || (!msi && !vtd_irq.sources))
		return false;
	device_lock(&vtd_irq.lock);
	if (!msi)
		source = pin_source(ioapic, *entry);
	source_set(run.first + pin, source);
	entry_set(run.first + pin, msi ? encode(msi) | level : entry_from(source));
	device_unlock(&vtd_irq.lock);
	*entry = (*entry & PIN_KEPT) | PIN_REMAPPABLE | (u64)(run.first + pin) << PIN_HANDLE_SHIFT;
	return true;
}

/* The same interrupt, sent by this CPU. */
void arch_msi_inject(const struct cell *cell, u64 address, u32 data)
{
	struct msi_message msi = { address, data };
	unsigned int index = named_entry(&msi);
	bool disabled;

	if (!vtd_irq.active || !(address & MSI_REMAPPABLE)) {
		if (apic_msi_validate(cell, &msi, &disabled) && !disabled)
			apic_msi_send(&msi);
	} else if (index < vtd_irq.num_entries && (vtd_irq.entries[index].low & IRTE_PRESENT)) {
		send(vtd_irq.entries[index].low);
	}
}

/* Levels come again by themselves. */
void vtd_irq_repeat_edges(void)
{
	for (unsigned int n = 0; n < vtd_irq.num_entries; n++)
		if ((vtd_irq.entries[n].low & (IRTE_PRESENT | IRTE_LEVEL)) == IRTE_PRESENT)
			send(vtd_irq.entries[n].low);
}
