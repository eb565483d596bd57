// SPDX-License-Identifier: GPL-2.0-only
/*
 * Remapping units as the VT-d specification (3.3) tells, for vmx/vtd*.c: registers, the
 * invalidation queue, caches that forget only when told, and devices that ask for memory.
 */
#include <stdlib.h>
#include <core/cell.h>
#include <core/cpu.h>
#include <core/page_pool.h>
#include <core/percpu.h>
#include <core/unit.h>
#include <arch/cpu.h>
#include <arch/io.h>
#include <arch/registers.h>
#include <arch/vcpu.h>
#include "../../../../hypervisor/arch/x86/vmx/vtd.h"

#define UNITS		2
#define CELLS		3
#define CACHED		64
#define FAULTS		2
#define FRO		0x200
#define BLOCKED		(~0ULL)

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

/* --- A unit -------------------------------------------------------------------------- */

struct descriptor { u64 low, high; };

struct context { bool valid; u16 bdf; u64 low, high; };
struct translation { bool valid; u16 bdf; u64 page, phys; unsigned int rights; };

static struct unit_model {
	u8 regs[4096];
	struct context contexts[CACHED];
	struct translation translations[CACHED];
	bool queue_stuck, dead;
} models[UNITS];

unsigned int world_mapped, world_nmis, world_nmi_target, world_invalidations;

static u32 *reg32(struct unit_model *m, unsigned int reg) { return (u32 *)(m->regs + reg); }
static u64 *reg64(struct unit_model *m, unsigned int reg) { return (u64 *)(m->regs + reg); }

void *hv_map(hpa_t phys, u64 size, unsigned int attrs)
{
	(void)size;
	(void)attrs;
	world_mapped++;
	return models[(phys.raw >> 12) & 1].regs;
}

void hv_unmap(void *virt, u64 size)
{
	(void)virt;
	(void)size;
	world_mapped--;
}

static void forget(struct unit_model *m, bool contexts)
{
	for (unsigned int n = 0; n < CACHED; n++)
		if (contexts)
			m->contexts[n].valid = false;
		else
			m->translations[n].valid = false;
	world_invalidations++;
}

/* 6.5.2: global context-cache, global IOTLB with drains, wait with status write. */
static void carry_out(struct unit_model *m, const struct descriptor *d)
{
	unsigned int type = d->low & 0xf;

	if (type == 1 && (d->low >> 4 & 3) == 1)
		forget(m, true);
	else if (type == 2 && (d->low >> 4 & 3) == 1 && (d->low >> 6 & 3) == 3)
		forget(m, false);
	else if (type == 5 && (d->low & 1 << 5))
		*(u32 *)(unsigned long)d->high = (u32)(d->low >> 32);
	else
		*reg32(m, 0x34) |= 1 << 4;
}

static void run_queue(struct unit_model *m)
{
	struct descriptor *queue = (struct descriptor *)(*reg64(m, 0x90) & PAGE_MASK);

	if (!(*reg32(m, 0x1c) & 1 << 26) || m->queue_stuck)
		return;
	for (; *reg64(m, 0x80) != (*reg64(m, 0x88) & 0xff0); *reg64(m, 0x80) = (*reg64(m, 0x80) + 16) & 0xfff)
		carry_out(m, &queue[*reg64(m, 0x80) / 16]);
}

/* One-shot commands show in the status; a queue starts at its head. */
static void global_command(struct unit_model *m, u32 value)
{
	u32 kept = value & (1U << 31 | 1 << 26 | 1 << 25);

	if (m->dead)
		return;
	if (kept & ~*reg32(m, 0x1c) & 1 << 26)
		*reg64(m, 0x80) = 0;
	*reg32(m, 0x1c) = kept | (*reg32(m, 0x1c) & 1 << 30) | (value & 1 << 30);
}

static struct unit_model *model_of(const void *address, unsigned int *reg)
{
	for (unsigned int n = 0; n < UNITS; n++)
		if ((const u8 *)address >= models[n].regs && (const u8 *)address < models[n].regs + 4096) {
			*reg = (unsigned int)((const u8 *)address - models[n].regs);
			return &models[n];
		}
	abort();
}

static void store(void *address, unsigned int size, u64 value)
{
	unsigned int reg;
	struct unit_model *m = model_of(address, &reg);

	if (reg == 0x18) {
		global_command(m, (u32)value);
	} else if (reg == 0x34) {
		*reg32(m, reg) &= ~(u32)value;
	} else if (reg >= FRO && reg < FRO + 16 * FAULTS) {
		if (value >> 63)
			*reg64(m, reg) = 0;
	} else {
		__builtin_memcpy(m->regs + reg, &value, size);
		if (reg == 0x88)
			run_queue(m);
	}
}

static u64 load(const void *address, unsigned int size)
{
	u64 value = 0;

	__builtin_memcpy(&value, address, size);
	return value;
}

/* --- Devices ---------------------------------------------------------------------------- */

static void fault(struct unit_model *m, u16 bdf, u64 address, unsigned int reason, bool write)
{
	for (unsigned int n = 0; n < FAULTS; n++) {
		u64 *record = reg64(m, FRO + 16 * n);

		if (record[1] >> 63)
			continue;
		record[0] = address & PAGE_MASK;
		record[1] = 1ULL << 63 | (u64)!write << 62 | (u64)reason << 32 | bdf;
		if (!(*reg32(m, 0x38) >> 31) && *reg32(m, 0x3c) == 0x400) {
			world_nmis++;
			world_nmi_target = *reg32(m, 0x40);
		}
		return;
	}
	*reg32(m, 0x34) |= 1;
}

static struct context *context_of(struct unit_model *m, u16 bdf)
{
	u64 *root, *entry;
	struct context *slot = NULL;

	for (unsigned int n = 0; n < CACHED; n++)
		if (m->contexts[n].valid && m->contexts[n].bdf == bdf)
			return &m->contexts[n];
		else if (!m->contexts[n].valid)
			slot = &m->contexts[n];
	root = (u64 *)(*reg64(m, 0x20) & PAGE_MASK) + 2 * (bdf >> 8);
	if (!(*root & 1))
		return NULL;
	entry = (u64 *)(*root & PAGE_MASK) + 2 * (bdf & 0xff);
	if (!(*entry & 1))
		return NULL;
	*slot = (struct context){ true, bdf, entry[0], entry[1] };
	return slot;
}

/* 9.8: rights of all levels count; bit 7 ends the walk above the last one. */
static bool walk(const struct unit_model *m, const struct context *context, u64 address,
		 struct translation *found)
{
	unsigned int levels = (unsigned int)(context->high & 7) + 2, level, shift;
	u64 *table = (u64 *)(context->low & PAGE_MASK), entry, size;

	if (address >> (12 + 9 * levels) || !(*(const u64 *)(m->regs + 8) >> (6 + levels) & 1))
		return false;
	found->rights = 3;
	for (level = levels; level; level--) {
		shift = 12 + 9 * (level - 1);
		entry = table[address >> shift & 0x1ff];
		found->rights &= entry & 3;
		if (!(entry & 3))
			return false;
		size = 1ULL << shift;
		if (level == 1 || entry & 1 << 7) {
			if (level > 1 && !(*(const u64 *)(m->regs + 8) >> (32 + level) & 1))
				return false;
			found->phys = (entry & 0xffffffffff000ULL) + (address & (size - 1) & PAGE_MASK);
			return true;
		}
		table = (u64 *)(entry & 0xffffffffff000ULL);
	}
	return false;
}

static struct translation *translation_of(struct unit_model *m, u16 bdf, u64 address)
{
	struct context *context;
	struct translation *slot = NULL;

	for (unsigned int n = 0; n < CACHED; n++)
		if (m->translations[n].valid && m->translations[n].bdf == bdf &&
		    m->translations[n].page == address >> 12)
			return &m->translations[n];
		else if (!m->translations[n].valid)
			slot = &m->translations[n];
	context = context_of(m, bdf);
	if (!context || !walk(m, context, address, slot))
		return NULL;
	slot->valid = true;
	slot->bdf = bdf;
	slot->page = address >> 12;
	return slot;
}

u64 world_dma(unsigned int unit, u16 bdf, u64 address, bool write);
u64 world_dma(unsigned int unit, u16 bdf, u64 address, bool write)
{
	struct unit_model *m = &models[unit];
	struct translation *found;

	if (!(*reg32(m, 0x1c) >> 31))
		return address;
	found = translation_of(m, bdf, address);
	if (found && (found->rights & (write ? 2 : 1)))
		return found->phys | (address & PAGE_OFFS_MASK);
	fault(m, bdf, address, write ? 5 : 6, write);
	return BLOCKED;
}

/* --- For the test ---------------------------------------------------------------------------- */

void world_init(void);
void world_init(void)
{
	fake_mmio_read = load;
	fake_mmio_write = store;
	world_root_cpu = 1;
	per_cpu(1)->cpu_id = 1;
	per_cpu(1)->arch.apic_id = 3;
}

void world_unit(unsigned int n, unsigned int type, u64 cap, u64 ecap, u32 status);
void world_unit(unsigned int n, unsigned int type, u64 cap, u64 ecap, u32 status)
{
	struct jailhouse_iommu *info = &system_storage.platform_info.iommu_units[n];

	*info = (struct jailhouse_iommu){ .type = type, .base = 0xfed90000 + 0x1000 * n, .size = 4096 };
	*reg64(&models[n], 0x08) = cap | (u64)(FRO / 16) << 24 | (u64)(FAULTS - 1) << 40;
	*reg64(&models[n], 0x10) = ecap;
	*reg32(&models[n], 0x1c) = status;
	*reg32(&models[n], 0x38) = 1U << 31;
}

void world_no_units(void);
void world_no_units(void) { system_storage.platform_info.iommu_units[0].base = 0; }

u32 world_register(unsigned int n, unsigned int reg);
u32 world_register(unsigned int n, unsigned int reg) { return *reg32(&models[n], reg); }
void world_set_register(unsigned int n, unsigned int reg, u32 value);
void world_set_register(unsigned int n, unsigned int reg, u32 value) { *reg32(&models[n], reg) = value; }

void world_break(unsigned int n, bool queue);
void world_break(unsigned int n, bool queue)
{
	if (queue)
		models[n].queue_stuck = true;
	else
		models[n].dead = true;
}

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
	configs[n].desc.id = id;
	cell_of(n)->config = &configs[n].desc;
	return vtd_unit.cell_init(cell_of(n));
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
void world_exit(unsigned int n) { vtd_unit.cell_exit(cell_of(n)); }
int world_start(void);
int world_start(void) { return vtd_unit.init(); }
void world_commit(void);
void world_commit(void) { vtd_unit.config_commit(NULL); }
void world_shutdown(void);
void world_shutdown(void) { vtd_unit.shutdown(); }
