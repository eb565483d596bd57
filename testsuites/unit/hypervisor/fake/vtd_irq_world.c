// SPDX-License-Identifier: GPL-2.0-only
/* The machine of device_world.c with a remapping unit, for vmx/vtd*.c and all that sends interrupts. */
#include <stdlib.h>
#include <core/cell.h>
#include <core/cpu.h>
#include <core/page_pool.h>
#include <core/unit.h>
#include <arch/cpu.h>
#include <arch/registers.h>
#include <arch/vcpu.h>
#include "../../../../hypervisor/arch/x86/vmx/vtd.h"
#include "vtd_model.h"

#define UNIT_BASE	0xfed90000ULL
#define MSI_BASE	0xfee00000ULL

extern const struct unit *world_iommu;
extern void *(*world_map_unit)(u64 phys);
extern bool (*world_is_unit)(const void *address);
extern u64 (*world_unit_read)(const void *address, unsigned int size);
extern void (*world_unit_write)(void *address, unsigned int size, u64 value);
extern u64 world_pins[24];

unsigned int world_write_backs, world_line_write_backs;

void cache_write_back(void) { world_write_backs++; }
void cache_line_write_back(const void *address)
{
	(void)address;
	world_line_write_backs++;
}
void arch_panic_stop(void) { abort(); }
bool guest_line_allowed(void) { return true; }
int cell_next_cpu(const struct cell *cell, int after)
{
	return cell == &root_cell && after < 0 ? 0 : -1;
}

void *page_alloc_aligned(struct page_pool *pool, unsigned int num) { return page_alloc(pool, num); }

/* Of a Linux that remaps: what is where it says is memory of this process. */
u64 world_table[512] __aligned(4096), world_queue[512] __aligned(4096);
u32 world_status[1024] __aligned(4096);

static void *map_unit(u64 phys)
{
	if (phys == (unsigned long)world_table || phys == (unsigned long)world_queue)
		return (void *)phys;
	return phys == UNIT_BASE ? vtd_model_registers(0) : NULL;
}

void *cell_map_temp(const struct cell *cell, gpa_t addr, unsigned int pages, unsigned int attrs)
{
	(void)attrs;
	return cell == &root_cell && pages == 1 && addr.raw == (unsigned long)world_status ?
		world_status : NULL;
}

/* 256 entries; `mode`: that bit of the register; the queue stands at `tail`. */
void irq_world_linux_remaps(u64 mode, u64 format, u32 tail);
void irq_world_linux_remaps(u64 mode, u64 format, u32 tail)
{
	vtd_model_in_use(0, (unsigned long)world_table | mode | 7, (unsigned long)world_queue | format, tail);
}

u64 world_status_address(void);
u64 world_status_address(void) { return (unsigned long)world_status; }

void irq_world_init(u64 cap, u64 ecap, u32 limit);
void irq_world_init(u64 cap, u64 ecap, u32 limit)
{
	world_iommu = &vtd_unit;
	world_map_unit = map_unit;
	world_is_unit = vtd_model_has;
	world_unit_read = vtd_model_load;
	world_unit_write = vtd_model_store;
	vtd_model_init(0, cap, ecap, 0);
	system_config->platform_info.x86.vtd_interrupt_limit = limit;
	system_config->platform_info.iommu_units[0] = (struct jailhouse_iommu){
		.type = JAILHOUSE_IOMMU_INTEL, .base = UNIT_BASE, .size = 4096
	};
}

/* What becomes of a pin that fires (5.1.5: messages of an IOAPIC); 0: masked. */
u64 world_pin_fires(unsigned int pin, u16 requester);
u64 world_pin_fires(unsigned int pin, u16 requester)
{
	u64 entry = world_pins[pin], level = entry & 0x8000;

	if (entry & 0x10000)
		return 0;
	if (entry >> 48 & 1)
		return world_interrupt(0, requester, MSI_BASE | 0x10 | (entry >> 49 & 0x7fff) << 5 |
				       (entry >> 11 & 1) << 2, (u32)(entry & 0xff));
	return world_interrupt(0, requester, MSI_BASE | entry >> 56 << 12 | (entry >> 9 & 4),
			       (u32)((entry & 0x7ff) | level));
}
