// SPDX-License-Identifier: GPL-2.0-only
/* x86 share of a cell: nested tables, ports, local APIC page, communication region. */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/paging.h>
#include <arch/apic.h>
#include <arch/cpu.h>
#include <arch/pio.h>
#include <arch/vcpu.h>

/*
 * In xAPIC mode cells read the local APIC directly; their writes trap, as the
 * page is read-only.  In x2APIC mode the page does not exist for them.
 */
static int map_xapic_page(struct cell *cell)
{
	if (using_x2apic)
		return page_table_unmap(&cell->stage2, XAPIC_BASE, PAGE_SIZE);
	return page_table_map(&cell->stage2, XAPIC_BASE, hpa(XAPIC_BASE), PAGE_SIZE,
			      PG_READ | PG_DEVICE);
}

int arch_cell_init(struct cell *cell)
{
	int err;

	err = page_table_init(&cell->stage2, &nested_page_format);
	if (err)
		return err;
	err = map_xapic_page(cell);
	if (!err)
		err = pio_cell_init(cell);
	if (!err)
		err = vcpu_cell_init(cell);
	if (err)
		arch_cell_exit(cell);
	return err;
}

void arch_cell_exit(struct cell *cell)
{
	vcpu_cell_exit(cell);
	pio_cell_exit(cell);
	page_table_free(&cell->stage2);
}

static bool covers_xapic_page(const struct jailhouse_memory *mem)
{
	return mem->virt_start <= XAPIC_BASE && XAPIC_BASE - mem->virt_start < mem->size;
}

static unsigned int region_attrs(const struct jailhouse_memory *mem)
{
	unsigned int attrs = 0;

	if (mem->flags & JAILHOUSE_MEM_READ)
		attrs |= PG_READ;
	if (mem->flags & JAILHOUSE_MEM_WRITE)
		attrs |= PG_WRITE;
	if (mem->flags & JAILHOUSE_MEM_EXECUTE)
		attrs |= PG_EXECUTE;
	if (mem->flags & JAILHOUSE_MEM_NO_HUGEPAGES)
		attrs |= PG_NO_HUGE;
	return attrs;
}

int arch_map_memory_region(struct cell *cell, const struct jailhouse_memory *mem)
{
	hpa_t phys = hpa(mem->phys_start);
	int err;

	/* Without READ there is no mapping at all: long-mode entries cannot say write-only. */
	if (!(mem->flags & JAILHOUSE_MEM_READ))
		return 0;
	if (mem->flags & JAILHOUSE_MEM_COMM_REGION)
		phys = virt_to_hpa(cell->comm_page);

	err = page_table_map(&cell->stage2, mem->virt_start, phys, mem->size,
			     region_attrs(mem));
	if (!err && covers_xapic_page(mem))
		err = map_xapic_page(cell);
	return err;
}

int arch_unmap_memory_region(struct cell *cell, const struct jailhouse_memory *mem)
{
	int err;

	err = page_table_unmap(&cell->stage2, mem->virt_start, mem->size);
	if (!err && covers_xapic_page(mem))
		err = map_xapic_page(cell);
	return err;
}

void arch_fill_comm_region(struct cell *cell)
{
	struct jailhouse_comm_region *comm = cell->comm_page;
	int cpu, num_cpus = 0;

	for_each_cpu(cpu, cell)
		num_cpus++;
	comm->x86.pm_timer_address = system_config->platform_info.x86.pm_timer_address;
	comm->x86.num_cpus = num_cpus;
	comm->x86.tsc_khz = system_config->platform_info.x86.tsc_khz;
	comm->x86.apic_khz = system_config->platform_info.x86.apic_khz;
}

/* Nested translations of CPUs in the guest: flushed before their next entry (decisions.md 6). */
static void request_flush(struct cell *cell)
{
	int cpu;

	for_each_cpu(cpu, cell)
		cpu_request_flush(per_cpu(cpu));
}

void arch_config_commit(struct cell *changed)
{
	apic_update_logical_mask(&root_cell);
	request_flush(&root_cell);
	if (changed && changed != &root_cell) {
		apic_update_logical_mask(changed);
		request_flush(changed);
	}
}
