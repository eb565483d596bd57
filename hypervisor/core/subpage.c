// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sub-page regions (abi.md 1.5): never mapped, each access checked against the
 * record and then performed through this CPU's window.
 */
#include <core/cell.h>
#include <core/mmio.h>
#include <core/paging.h>
#include <core/percpu.h>
#include <core/printk.h>

static bool access_allowed(const struct jailhouse_memory *mem, const struct mmio_access *access)
{
	u64 width = (u64)access->size << JAILHOUSE_MEM_IO_WIDTH_SHIFT;
	u64 direction = access->is_write ? JAILHOUSE_MEM_WRITE : JAILHOUSE_MEM_READ;

	return (mem->flags & direction) && (mem->flags & width) &&
		((mem->flags & JAILHOUSE_MEM_IO_UNALIGNED) ||
		 ((mem->virt_start + access->address) & (access->size - 1)) == 0);
}

static enum mmio_result subpage_handle(void *arg, struct mmio_access *access)
{
	const struct jailhouse_memory *mem = arg;
	hpa_t phys = hpa(mem->phys_start + access->address);
	struct mmio_access here = *access;
	void *base;

	if (!access_allowed(mem, access)) {
		panic_printk("FATAL: Invalid MMIO %s, address: %llx, size: %x (cell \"%s\", CPU %u; "
			     "allowed by flags of the sub-page region at 0x%llx)\n",
			     access->is_write ? "write" : "read",
			     mem->virt_start + access->address, access->size,
			     cell_name(this_cpu()->cell), this_cpu()->cpu_id,
			     mem->virt_start);
		return MMIO_ERROR;
	}
	/* Two pages: an unaligned access may straddle. */
	base = hv_map_temp(phys, (phys.raw & PAGE_OFFS_MASK) + access->size > PAGE_SIZE ? 2 : 1,
			   PG_READ | PG_WRITE | PG_DEVICE);
	here.address = 0;
	mmio_perform(base, &here);
	access->value = here.value;
	return MMIO_HANDLED;
}

int subpage_region_register(struct cell *cell, const struct jailhouse_memory *mem)
{
	/* The record is part of the cell's own configuration and lives as long as the cell. */
	mmio_region_register(cell, gpa(mem->virt_start), mem->size, subpage_handle,
			     (void *)(unsigned long)mem);
	return 0;
}

void subpage_region_unregister(struct cell *cell, const struct jailhouse_memory *mem)
{
	mmio_region_unregister(cell, gpa(mem->virt_start));
}
