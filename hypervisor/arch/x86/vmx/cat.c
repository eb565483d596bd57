// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cache allocation technology, L3 (SDM 3B, 17.19): a class of service for the
 * root cell and for each cell that names ways; others share root's.  Masks are
 * per package, so every CPU writes its own class' before it enters the guest.
 */
#include <core/cell.h>
#include <core/printk.h>
#include <arch/registers.h>
#include "cat.h"
#include "cat_mask.h"

#define CPUID_7_EBX_RDT		(1U << 15)
#define CPUID_RDT		0x10
#define RDT_EBX_L3		(1U << 1)
#define L3_ECX_CDP		(1U << 2)

#define MSR_L3_QOS_CFG		0xc81
#define L3_QOS_CDP		1U
#define MSR_PQR_ASSOC		0xc8f
#define PQR_RMID		0x3ffU	/* monitoring: not ours */
#define MSR_L3_MASK(class)	(0xc90 + (class))

#define MAX_CLASSES		128	/* registers up to 0xd0f (SDM 4, table 2-2) */

static struct {
	unsigned int ways;	/* 0: not there */
	unsigned int classes;
	u32 linux_mask;		/* of class 0, as found */
	u32 root_own;		/* what the root configuration names */
	u32 root_mask;		/* what of it root has now */
	/* Class 0 is root's, and of those that name no ways. */
	const struct cell *owner[MAX_CLASSES];
} cat;

static bool code_and_data_apart(u32 features)
{
	return (features & L3_ECX_CDP) && (msr_read(MSR_L3_QOS_CFG) & L3_QOS_CDP);
}

static int cat_init(void)
{
	struct cpuid l3;

	cat.ways = 0;
	if (cpuid(0, 0).eax < CPUID_RDT || !(cpuid(7, 0).ebx & CPUID_7_EBX_RDT) ||
	    !(cpuid(CPUID_RDT, 0).ebx & RDT_EBX_L3))
		return 0;
	l3 = cpuid(CPUID_RDT, 1);
	if (code_and_data_apart(l3.ecx)) {
		printk("WARNING: CAT: not used, code and data have separate masks (resctrl)\n");
		return 0;
	}
	cat.ways = (l3.eax & 0x1f) + 1;
	cat.classes = MIN((l3.edx & 0xffff) + 1, (u32)MAX_CLASSES);
	cat.linux_mask = msr_read(MSR_L3_MASK(0));
	return 0;
}

/* --- Masks ------------------------------------------------------------------------ */

static bool exclusive(const struct cell *cell)
{
	return !(jailhouse_cell_cache_regions(cell->config)->flags & JAILHOUSE_CACHE_ROOTSHARED);
}

/* The configuration's ways; 0: it names none. */
static int named_mask(const struct cell *cell, u32 *mask)
{
	const struct jailhouse_cache *region = jailhouse_cell_cache_regions(cell->config);

	*mask = 0;
	if (!cell->config->num_cache_regions)
		return 0;
	if (cell->config->num_cache_regions > 1 || region->type != JAILHOUSE_CACHE_L3)
		return trace_error(-EINVAL);
	*mask = cat_mask_make(region->start, region->size, cat.ways);
	return *mask ? 0 : trace_error(-EINVAL);
}

static unsigned int class_of(const struct cell *cell)
{
	unsigned int class;

	for (class = cat.classes - 1; class > 0; class--)
		if (cat.owner[class] == cell)
			break;
	return class;
}

/* Owners have been checked. */
static u32 class_mask(unsigned int class)
{
	const struct jailhouse_cache *region;

	if (class == 0)
		return cat.root_mask;
	region = jailhouse_cell_cache_regions(cat.owner[class]->config);
	return cat_mask_make(region->start, region->size, cat.ways);
}

/* Ways that cells do not share with root. */
static u32 taken_ways(void)
{
	unsigned int class;
	u32 taken = 0;

	for (class = 1; class < cat.classes; class++)
		if (cat.owner[class] && exclusive(cat.owner[class]))
			taken |= class_mask(class);
	return taken;
}

static void set_root_mask(u32 taken)
{
	u32 mask = cat_root_mask(cat.root_own, taken), old = cat.root_mask;

	if (mask == old)
		return;
	cat.root_mask = mask;
	printk("CAT: %s root cell bitmask to %x\n",
	       cat_ways(mask) < cat_ways(old) ? "Shrunk" : "Extended", mask);
}

static void report(const struct cell *cell)
{
	unsigned int class = class_of(cell);

	printk("CAT: Using COS %u with bitmask %08x for cell %s\n", class, class_mask(class),
	       cell_name(cell));
}

/* Exclusive ways belong to one cell (decisions.md 10, as for memory); root keeps at least one. */
static int take_ways(const struct cell *cell, u32 mask)
{
	u32 taken = taken_ways();
	unsigned int class;

	if (exclusive(cell)) {
		if (mask & taken)
			return trace_error(-EINVAL);
		taken |= mask;
	}
	if (!cat_root_mask(cat.root_own, taken))
		return trace_error(-EINVAL);
	for (class = 1; class < cat.classes && cat.owner[class]; class++)
		;
	if (class >= cat.classes)
		return trace_error(-EBUSY);
	cat.owner[class] = cell;
	set_root_mask(taken);
	return 0;
}

static int cat_cell_init(struct cell *cell)
{
	u32 mask;
	int err;

	if (!cat.ways)
		return 0;
	err = named_mask(cell, &mask);
	if (err)
		return err;
	if (cell == &root_cell)
		cat.root_own = cat.root_mask =
			mask ? mask : cat_mask_make(0, cat.ways, cat.ways);
	else if (mask)
		err = take_ways(cell, mask);
	if (!err)
		report(cell);
	return err;
}

static void cat_cell_exit(struct cell *cell)
{
	unsigned int class = cat.ways ? class_of(cell) : 0;

	if (class == 0)
		return;
	cat.owner[class] = NULL;
	set_root_mask(taken_ways());
}

const struct unit cat_unit = {
	.name = "Cache Allocation Technology",
	.init = cat_init,
	.cell_init = cat_cell_init,
	.cell_exit = cat_cell_exit,
};

/* --- Registers of the calling CPU ---------------------------------------------------- */

static void use_class(unsigned int class, u32 mask)
{
	u64 rmid = msr_read(MSR_PQR_ASSOC) & PQR_RMID;

	msr_write(MSR_L3_MASK(class), mask);
	msr_write(MSR_PQR_ASSOC, (u64)class << 32 | rmid);
}

void cat_load(const struct cell *cell)
{
	unsigned int class = cat.ways ? class_of(cell) : 0;

	/* No mask yet: the root cell's comes with the units, after the first call. */
	if (cat.ways && class_mask(class))
		use_class(class, class_mask(class));
}

void cat_leave(void)
{
	if (cat.ways)
		use_class(0, cat.linux_mask);
}
