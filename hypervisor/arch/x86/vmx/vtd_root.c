// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers and invalidation queue of a unit whose interrupt remapping the root cell uses
 * (VT-d specification 3.3: 6.5.2 and 10.4).  It was set up before us: what is left for
 * Linux to do is changing entries and saying so, and moving the fault event elsewhere.
 */
#include <core/cell.h>
#include <core/mmio.h>
#include <core/paging.h>
#include <core/percpu.h>
#include <core/printk.h>
#include <arch/apic_hw.h>
#include <arch/io.h>
#include "vtd_hw.h"
#include "vtd_irq.h"
#include "vtd_root.h"

#define TABLE_ENTRIES(irta)	(2U << ((irta) & 0xf))
#define QUEUE_PAGES(iqa)	(1U << ((iqa) & 7))
#define IQA_WIDE		(1U << 11)	/* descriptors of 256 bits */
#define QUEUE_MASK		(PAGE_SIZE - sizeof(struct vtd_descriptor))

/* Descriptors, low word */
#define DESC_TYPE(low)		(((low) & 0xf) | ((low) >> 5 & 0x70))
#define DESC_CONTEXTS		1
#define DESC_IOTLB		2
#define DESC_DEVICE_IOTLB	3
#define DESC_INTERRUPTS		4
#define DESC_WAIT		5
#define INTERRUPTS_SOME		(1U << 4)	/* not all */
#define INTERRUPTS_MASK(low)	((low) >> 27 & 0x1f)
#define INTERRUPTS_INDEX(low)	((u32)((low) >> 32) & 0xffff)
#define WAIT_WRITES		(1U << 5)
#define WAIT_DATA(low)		((u32)((low) >> 32))
#define WAIT_ADDRESS(high)	((high) & 0x000ffffffffffffcULL)	/* bits 0 and 1 do not count */

/* --- What Linux has set up ------------------------------------------------------------ */

static int check_setup(const struct vtd_unit *unit)
{
	const struct vtd_root *root = &unit->root;
	const char *reason = NULL;

	if (QUEUE_PAGES(root->iqa) != 1 || (root->iqa & IQA_WIDE))
		reason = "has a queue of another format";
	else if (mmio_read64(unit->regs + VTD_REG_IQH) != mmio_read64(unit->regs + VTD_REG_IQT))
		reason = "is still invalidating";
	else if (!(root->irta & VTD_IRTA_X2APIC) == using_x2apic)
		reason = "has entries for the other mode of the APICs";
	if (!reason)
		return 0;
	printk("ERROR: DMAR unit %u %s\n", unit->index, reason);
	return trace_error(-EIO);
}

static u64 table_size(const struct vtd_root *root)
{
	return PAGE_ALIGN(root->entries * sizeof(struct vtd_irte));
}

int vtd_root_take(struct vtd_unit *unit, u64 base)
{
	struct vtd_root *root = &unit->root;
	int err;

	root->base = base;
	root->irta = mmio_read64(unit->regs + VTD_REG_IRTA);
	root->iqa = mmio_read64(unit->regs + VTD_REG_IQA);
	root->tail = (u32)(mmio_read64(unit->regs + VTD_REG_IQT) & QUEUE_MASK);
	root->status = mmio_read32(unit->regs + VTD_REG_GSTS);
	err = check_setup(unit);
	if (err)
		return err;
	root->entries = TABLE_ENTRIES(root->irta);
	root->table = hv_map(hpa(root->irta & PAGE_MASK), table_size(root), PG_READ);
	if (root->table)
		root->queue = hv_map(hpa(root->iqa & PAGE_MASK), PAGE_SIZE, PG_READ | PG_WRITE);
	return root->queue ? 0 : trace_error(-ENOMEM);
}

void vtd_root_forget(struct vtd_unit *unit)
{
	struct vtd_root *root = &unit->root;

	if (root->table)
		hv_unmap((void *)root->table, table_size(root));
	if (root->queue)
		hv_unmap(root->queue, PAGE_SIZE);
	root->table = NULL;
	root->queue = NULL;
}

/* --- Its queue --------------------------------------------------------------------------- */

/* Where nobody but Linux can want something written. */
static bool write_status(u64 low, u64 high)
{
	u64 address = WAIT_ADDRESS(high);
	u8 *page;

	if (!(low & WAIT_WRITES))
		return true;
	page = cell_map_temp(&root_cell, gpa(address & PAGE_MASK), 1, PG_READ | PG_WRITE);
	if (!page)
		return false;
	*(volatile u32 *)(page + (address & PAGE_OFFS_MASK)) = WAIT_DATA(low);
	return true;
}

static bool carry_out(const struct vtd_unit *unit, u64 low, u64 high)
{
	bool some = low & INTERRUPTS_SOME;

	switch (DESC_TYPE(low)) {
	case DESC_INTERRUPTS:
		vtd_irq_refresh(unit->index, some ? INTERRUPTS_INDEX(low) : 0,
				some ? 1ULL << INTERRUPTS_MASK(low) : unit->root.entries);
		return true;
	case DESC_WAIT:
		return write_status(low, high);
	case DESC_CONTEXTS:
	case DESC_IOTLB:
	case DESC_DEVICE_IOTLB:
		/* It translates nothing. */
		return true;
	default:
		printk("FATAL: Invalid/unsupported invalidation queue entry 0x%llx\n", low);
		return false;
	}
}

/* The queue is Linux's memory: each word is read once. Ends: there are 256 places. */
static bool run_queue(struct vtd_unit *unit, u32 tail)
{
	struct vtd_root *root = &unit->root;
	const volatile struct vtd_descriptor *desc;
	bool ok = true;

	tail &= QUEUE_MASK;
	for (; ok && root->tail != tail; root->tail = (root->tail + sizeof(*desc)) & QUEUE_MASK) {
		desc = root->queue + root->tail / sizeof(*desc);
		ok = carry_out(unit, desc->low, desc->high);
	}
	return ok;
}

/* --- Registers ------------------------------------------------------------------------------ */

static u32 read_register(const struct vtd_unit *unit, u64 reg)
{
	const struct vtd_root *root = &unit->root;

	if (reg < VTD_REG_GCMD)		/* version and capabilities */
		return mmio_read32(unit->regs + reg);
	switch (reg) {
	case VTD_REG_GSTS:
		return root->status;
	case VTD_REG_FECTL:
		return unit->fault_control;
	case VTD_REG_FEDATA:
		return unit->fault_data;
	case VTD_REG_FEADDR:
		return (u32)unit->fault_address;
	case VTD_REG_FEUADDR:
		return (u32)(unit->fault_address >> 32);
	case VTD_REG_IQH:
	case VTD_REG_IQT:
		return root->tail;
	case VTD_REG_IQA:
		return (u32)root->iqa;
	case VTD_REG_IQA + 4:
		return (u32)(root->iqa >> 32);
	case VTD_REG_IRTA:
		return (u32)root->irta;
	case VTD_REG_IRTA + 4:
		return (u32)(root->irta >> 32);
	default:			/* no faults, none of the rest */
		return 0;
	}
}

/* What is refused here would be a set-up of its own. */
static bool write_register(struct vtd_unit *unit, u64 reg, u32 value)
{
	switch (reg) {
	case VTD_REG_FSTS:
	case VTD_REG_IQT + 4:
		return true;
	case VTD_REG_FECTL:
		unit->fault_control = value;
		return true;
	case VTD_REG_FEDATA:
		unit->fault_data = value;
		return true;
	case VTD_REG_FEADDR:
		unit->fault_address = (unit->fault_address & ~0xffffffffULL) | value;
		return true;
	case VTD_REG_FEUADDR:
		unit->fault_address = (u32)unit->fault_address | (u64)value << 32;
		return true;
	case VTD_REG_IQT:
		return run_queue(unit, value);
	default:
		return false;
	}
}

static bool register_access(struct vtd_unit *unit, struct mmio_access *access)
{
	u64 reg = access->address;
	bool wide = access->size == 8;

	if ((access->size != 4 && !wide) || reg % access->size)
		return false;
	if (access->is_write)
		return write_register(unit, reg, (u32)access->value) &&
			(!wide || write_register(unit, reg + 4, (u32)(access->value >> 32)));
	access->value = read_register(unit, reg);
	if (wide)
		access->value |= (u64)read_register(unit, reg + 4) << 32;
	return true;
}

static enum mmio_result handle_unit(void *arg, struct mmio_access *access)
{
	struct vtd_unit *unit = arg;
	bool ok;

	device_lock(&unit->root.lock);
	ok = register_access(unit, access);
	device_unlock(&unit->root.lock);
	if (ok)
		return MMIO_HANDLED;
	panic_printk("FATAL: Invalid DMAR unit %u %s, reg: 0x%llx, size: %u, value: 0x%llx, CPU %u\n",
		     unit->index, access->is_write ? "write" : "read", access->address, access->size,
		     access->value, this_cpu()->cpu_id);
	return MMIO_ERROR;
}

/* --- Cells ------------------------------------------------------------------------------------ */

unsigned int vtd_root_regions(const struct cell *cell)
{
	unsigned int count = 0;

	for (unsigned int n = 0; cell == &root_cell && n < vtd_num_units; n++)
		count += !!vtd_units[n].root.queue;
	return count;
}

void vtd_root_cell_init(struct cell *cell)
{
	for (unsigned int n = 0; cell == &root_cell && n < vtd_num_units; n++)
		if (vtd_units[n].root.queue)
			mmio_region_register(cell, gpa(vtd_units[n].root.base),
					     vtd_units[n].size, handle_unit, &vtd_units[n]);
}

void vtd_root_cell_exit(struct cell *cell)
{
	for (unsigned int n = 0; cell == &root_cell && n < vtd_num_units; n++)
		if (vtd_units[n].root.queue)
			mmio_region_unregister(cell, gpa(vtd_units[n].root.base));
}
