// SPDX-License-Identifier: GPL-2.0-only
/*
 * Remapping units as the VT-d specification (3.3) tells: registers, the invalidation
 * queue, caches that forget only when told, devices that ask for memory and interrupt.
 */
#include <core/types.h>
#include "vtd_model.h"

#define CACHED		64
#define FAULTS		2
#define FRO		0x200

/* --- A unit -------------------------------------------------------------------------- */

struct descriptor { u64 low, high; };

struct context { bool valid; u16 bdf; u64 low, high; };
struct interrupt { bool valid; unsigned int index; u64 low, high; };
struct translation { bool valid; u16 bdf; u64 page, phys; unsigned int rights; };

static struct unit_model {
	u8 regs[4096];
	struct context contexts[CACHED];
	struct translation translations[CACHED];
	struct interrupt interrupts[CACHED];
	u64 irta;			/* latched */
	unsigned int last_type;		/* of the queue's descriptors */
	bool queue_stuck, dead;
} models[VTD_MODELS];

unsigned int world_nmis, world_nmi_target, world_invalidations;

static u32 *reg32(struct unit_model *m, unsigned int reg) { return (u32 *)(m->regs + reg); }
static u64 *reg64(struct unit_model *m, unsigned int reg) { return (u64 *)(m->regs + reg); }

static void forget(struct unit_model *m, bool contexts)
{
	for (unsigned int n = 0; n < CACHED; n++)
		if (contexts)
			m->contexts[n].valid = false;
		else
			m->translations[n].valid = false;
	world_invalidations++;
}

/* 6.5.2.7: all, or one (an index mask is not used) */
static void forget_interrupts(struct unit_model *m, bool one, unsigned int index)
{
	for (unsigned int n = 0; n < CACHED; n++)
		if (!one || m->interrupts[n].index == index)
			m->interrupts[n].valid = false;
}

/* 6.5.2: global context-cache, global IOTLB with drains, wait with status write. */
static void carry_out(struct unit_model *m, const struct descriptor *d)
{
	unsigned int type = d->low & 0xf;

	m->last_type = type;
	if (type == 1 && (d->low >> 4 & 3) == 1)
		forget(m, true);
	else if (type == 2 && (d->low >> 4 & 3) == 1 && (d->low >> 6 & 3) == 3)
		forget(m, false);
	else if (type == 4)
		forget_interrupts(m, d->low & 1 << 4, (unsigned int)(d->low >> 32));
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
	u32 kept = value & (1U << 31 | 1 << 26 | 1 << 25 | 1 << 23);
	u32 *status = reg32(m, 0x1c);

	if (m->dead)
		return;
	if (kept & ~*status & 1 << 26) {
		*reg64(m, 0x80) = 0;
		m->last_type = 0;
	}
	/* As QEMU's unit: a queue that does not end with a wait stays on. */
	if (~kept & *status & 1 << 26 && m->last_type != 5)
		kept |= 1 << 26;
	if (value & 1 << 24)
		m->irta = *reg64(m, 0xb8);
	*status = kept | ((*status | value) & (1 << 30 | 1 << 24));
}

static struct unit_model *model_of(const void *address, unsigned int *reg)
{
	for (unsigned int n = 0; n < VTD_MODELS; n++)
		if ((const u8 *)address >= models[n].regs && (const u8 *)address < models[n].regs + 4096) {
			*reg = (unsigned int)((const u8 *)address - models[n].regs);
			return &models[n];
		}
	return NULL;
}

bool vtd_model_has(const void *address)
{
	unsigned int reg;

	return model_of(address, &reg);
}

void vtd_model_store(void *address, unsigned int size, u64 value)
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

u64 vtd_model_load(const void *address, unsigned int size)
{
	u64 value = 0;

	__builtin_memcpy(&value, address, size);
	return value;
}

/* --- Devices ---------------------------------------------------------------------------- */

static void vtd_model_fault(struct unit_model *m, u16 bdf, u64 address, unsigned int reason, bool write)
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

u64 world_dma(unsigned int unit, u16 bdf, u64 address, bool write)
{
	struct unit_model *m = &models[unit];
	struct translation *found;

	if (!(*reg32(m, 0x1c) >> 31))
		return address;
	found = translation_of(m, bdf, address);
	if (found && (found->rights & (write ? 2 : 1)))
		return found->phys | (address & PAGE_OFFS_MASK);
	vtd_model_fault(m, bdf, address, write ? 5 : 6, write);
	return BLOCKED;
}

/* --- Interrupts ----------------------------------------------------------------------------- */

#define IRES		(1 << 25)
#define CFIS		(1 << 23)
#define EIME		(1 << 11)

static struct interrupt *interrupt_of(struct unit_model *m, unsigned int index)
{
	struct interrupt *slot = NULL;
	const u64 *entry = (const u64 *)(m->irta & PAGE_MASK) + 2 * index;

	for (unsigned int n = 0; n < CACHED; n++)
		if (m->interrupts[n].valid && m->interrupts[n].index == index)
			return &m->interrupts[n];
		else if (!m->interrupts[n].valid)
			slot = &m->interrupts[n];
	*slot = (struct interrupt){ entry[0] & 1, index, entry[0], entry[1] };
	return slot;
}

/* 9.9: bits that must be 0; in xAPIC mode a destination has eight bits */
static bool reserved_set(const struct unit_model *m, const struct interrupt *entry)
{
	return (entry->low & 0xff00f000) || entry->high >> 20 ||
		(!(m->irta & EIME) && (entry->low >> 32 & 0xffff00ff));
}

/* 5.1.3; what is compared: all of the requester id, or not its function's bits */
static bool may_use(const struct interrupt *entry, u16 requester)
{
	static const u16 compared[] = { 0xffff, 0xfffb, 0xfff9, 0xfff8 };

	switch (entry->high >> 18 & 3) {
	case 0:
		return true;
	case 1:
		return !((entry->high ^ requester) & compared[entry->high >> 16 & 3]);
	default:
		return false;
	}
}

static u64 delivery(u64 destination, bool logical, u64 mode, u64 vector, bool level)
{
	return destination << 32 | (u64)level << 12 | (u64)logical << 11 | mode << 8 | vector;
}

static u64 blocked(struct unit_model *m, u16 requester, unsigned int reason, u64 index)
{
	vtd_model_fault(m, requester, index << 48, reason, true);
	return BLOCKED;
}

/* Table 7: reasons */
static u64 remapped(struct unit_model *m, u16 requester, u64 address, u32 data)
{
	unsigned int index = (address >> 5 & 0x7fff) | (address & 4) << 13;
	const struct interrupt *entry;

	if (address & 8)
		index += data & 0xffff;
	if ((address & 8) && data >> 16)
		return blocked(m, requester, 0x20, index);
	if (index >= 2U << (m->irta & 15))
		return blocked(m, requester, 0x21, index);
	entry = interrupt_of(m, index);
	if (!(entry->low & 1))
		return blocked(m, requester, 0x22, index);
	if (reserved_set(m, entry))
		return blocked(m, requester, 0x24, index);
	if (!may_use(entry, requester))
		return blocked(m, requester, 0x26, index);
	return delivery(m->irta & EIME ? entry->low >> 32 : entry->low >> 40 & 0xff, entry->low & 4,
			entry->low >> 5 & 7, entry->low >> 16 & 0xff, entry->low & 16);
}

/* What a message to the interrupt window becomes. */
u64 world_interrupt(unsigned int unit, u16 requester, u64 address, u32 data)
{
	struct unit_model *m = &models[unit];
	u32 status = *reg32(m, 0x1c);

	if ((status & IRES) && (address & 0x10))
		return remapped(m, requester, address, data);
	if ((status & IRES) && (!(status & CFIS) || (m->irta & EIME)))
		return blocked(m, requester, 0x25, 0);
	return delivery(address >> 12 & 0xff, address & 4, data >> 8 & 7, data & 0xff, data & 0x8000);
}

/* --- Steering ------------------------------------------------------------------------------- */

void vtd_model_init(unsigned int n, u64 cap, u64 ecap, u32 status)
{
	*reg64(&models[n], 0x08) = cap | (u64)(FRO / 16) << 24 | (u64)(FAULTS - 1) << 40;
	*reg64(&models[n], 0x10) = ecap;
	*reg32(&models[n], 0x1c) = status;
	*reg32(&models[n], 0x38) = 1U << 31;
}

void vtd_model_in_use(unsigned int n, u64 irta, u64 iqa, u32 tail)
{
	struct unit_model *m = &models[n];

	m->irta = irta;
	m->last_type = 5;
	*reg64(m, 0xb8) = irta;
	*reg64(m, 0x90) = iqa;
	*reg64(m, 0x80) = tail;
	*reg64(m, 0x88) = tail;
	*reg32(m, 0x1c) = 1 << 26 | IRES | 1 << 24;
}

u64 world_register_wide(unsigned int n, unsigned int reg) { return *reg64(&models[n], reg); }

void *vtd_model_registers(unsigned int n) { return models[n].regs; }
u32 world_register(unsigned int n, unsigned int reg) { return *reg32(&models[n], reg); }
void world_set_register(unsigned int n, unsigned int reg, u32 value) { *reg32(&models[n], reg) = value; }

void world_break(unsigned int n, bool queue)
{
	if (queue)
		models[n].queue_stuck = true;
	else
		models[n].dead = true;
}
