// SPDX-License-Identifier: GPL-2.0-only
/*
 * Intel VT-d, DMA remapping (specification 3.3).  All units share one root table:
 * requester ids are unique in a segment.  A cell is a domain with tables of its own; a
 * device that nobody lists has no context, and reaches nothing.  Interrupts: vtd_irq.c.
 */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/page_pool.h>
#include <core/pci.h>
#include <core/percpu.h>
#include <core/printk.h>
#include <arch/cpu.h>
#include <arch/registers.h>
#include <arch/vcpu.h>
#include "vtd.h"
#include "vtd_hw.h"
#include "vtd_irq.h"

/* Root and context entries (9.1, 9.3): 256 of both in a page. */
#define PRESENT			(1ULL << 0)
#define TABLE_ADDRESS		0x000ffffffffff000ULL
#define CONTEXT_3_LEVELS	(1ULL << 0)
#define CONTEXT_4_LEVELS	(2ULL << 0)
#define CONTEXT_DOMAIN(id)	((u64)(id) << 8)

#define DEVFN(bdf)		((bdf) & 0xff)
#define ENTRIES			256

struct vtd_entry {
	volatile u64 low, high;
};

struct vtd_unit vtd_units[JAILHOUSE_MAX_IOMMU_UNITS];
unsigned int vtd_num_units;
static unsigned int levels;
static u64 common_cap, common_ecap;
static struct vtd_entry *root_table;

/* --- Units ------------------------------------------------------------------------ */

static void units_exit(void)
{
	vtd_irq_exit();
	while (vtd_num_units)
		vtd_hw_exit(&vtd_units[--vtd_num_units]);
	page_free(&mem_pool, root_table, 1);
	root_table = NULL;
}

static int remapper_init(unsigned int n, const struct jailhouse_iommu *info)
{
	if (info->type != JAILHOUSE_IOMMU_INTEL) {
		printk("ERROR: IOMMU unit %u has type %u, this machine needs %u\n", n, info->type,
		       JAILHOUSE_IOMMU_INTEL);
		return trace_error(-EINVAL);
	}
	vtd_num_units++;
	return vtd_hw_init(&vtd_units[n], n, info);
}

/* All remap interrupts for Linux, or none: it has one kind of messages for all devices. */
static int check_uniform(void)
{
	for (unsigned int n = 1; n < vtd_num_units; n++)
		if (!vtd_units[n].root.queue != !vtd_units[0].root.queue) {
			printk("ERROR: Linux remaps interrupts of some DMAR units only\n");
			return trace_error(-EBUSY);
		}
	return 0;
}

/* What all of them can do. */
static int choose_format(void)
{
	common_cap = ~0ULL;
	common_ecap = ~0ULL;
	for (unsigned int n = 0; n < vtd_num_units; n++) {
		common_cap &= vtd_units[n].cap;
		common_ecap &= vtd_units[n].ecap;
	}
	if (!(common_cap & (VTD_CAP_39BIT | VTD_CAP_48BIT))) {
		printk("ERROR: DMAR units have no number of table levels in common\n");
		return trace_error(-EIO);
	}
	levels = common_cap & VTD_CAP_48BIT ? 4 : 3;
	vtd_format_init(levels, common_cap);
	return 0;
}

static int vtd_init(void)
{
	const struct jailhouse_iommu *info = system_config->platform_info.iommu_units;
	unsigned int n;
	int err = 0;

	vtd_num_units = 0;
	for (n = 0; !err && n < JAILHOUSE_MAX_IOMMU_UNITS && info[n].base; n++)
		err = remapper_init(n, &info[n]);
	if (!err && !vtd_num_units) {
		printk("WARNING: no IOMMU configured: devices of a cell can reach all memory by DMA\n");
		return 0;
	}
	if (!err)
		err = check_uniform();
	if (!err)
		err = choose_format();
	if (!err) {
		root_table = page_alloc(&mem_pool, 1);
		err = root_table ? vtd_irq_init(common_ecap) : trace_error(-ENOMEM);
	}
	if (err)
		units_exit();
	return err;
}

/* --- Contexts ------------------------------------------------------------------------ */

static struct vtd_entry *contexts_of(unsigned int bus)
{
	u64 entry = root_table[bus].low;

	return entry & PRESENT ? hpa_to_virt(hpa(entry & TABLE_ADDRESS)) : NULL;
}

static struct vtd_entry *contexts_make(unsigned int bus)
{
	struct vtd_entry *table = contexts_of(bus);

	if (!table) {
		table = page_alloc(&mem_pool, 1);
		if (table)
			root_table[bus].low = virt_to_hpa((const void *)table).raw | PRESENT;
	}
	return table;
}

/* A table without contexts goes: pools are after a destroy what they were before the create. */
static void contexts_drop_empty(unsigned int bus)
{
	struct vtd_entry *table = contexts_of(bus);

	for (unsigned int n = 0; table && n < ENTRIES; n++)
		if (table[n].low & PRESENT)
			return;
	root_table[bus].low = 0;
	page_free(&mem_pool, table, 1);
}

/* Not 0, which units in caching mode keep for themselves (6.1). */
static u64 domain_of(const struct cell *cell)
{
	return cell->config->id + 1;
}

/* Never half of one and half of the other: not present in between. */
static int attach(const struct cell *cell, u16 bdf)
{
	struct vtd_entry *entry = contexts_make(PCI_BUS(bdf));

	if (!entry)
		return trace_error(-ENOMEM);
	entry += DEVFN(bdf);
	entry->low = 0;
	entry->high = CONTEXT_DOMAIN(domain_of(cell)) |
		(levels == 4 ? CONTEXT_4_LEVELS : CONTEXT_3_LEVELS);
	entry->low = virt_to_hpa(cell->arch.dma_pages.root).raw | PRESENT;
	return 0;
}

static void detach(u16 bdf)
{
	struct vtd_entry *table = contexts_of(PCI_BUS(bdf));

	if (!table)
		return;
	table[DEVFN(bdf)].low = 0;
	contexts_drop_empty(PCI_BUS(bdf));
}

bool vtd_is_physical(const struct jailhouse_pci_device *dev)
{
	return dev->type == JAILHOUSE_PCI_TYPE_DEVICE || dev->type == JAILHOUSE_PCI_TYPE_BRIDGE;
}

static bool lists(const struct cell *cell, u16 bdf)
{
	const struct jailhouse_pci_device *dev = jailhouse_cell_pci_devices(cell->config);

	for (unsigned int n = 0; n < cell->config->num_pci_devices; n++, dev++)
		if (vtd_is_physical(dev) && dev->bdf == bdf)
			return true;
	return false;
}

/* --- Cells ----------------------------------------------------------------------------- */

static int check_domain(const struct cell *cell)
{
	for (unsigned int n = 0; n < vtd_num_units; n++)
		if (domain_of(cell) >= VTD_CAP_DOMAINS(vtd_units[n].cap)) {
			printk("ERROR: DMAR unit %u has %u domains, none for cell \"%s\"\n", n,
			       VTD_CAP_DOMAINS(vtd_units[n].cap), cell_name(cell));
			return trace_error(-ERANGE);
		}
	return 0;
}

/* Before anything changes hands; what another cell has, nobody gets. */
static int check_device(const struct cell *cell, const struct jailhouse_pci_device *dev)
{
	const struct cell *other;

	if (!vtd_is_physical(dev))
		return 0;
	if (dev->iommu >= vtd_num_units) {
		printk("ERROR: PCI device %02x:%02x.%x names IOMMU unit %u of %u\n",
		       PCI_BDF_ARGS(dev->bdf), dev->iommu, vtd_num_units);
		return trace_error(-EINVAL);
	}
	for_each_non_root_cell(other)
		if (other != cell && lists(other, dev->bdf))
			return trace_error(-EBUSY);
	return 0;
}

static int check_devices(const struct cell *cell)
{
	const struct jailhouse_pci_device *dev = jailhouse_cell_pci_devices(cell->config);
	int err = 0;

	for (unsigned int n = 0; !err && n < cell->config->num_pci_devices; n++, dev++)
		err = check_device(cell, dev);
	return err;
}

static int attach_devices(const struct cell *cell)
{
	const struct jailhouse_pci_device *dev = jailhouse_cell_pci_devices(cell->config);
	int err = 0;

	for (unsigned int n = 0; !err && n < cell->config->num_pci_devices; n++, dev++)
		if (vtd_is_physical(dev))
			err = attach(cell, dev->bdf);
	return err;
}

/* To the root cell what is its own otherwise. Its tables are there already: this can not fail. */
static void return_devices(const struct cell *cell)
{
	const struct jailhouse_pci_device *dev = jailhouse_cell_pci_devices(cell->config);

	for (unsigned int n = 0; n < cell->config->num_pci_devices; n++, dev++) {
		if (!vtd_is_physical(dev))
			continue;
		if (cell != &root_cell && lists(&root_cell, dev->bdf))
			attach(&root_cell, dev->bdf);
		else
			detach(dev->bdf);
	}
}

static void vtd_cell_exit(struct cell *cell)
{
	if (!vtd_num_units || !cell->arch.dma_pages.root)
		return;
	return_devices(cell);
	vtd_irq_cell_exit(cell);
	vtd_root_cell_exit(cell);
	/* Tables are read by devices until the units have forgotten them. */
	for (unsigned int n = 0; n < vtd_num_units; n++)
		if (vtd_units[n].translating)
			vtd_hw_invalidate(&vtd_units[n]);
	page_table_free(&cell->arch.dma_pages);
}

static int vtd_cell_init(struct cell *cell)
{
	int err;

	cell->arch.dma_pages.root = NULL;
	if (!vtd_num_units)
		return 0;
	err = check_domain(cell);
	if (!err)
		err = check_devices(cell);
	if (!err)
		err = page_table_init(&cell->arch.dma_pages, &vtd_page_format);
	if (!err)
		err = attach_devices(cell);
	if (!err)
		err = vtd_irq_cell_init(cell);
	if (err)
		vtd_cell_exit(cell);
	else
		vtd_root_cell_init(cell);
	return err;
}

static int vtd_map_region(struct cell *cell, const struct jailhouse_memory *mem)
{
	u64 end = mem->virt_start + mem->size;
	unsigned int attrs = 0;

	if (!vtd_num_units || !(mem->flags & JAILHOUSE_MEM_DMA))
		return 0;
	if ((end - 1) >> (12 + 9 * levels)) {
		printk("ERROR: DMA to 0x%llx is beyond what the DMAR units translate\n", end - 1);
		return trace_error(-E2BIG);
	}
	if (mem->flags & JAILHOUSE_MEM_READ)
		attrs |= PG_READ;
	if (mem->flags & JAILHOUSE_MEM_WRITE)
		attrs |= PG_WRITE;
	if (mem->flags & JAILHOUSE_MEM_NO_HUGEPAGES)
		attrs |= PG_NO_HUGE;
	return page_table_map(&cell->arch.dma_pages, mem->virt_start, hpa(mem->phys_start),
			      mem->size, attrs);
}

/* Whatever was mapped there, by whichever region. */
static int vtd_unmap_region(struct cell *cell, const struct jailhouse_memory *mem)
{
	if (!vtd_num_units || (mem->virt_start + mem->size - 1) >> (12 + 9 * levels))
		return 0;
	return page_table_unmap(&cell->arch.dma_pages, mem->virt_start, mem->size);
}

/* --- Changes take effect -------------------------------------------------------------------- */

/* A unit that goes on with old translations lets devices reach what is no longer theirs. */
static void demand(const struct vtd_unit *unit, int err)
{
	if (!err)
		return;
	panic_printk("FATAL: DMAR unit %u is out of control\n", unit->index);
	arch_panic_stop();
}

void vtd_units_remap(const struct vtd_irq_table *table)
{
	for (unsigned int n = 0; n < vtd_num_units; n++)
		demand(&vtd_units[n], vtd_hw_remap(&vtd_units[n], table));
}

void vtd_units_stop_remapping(void)
{
	for (unsigned int n = 0; n < vtd_num_units; n++)
		demand(&vtd_units[n], vtd_hw_stop_remapping(&vtd_units[n]));
}

void vtd_units_forget_interrupt(unsigned int index)
{
	for (unsigned int n = 0; n < vtd_num_units; n++)
		demand(&vtd_units[n], vtd_hw_invalidate_interrupt(&vtd_units[n], index));
}

static int commit_unit(struct vtd_unit *unit)
{
	return unit->translating ? vtd_hw_invalidate(unit) :
		vtd_hw_translate(unit, virt_to_hpa((const void *)root_table));
}

static void vtd_config_commit(struct cell *changed)
{
	(void)changed;
	if (!vtd_num_units)
		return;
	/* Units that do not look into caches: rare, and so are changes. */
	if (!(common_ecap & VTD_ECAP_COHERENT))
		cache_write_back();
	for (unsigned int n = 0; n < vtd_num_units; n++)
		demand(&vtd_units[n], commit_unit(&vtd_units[n]));
	vtd_target_faults();
	vtd_irq_start();
}

const struct unit vtd_unit = {
	.name = "VT-d",
	.init = vtd_init,
	.shutdown = units_exit,
	.mmio_regions = vtd_root_regions,
	.cell_init = vtd_cell_init,
	.cell_exit = vtd_cell_exit,
	.map_region = vtd_map_region,
	.unmap_region = vtd_unmap_region,
	.config_commit = vtd_config_commit,
};
