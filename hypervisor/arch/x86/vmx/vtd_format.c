// SPDX-License-Identifier: GPL-2.0-only
/*
 * Second-level tables of VT-d (9.8): a bit for reading, a bit for writing, three or four
 * levels, huge pages where all units know them.
 */
#include <arch/pte.h>
#include "vtd.h"
#include "vtd_hw.h"

#define SL_READ		(1ULL << 0)
#define SL_WRITE	(1ULL << 1)
#define SL_HUGE		(1ULL << 7)
#define SL_NO_HUGE	(1ULL << 52)	/* ignored by the unit */
#define SL_ADDRESS	0x000ffffffffff000ULL

static unsigned int last_level;

static bool sl_valid(u64 entry, unsigned int level)
{
	(void)level;
	return entry & (SL_READ | SL_WRITE);
}

static bool sl_is_leaf(u64 entry, unsigned int level)
{
	return level == last_level || (entry & SL_HUGE);
}

static u64 sl_make_leaf(hpa_t phys, unsigned int attrs, unsigned int level)
{
	return phys.raw | (attrs & PG_READ ? SL_READ : 0) | (attrs & PG_WRITE ? SL_WRITE : 0) |
		(attrs & PG_NO_HUGE ? SL_NO_HUGE : 0) | (level != last_level ? SL_HUGE : 0);
}

static u64 sl_make_table(hpa_t table, unsigned int level)
{
	(void)level;
	return table.raw | SL_READ | SL_WRITE;
}

static hpa_t sl_phys(u64 entry, unsigned int level)
{
	(void)level;
	return hpa(entry & SL_ADDRESS);
}

static unsigned int sl_attrs(u64 entry, unsigned int level)
{
	(void)level;
	return (entry & SL_READ ? PG_READ : 0) | (entry & SL_WRITE ? PG_WRITE : 0) |
		(entry & SL_NO_HUGE ? PG_NO_HUGE : 0);
}

struct page_format vtd_page_format = {
	.name = "VT-d",
	.valid = sl_valid,
	.is_leaf = sl_is_leaf,
	.make_leaf = sl_make_leaf,
	.make_table = sl_make_table,
	.phys = sl_phys,
	.attrs = sl_attrs,
};

/* The last level maps 4 KiB, each above it 512 times as much. */
void vtd_format_init(unsigned int levels, u64 cap)
{
	vtd_page_format.num_levels = levels;
	last_level = levels - 1;
	for (unsigned int n = 0; n < levels; n++) {
		unsigned int above = last_level - n;

		vtd_page_format.level[n] = (struct page_level){
			.shift = 12 + 9 * above,
			.entries = 512,
			.may_be_leaf = !above || (above == 1 && (cap & VTD_CAP_2M)) ||
				(above == 2 && (cap & VTD_CAP_1G)),
		};
	}
}
