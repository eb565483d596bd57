// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of interrupt remapping, which all units share (VT-d specification 3.3: 5.1
 * messages, 9.9 entries).  Each device and each IOAPIC has a run of entries; its requester
 * id is in them from then on, so that nobody else can use them (5.1.3).  An entry that
 * is taken but not present sends nothing.  What entries say: vtd_irte.c.
 */
#include <core/cell.h>
#include <core/page_pool.h>
#include <core/pci_device.h>
#include <core/printk.h>
#include <arch/apic_hw.h>
#include <arch/ioapic.h>
#include "vtd.h"
#include "vtd_hw.h"
#include "vtd_irq.h"

#define MAX_ENTRIES		32768U		/* as many as a handle of 15 bits names */

/* High word of an entry: the whole requester id is compared (9.9) */
#define IRTE_VERIFY_REQUESTER	(1ULL << 18)

struct vtd_irq vtd_irq;

static unsigned int table_pages(void)
{
	return PAGES(vtd_irq.num_entries * sizeof(struct vtd_irte));
}

static unsigned int source_pages(void)
{
	return PAGES(vtd_irq.num_entries * sizeof(*vtd_irq.sources));
}

/* --- Who has which entries ------------------------------------------------------------ */

static u64 owner_word(u16 requester)
{
	return IRTE_VERIFY_REQUESTER | requester;
}

struct vtd_irq_run vtd_irq_run_of(u16 requester)
{
	struct vtd_irq_run run = { 0, 0 };

	for (unsigned int n = 0; n < vtd_irq.num_entries; n++)
		if (vtd_irq.entries[n].high == owner_word(requester) && run.count++ == 0)
			run.first = n;
	return run;
}

static unsigned int free_run(unsigned int count)
{
	unsigned int n, length = 0;

	for (n = 0; n < vtd_irq.num_entries && length < count; n++)
		length = vtd_irq.entries[n].high ? 0 : length + 1;
	return length == count ? n - count : vtd_irq.num_entries;
}

static void say(const char *what, u16 requester, struct vtd_irq_run run)
{
	printk("%s %u interrupt(s) for device %02x:%02x.%x at index %u\n", what, run.count,
	       PCI_BDF_ARGS(requester), run.first);
}

static int reserve(u16 requester, unsigned int count)
{
	struct vtd_irq_run run = { free_run(count), count };

	if (!count)
		return 0;
	if (run.first == vtd_irq.num_entries) {
		printk("ERROR: no %u interrupt(s) for device %02x:%02x.%x: vtd_interrupt_limit is %u\n",
		       count, PCI_BDF_ARGS(requester),
		       system_config->platform_info.x86.vtd_interrupt_limit);
		return trace_error(-E2BIG);
	}
	for (unsigned int n = 0; n < count; n++)
		vtd_irq.entries[run.first + n].high = owner_word(requester);
	say("Reserving", requester, run);
	return 0;
}

/* What units still remember of it goes with the commit. */
static void release(u16 requester)
{
	struct vtd_irq_run run = vtd_irq_run_of(requester);

	if (!run.count)
		return;
	for (unsigned int n = 0; n < run.count; n++) {
		vtd_irq.entries[run.first + n].low = 0;
		vtd_irq.entries[run.first + n].high = 0;
		if (vtd_irq.sources)
			vtd_irq.sources[run.first + n].unit = 0;
	}
	say("Freeing", requester, run);
}

/* --- Cells ------------------------------------------------------------------------------- */

static unsigned int messages_of(const struct jailhouse_pci_device *dev)
{
	return MAX(dev->num_msi_vectors, dev->num_msix_vectors);
}

static const struct jailhouse_pci_device *root_device(u16 bdf)
{
	const struct jailhouse_pci_device *dev = jailhouse_cell_pci_devices(root_cell.config);

	for (unsigned int n = 0; n < root_cell.config->num_pci_devices; n++, dev++)
		if (vtd_is_physical(dev) && dev->bdf == bdf)
			return dev;
	return NULL;
}

static unsigned int highest_pin(const struct jailhouse_irqchip *chip)
{
	unsigned int pin = 32 * ARRAY_SIZE(chip->pin_bitmap);

	while (pin && !(chip->pin_bitmap[(pin - 1) / 32] >> ((pin - 1) % 32) & 1))
		pin--;
	return pin;
}

/* Other cells use entries of the root cell's chip: pins change hands, the chip does not. */
static int reserve_pins(const struct cell *cell, const struct jailhouse_irqchip *chip)
{
	if (chip->id >> 16 >= vtd_num_units)
		return trace_error(-EINVAL);
	if (cell == &root_cell)
		return reserve((u16)chip->id, highest_pin(chip));
	if (vtd_irq_run_of((u16)chip->id).count >= highest_pin(chip))
		return 0;
	printk("ERROR: pin %u of the IOAPIC at 0x%llx is beyond those of the root cell\n",
	       highest_pin(chip) - 1, chip->address);
	return trace_error(-E2BIG);
}

static void mark_repeats(struct vtd_irq_run run)
{
	for (unsigned int n = run.first; n < run.first + run.count; n++)
		if (!vtd_irq.entries[n].low)
			vtd_irq.entries[n].low = VTD_IRTE_REPEAT;
}

int vtd_irq_cell_init(const struct cell *cell)
{
	const struct jailhouse_irqchip *chip = jailhouse_cell_irqchips(cell->config);
	const struct jailhouse_pci_device *dev = jailhouse_cell_pci_devices(cell->config);
	unsigned int n;
	int err = 0;

	if (!vtd_irq.entries)
		return 0;
	for (n = 0; !err && n < cell->config->num_irqchips; n++, chip++)
		err = reserve_pins(cell, chip);
	for (n = 0; !err && n < cell->config->num_pci_devices; n++, dev++) {
		if (!vtd_is_physical(dev))
			continue;
		release(dev->bdf);
		err = reserve(dev->bdf, messages_of(dev));
	}
	return err;
}

static void return_entries(const struct cell *cell, u16 bdf)
{
	const struct jailhouse_pci_device *dev = cell == &root_cell ? NULL : root_device(bdf);


	release(bdf);
	if (dev && reserve(bdf, messages_of(dev)))
		printk("WARNING: Failed to re-assign PCI device to root cell\n");
	mark_repeats(vtd_irq_run_of(bdf));
}

void vtd_irq_cell_exit(const struct cell *cell)
{
	const struct jailhouse_pci_device *dev = jailhouse_cell_pci_devices(cell->config);

	if (!vtd_irq.entries)
		return;
	for (unsigned int n = 0; n < cell->config->num_pci_devices; n++, dev++)
		if (vtd_is_physical(dev))
			return_entries(cell, dev->bdf);
}

/* --- Start and end ------------------------------------------------------------------------------ */

int vtd_irq_init(u64 ecap)
{
	u32 limit = system_config->platform_info.x86.vtd_interrupt_limit;

	if (!limit) {
		printk("WARNING: vtd_interrupt_limit is 0: devices can forge interrupts\n");
		return 0;
	}
	if (limit > MAX_ENTRIES)
		return trace_error(-E2BIG);
	if (!(ecap & VTD_ECAP_IR) || (using_x2apic && !(ecap & VTD_ECAP_EIM))) {
		printk("ERROR: DMAR units do not all remap interrupts%s\n",
		       using_x2apic ? " of an x2APIC" : "");
		return trace_error(-EIO);
	}
	vtd_irq.coherent = ecap & VTD_ECAP_COHERENT;
	for (vtd_irq.order = 1; 1U << vtd_irq.order < limit; vtd_irq.order++)
		;
	vtd_irq.num_entries = 1U << vtd_irq.order;
	vtd_irq.entries = page_alloc(&mem_pool, table_pages());
	if (vtd_units[0].root.queue)
		vtd_irq.sources = page_alloc(&mem_pool, source_pages());
	if (!vtd_irq.entries || (vtd_units[0].root.queue && !vtd_irq.sources))
		return trace_error(-ENOMEM);
	return 0;
}

/*
 * Devices follow in their own unit's commit.  Pins are silent while the units change:
 * a level that was sent and blocked would wait for its EOI for ever.
 */
void vtd_irq_start(void)
{
	const struct vtd_irq_table table = {
		.entries = virt_to_hpa((const void *)vtd_irq.entries),
		.order = vtd_irq.order,
		.x2apic = using_x2apic,
	};

	if (!vtd_irq.entries || vtd_irq.active)
		return;
	ioapic_silence();
	vtd_units_remap(&table);
	vtd_irq.active = true;
	/* Handles of Linux's table and ours may look the same to who programs devices. */
	if (vtd_irq.sources)
		mark_repeats((struct vtd_irq_run){ 0, vtd_irq.num_entries });
	ioapic_handed_over = true;
	pci_handed_over = true;
	ioapic_unit.config_commit(NULL);
	vtd_irq_repeat_edges();
}

/* IOAPICs and devices have got back what the root cell wrote. */
void vtd_irq_exit(void)
{
	if (vtd_irq.active) {
		vtd_units_stop_remapping();
		vtd_irq.active = false;
		ioapic_silence();
		ioapic_unit.shutdown();
		vtd_irq_repeat_edges();
	}
	page_free(&mem_pool, vtd_irq.entries, table_pages());
	page_free(&mem_pool, vtd_irq.sources, source_pages());
	vtd_irq.entries = NULL;
	vtd_irq.sources = NULL;
	vtd_irq.num_entries = 0;
}
