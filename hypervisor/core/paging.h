/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One page-table engine for hypervisor tables, nested/stage-2 tables and IOMMU
 * tables.  A format says how entries look; the engine walks, splits and merges.
 *
 * Tables are kept in canonical form: a table whose entries could be one larger
 * page is always merged and an empty one freed, so that equal contents take
 * equally many pages whatever the history (decisions.md 14).
 * An operation allocates all it needs first: it fails with -ENOMEM before it
 * has changed anything.
 */
#ifndef CORE_PAGING_H
#define CORE_PAGING_H

#include <core/types.h>
#include <core/page_pool.h>

/* Attributes, independent of any format */
#define PG_READ		0x01
#define PG_WRITE	0x02
#define PG_EXECUTE	0x04
#define PG_DEVICE	0x08	/* uncached / device memory */
#define PG_NO_HUGE	0x10	/* leaves of 4 KiB only; kept in the entry */
#define PG_USER		0x20	/* nested tables of AMD: always needed there */

#define PG_MAX_LEVELS	5

/* One level, root first. */
struct page_level {
	unsigned int shift;		/* address bits below this level's index */
	unsigned int entries;		/* per table */
	bool may_be_leaf;		/* huge page possible (last level: always) */
};

struct page_format {
	const char *name;
	unsigned int num_levels;
	struct page_level level[PG_MAX_LEVELS];
	bool (*valid)(u64 entry, unsigned int level);
	bool (*is_leaf)(u64 entry, unsigned int level);
	/* The address stands in place: adding a size gives the leaf of the next piece. */
	u64 (*make_leaf)(hpa_t phys, unsigned int attrs, unsigned int level);
	u64 (*make_table)(hpa_t table, unsigned int level);
	hpa_t (*phys)(u64 entry, unsigned int level);	/* of leaf or next table */
	unsigned int (*attrs)(u64 entry, unsigned int level);	/* of a leaf */
	/*
	 * Where a valid entry must not turn into another one: called with the entry
	 * invalid, before it translates to somewhere else.  May be NULL.
	 */
	void (*flush_page)(u64 virt);
	/* After entries changed: make them visible to the walker (cache clean). May be NULL. */
	void (*sync)(void *entry, unsigned long size);
};

struct page_table {
	const struct page_format *format;
	u64 *root;
};

int page_table_init(struct page_table *pt, const struct page_format *format);
void page_table_free(struct page_table *pt);	/* all tables; NULL root is fine */

/* virt, phys, size: multiples of PAGE_SIZE.  Replaces what was mapped there. */
int page_table_map(struct page_table *pt, u64 virt, hpa_t phys, u64 size,
		   unsigned int attrs) __must_check;
/* Unmapped holes in the range are fine.  -ENOMEM when a split needs a table. */
int page_table_unmap(struct page_table *pt, u64 virt, u64 size) __must_check;

/* The entry of a 4 KiB page that was mapped with PG_NO_HUGE; stays where it is. */
u64 *page_table_leaf(const struct page_table *pt, u64 virt);
/*
 * Point such an entry, which translates virt, elsewhere; false: it does already.  Neither allocates nor
 * frees, touches nothing but the entry.
 */
bool page_leaf_retarget(const struct page_format *format, u64 *leaf, u64 virt, hpa_t phys,
			unsigned int attrs);

/*
 * Counts the changes of all page tables.  What was looked up, or peeked at, stays where
 * it was while this and the tables of the CPU's cell are the same.
 */
extern u64 page_table_generation;
static inline u64 page_tables_now(void)
{
	return __atomic_load_n(&page_table_generation, __ATOMIC_ACQUIRE);
}

struct page_walk {
	hpa_t phys;		/* of the byte at virt */
	unsigned int attrs;
	u64 page_size;
};
bool page_table_walk(const struct page_table *pt, u64 virt, struct page_walk *w);

/* The hypervisor's own tables (one set, shared by all CPUs). */
extern struct page_table hv_pages;
int hv_paging_init(void);	/* both pools; hv_pages for the region, stub page, ... */

/* Map foreign memory at an address of remap_pool; NULL if no room. */
void *hv_map(hpa_t phys, u64 size, unsigned int attrs);
void hv_unmap(void *virt, u64 size);

/*
 * This CPU's window for short looks at guest memory: up to
 * NUM_TEMP_PAGES pages, valid until the next call on this CPU.
 */
#define NUM_TEMP_PAGES	16
void *hv_map_temp(hpa_t phys, unsigned int pages, unsigned int attrs);

struct cell;
/*
 * Map guest-physical memory of a cell into this CPU's window (read only unless
 * attrs has PG_WRITE).  NULL when any page is not RAM of that cell.
 */
void *cell_map_temp(const struct cell *cell, gpa_t addr, unsigned int pages,
		    unsigned int attrs);

/*
 * The byte of the calling CPU's cell at addr, readable up to the end of its page;
 * NULL when it is no RAM of that cell.  Valid until the next call for the same slot.
 * Cheap when the slot shows that page already: who looks at the same kinds of pages
 * again and again (a guest's page tables by level) gives each kind its own slot.
 */
#define NUM_PEEK_PAGES	8
const void *cell_peek(unsigned int slot, gpa_t addr);

#endif
