// SPDX-License-Identifier: GPL-2.0-only
/* arm64 share of a cell: stage 2, communication region, caches of its memory. */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/paging.h>
#include <core/printk.h>
#include <arch/cpu.h>
#include <arch/paging.h>

#define MAX_VMID	255

int arch_cell_init(struct cell *cell)
{
	if (cell->config->id > MAX_VMID) {
		printk("Cell \"%s\": id %u is more than %u\n", cell_name(cell), cell->config->id,
		       MAX_VMID);
		return trace_error(-ERANGE);
	}
	return page_table_init(&cell->stage2, stage2_format);
}

void arch_cell_exit(struct cell *cell)
{
	page_table_free(&cell->stage2);
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
	if (mem->flags & JAILHOUSE_MEM_IO)
		attrs |= PG_DEVICE;
	if (mem->flags & JAILHOUSE_MEM_NO_HUGEPAGES)
		attrs |= PG_NO_HUGE;
	return attrs;
}

int arch_map_memory_region(struct cell *cell, const struct jailhouse_memory *mem)
{
	hpa_t phys = hpa(mem->phys_start);

	if (!(mem->flags & (JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE)))
		return 0;
	if (mem->flags & JAILHOUSE_MEM_COMM_REGION)
		phys = virt_to_hpa(cell->comm_page);
	return page_table_map(&cell->stage2, mem->virt_start, phys, mem->size, region_attrs(mem));
}

int arch_unmap_memory_region(struct cell *cell, const struct jailhouse_memory *mem)
{
	return page_table_unmap(&cell->stage2, mem->virt_start, mem->size);
}

void arch_fill_comm_region(struct cell *cell)
{
	struct jailhouse_comm_region *comm = cell->comm_page;

	comm->arm.gic_version = system_config->platform_info.arm.gic_version;
	comm->arm.gicd_base = system_config->platform_info.arm.gicd_base;
	comm->arm.gicc_base = system_config->platform_info.arm.gicc_base;
	comm->arm.gicr_base = system_config->platform_info.arm.gicr_base;
	comm->arm.vpci_irq_base = cell->config->vpci_irq_base;
}

/* Flushes of stage 2 are requested by core/cell.c. */
void arch_config_commit(struct cell *changed)
{
	(void)changed;
}
