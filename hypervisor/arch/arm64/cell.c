// SPDX-License-Identifier: GPL-2.0-only
/* arm64 share of a cell: stage 2, communication region, caches of its memory. */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/paging.h>
#include <core/printk.h>
#include <arch/cpu.h>
#include <arch/paging.h>
#include <arch/sysregs.h>

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

/* --- Caches ---------------------------------------------------------------------- */

/* CTR_EL0.DminLine: log2 of words */
static void clean_and_invalidate(const char *start, u64 size)
{
	u64 line = 4ULL << (sysreg_read(ctr_el0) >> 16 & 0xf);
	u64 address = (u64)start & ~(line - 1);

	for (; address < (u64)start + size; address += line)
		asm volatile("dc civac, %0" : : "r" (address) : "memory");
}

static void region_clean(const struct jailhouse_memory *mem)
{
	u64 done, chunk, phys;

	for (done = 0; done < mem->size; done += chunk) {
		phys = mem->phys_start + done;
		chunk = MIN(mem->size - done,
			    NUM_TEMP_PAGES * PAGE_SIZE - (phys & PAGE_OFFS_MASK));
		clean_and_invalidate(hv_map_temp(hpa(phys),
						 (unsigned int)PAGES((phys & PAGE_OFFS_MASK) + chunk),
						 PG_READ | PG_WRITE), chunk);
	}
}

static bool is_ram(const struct jailhouse_memory *mem)
{
	return mem->size && (mem->flags & JAILHOUSE_MEM_WRITE) &&
		!(mem->flags & (JAILHOUSE_MEM_IO | JAILHOUSE_MEM_COMM_REGION |
				JAILHOUSE_MEM_ROOTSHARED));
}

/*
 * The cell starts with its caches off: what was cleared, loaded or left there by
 * its previous life is in memory then, and nothing older (abi.md 7.6).
 */
static void cell_clean_caches(const struct cell *cell)
{
	const struct jailhouse_memory *mem;
	unsigned int n;

	for_each_mem_region(mem, cell->config, n)
		if (is_ram(mem))
			region_clean(mem);
	clean_and_invalidate((const char *)cell->comm_page, PAGE_SIZE);
	asm volatile("dsb sy; ic ialluis; dsb ish; isb" : : : "memory");
}

/* The last thing before each start. */
void arch_fill_comm_region(struct cell *cell)
{
	struct jailhouse_comm_region *comm = cell->comm_page;

	comm->arm.gic_version = system_config->platform_info.arm.gic_version;
	comm->arm.gicd_base = system_config->platform_info.arm.gicd_base;
	comm->arm.gicc_base = system_config->platform_info.arm.gicc_base;
	comm->arm.gicr_base = system_config->platform_info.arm.gicr_base;
	comm->arm.vpci_irq_base = cell->config->vpci_irq_base;
	if (cell != &root_cell)
		cell_clean_caches(cell);
}

/* Flushes of stage 2 are requested by core/cell.c. */
void arch_config_commit(struct cell *changed)
{
	(void)changed;
}
