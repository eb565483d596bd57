// SPDX-License-Identifier: GPL-2.0-only
/* Cells with memory and devices, and nothing else, for the DMA remapping of vmx/vtd*.c. */
#include <stdlib.h>
#include <core/cell.h>
#include <core/cpu.h>
#include <core/mmio.h>
#include <core/page_pool.h>
#include <core/percpu.h>
#include <core/unit.h>
#include <arch/cpu.h>
#include <arch/io.h>
#include <arch/registers.h>
#include <arch/vcpu.h>
#include <arch/ioapic.h>
#include "../../../../hypervisor/arch/x86/vmx/vtd.h"
#include "../../../../hypervisor/arch/x86/vmx/vtd_irq.h"
#include "vtd_model.h"

#define CELLS		3

/* --- What the code under test needs ------------------------------------------------ */

struct cell root_cell;
static struct cell others[CELLS - 1];
static struct jailhouse_system system_storage;
struct jailhouse_system *system_config = &system_storage;
static struct {
	struct jailhouse_cell_desc desc;
	struct jailhouse_memory mem[4];
	struct jailhouse_pci_device pci[4];
} __packed configs[CELLS];

unsigned int world_write_backs, world_stops, world_root_cpu;
int world_lines = 1000;		/* that guests may cause */

void cache_write_back(void) { world_write_backs++; }
void arch_panic_stop(void) { world_stops++; abort(); }
bool guest_line_allowed(void) { return world_lines-- > 0; }
int cell_next_cpu(const struct cell *cell, int after)
{
	return cell == &root_cell && after < (int)world_root_cpu ? (int)world_root_cpu : -1;
}

/* --- Units ----------------------------------------------------------------------------- */

unsigned int world_mapped;

void *hv_map(hpa_t phys, u64 size, unsigned int attrs)
{
	(void)size;
	(void)attrs;
	world_mapped++;
	return vtd_model_registers((phys.raw >> 12) & 1);
}

void hv_unmap(void *virt, u64 size)
{
	(void)virt;
	(void)size;
	world_mapped--;
}

/* No interrupt is remapped in this world. */
bool using_x2apic;
bool pci_handed_over, ioapic_handed_over;
const struct unit ioapic_unit;
void ioapic_silence(void) { abort(); }
void vtd_irq_repeat_edges(void) { abort(); }
void vtd_irq_refresh(unsigned int unit, unsigned int first, u64 count)
{
	(void)unit;
	(void)first;
	(void)count;
	abort();
}

void *cell_map_temp(const struct cell *cell, gpa_t addr, unsigned int pages, unsigned int attrs)
{
	(void)cell;
	(void)addr;
	(void)pages;
	(void)attrs;
	abort();
}

void mmio_region_register(struct cell *cell, gpa_t start, u64 size, mmio_handler handler, void *arg)
{
	(void)cell;
	(void)start;
	(void)size;
	(void)handler;
	(void)arg;
	abort();
}

void mmio_region_unregister(struct cell *cell, gpa_t start)
{
	(void)cell;
	(void)start;
	abort();
}

/* --- For the test ---------------------------------------------------------------------------- */

void world_init(void);
void world_init(void)
{
	fake_mmio_read = vtd_model_load;
	fake_mmio_write = vtd_model_store;
	world_root_cpu = 1;
	per_cpu(1)->cpu_id = 1;
	per_cpu(1)->arch.apic_id = 3;
}

void world_unit(unsigned int n, unsigned int type, u64 cap, u64 ecap, u32 status);
void world_unit(unsigned int n, unsigned int type, u64 cap, u64 ecap, u32 status)
{
	struct jailhouse_iommu *info = &system_storage.platform_info.iommu_units[n];

	*info = (struct jailhouse_iommu){ .type = type, .base = 0xfed90000 + 0x1000 * n, .size = 4096 };
	vtd_model_init(n, cap, ecap, status);
}

void world_no_units(void);
void world_no_units(void) { system_storage.platform_info.iommu_units[0].base = 0; }

static struct cell *cell_of(unsigned int n) { return n ? &others[n - 1] : &root_cell; }

void world_memory(unsigned int n, unsigned int i, u64 phys, u64 virt, u64 size, u64 flags);
void world_memory(unsigned int n, unsigned int i, u64 phys, u64 virt, u64 size, u64 flags)
{
	configs[n].desc.num_memory_regions = 4;
	configs[n].mem[i] = (struct jailhouse_memory){
		.phys_start = phys, .virt_start = virt, .size = size, .flags = flags
	};
}

void world_device(unsigned int n, unsigned int i, unsigned int bdf, unsigned int unit);
void world_device(unsigned int n, unsigned int i, unsigned int bdf, unsigned int unit)
{
	configs[n].desc.num_memory_regions = 4;
	configs[n].desc.num_pci_devices = 4;
	configs[n].pci[i] = (struct jailhouse_pci_device){
		.type = JAILHOUSE_PCI_TYPE_DEVICE, .bdf = (u16)bdf, .iommu = (u8)unit
	};
}

int world_cell(unsigned int n, unsigned int id);
int world_cell(unsigned int n, unsigned int id)
{
	int err;

	configs[n].desc.id = id;
	cell_of(n)->config = &configs[n].desc;
	err = vtd_unit.cell_init(cell_of(n));
	if (n && !err) {
		cell_of(n)->next = root_cell.next;
		root_cell.next = cell_of(n);
	}
	return err;
}

/* Region i of cell n's list, mapped for cell `in` (identity for the root cell), or unmapped. */
int world_map(unsigned int in, unsigned int n, unsigned int i, bool map);
int world_map(unsigned int in, unsigned int n, unsigned int i, bool map)
{
	struct jailhouse_memory mem = configs[n].mem[i];

	if (!in)
		mem.virt_start = mem.phys_start;
	return map ? vtd_unit.map_region(cell_of(in), &mem) : vtd_unit.unmap_region(cell_of(in), &mem);
}

void world_exit(unsigned int n);
void world_exit(unsigned int n)
{
	struct cell **link = &root_cell.next;

	vtd_unit.cell_exit(cell_of(n));
	while (*link && *link != cell_of(n))
		link = &(*link)->next;
	if (*link)
		*link = cell_of(n)->next;
}

int world_start(void);
int world_start(void) { return vtd_unit.init(); }
void world_commit(void);
void world_commit(void) { vtd_unit.config_commit(NULL); }
void world_shutdown(void);
void world_shutdown(void) { vtd_unit.shutdown(); }
