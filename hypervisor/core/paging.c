// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page-table engine.  Ranges are walked with inclusive ends, so that the
 * last page of the address space is no special case.
 *
 * A change runs twice over the same entries: need_*() counts the tables that
 * must be added and the change takes them from a reserve, so that it cannot
 * fail half-way.
 */
#include <core/paging.h>
#include <core/printk.h>

u64 page_table_generation;

static void generation_end(void)
{
	__atomic_add_fetch(&page_table_generation, 1, __ATOMIC_RELEASE);
}

struct change {
	const struct page_format *format;
	bool map;		/* else unmap */
	u64 virt;		/* start of the whole range */
	hpa_t phys;		/* what virt shall be mapped to */
	unsigned int attrs;
	void *reserve;		/* zeroed pages, chained through their first word */
};

static u64 entry_size(const struct page_format *format, unsigned int level)
{
	return 1ULL << format->level[level].shift;
}

static unsigned int entry_index(const struct page_format *format, unsigned int level, u64 virt)
{
	return (unsigned int)(virt >> format->level[level].shift) &
		(format->level[level].entries - 1);
}

static bool is_last_level(const struct page_format *format, unsigned int level)
{
	return level == format->num_levels - 1;
}

static u64 *next_table(const struct page_format *format, u64 entry, unsigned int level)
{
	return hpa_to_virt(format->phys(entry, level));
}

static bool is_table(const struct page_format *format, u64 entry, unsigned int level)
{
	return format->valid(entry, level) && !format->is_leaf(entry, level);
}

/* Walkers on other CPUs see the old or the new entry, never half of one. */
static void entry_write(const struct page_format *format, u64 *entry, u64 value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
	if (format->sync)
		format->sync(entry, sizeof(*entry));
}

static hpa_t change_phys(const struct change *c, u64 virt)
{
	return hpa(c->phys.raw + (virt - c->virt));
}

/* May the entry at `start` become what the change wants without a table below? */
static bool change_fits_entry(const struct change *c, unsigned int level, u64 start, u64 last)
{
	u64 mask = entry_size(c->format, level) - 1;

	if ((start & mask) != 0 || (last & mask) != mask)
		return false;
	if (!c->map)
		return true;
	return c->format->level[level].may_be_leaf && !(c->attrs & PG_NO_HUGE) &&
		(change_phys(c, start).raw & mask) == 0;
}

/* Last address of the part of [virt, last] that this entry covers. */
static u64 entry_last(const struct page_format *format, unsigned int level, u64 virt, u64 last)
{
	u64 end = virt | (entry_size(format, level) - 1);

	return MIN(end, last);
}

/* --- Counting --------------------------------------------------------------- */

/*
 * Tables to add below `table` for [virt, last].  NULL: it will come from a split,
 * and when that is for unmapping, then of a leaf, so all its entries are valid.
 */
static unsigned long need_tables(const struct change *c, const u64 *table,
				 unsigned int level, u64 virt, u64 last)
{
	unsigned long count = 0;
	u64 entry, end;

	if (is_last_level(c->format, level))
		return 0;
	for (;; virt = end + 1) {
		end = entry_last(c->format, level, virt, last);
		entry = table ? table[entry_index(c->format, level, virt)] : 0;

		if (change_fits_entry(c, level, virt, end)) {
			/* no table needed */
		} else if (table && is_table(c->format, entry, level)) {
			count += need_tables(c, next_table(c->format, entry, level),
					     level + 1, virt, end);
		} else if (c->map || !table || c->format->valid(entry, level)) {
			count += 1 + need_tables(c, NULL, level + 1, virt, end);
		}
		if (end == last)
			return count;
	}
}

static void reserve_free(struct change *c)
{
	void *page;

	while ((page = c->reserve)) {
		c->reserve = *(void **)page;
		page_free(&mem_pool, page, 1);
	}
}

static int reserve_fill(struct change *c, unsigned long count)
{
	void **page;

	while (count--) {
		page = page_alloc(&mem_pool, 1);
		if (!page) {
			reserve_free(c);
			return -ENOMEM;
		}
		*page = c->reserve;
		c->reserve = page;
	}
	return 0;
}

/* Cannot be empty: need_tables() counted. */
static u64 *reserve_take(struct change *c)
{
	void **page = c->reserve;

	c->reserve = *page;
	*page = NULL;
	return (u64 *)page;
}

/* --- Changing --------------------------------------------------------------- */

/* Below these entries. Holes are 0 in every format, and the last level has leaves only. */
static void tables_free(const struct page_format *format, const u64 *entry, unsigned int count,
			unsigned int level)
{
	u64 *table;

	if (is_last_level(format, level))
		return;
	for (; count--; entry++) {
		if (!*entry || !is_table(format, *entry, level))
			continue;
		table = next_table(format, *entry, level);
		tables_free(format, table, format->level[level + 1].entries, level + 1);
		page_free(&mem_pool, table, 1);
	}
}

/* A table with the same contents as the leaf (or hole) that it replaces. */
static u64 *entry_split(struct change *c, u64 *entry, unsigned int level)
{
	const struct page_format *f = c->format;
	u64 old = *entry, *table = reserve_take(c);

	if (f->valid(old, level)) {
		u64 leaf = f->make_leaf(f->phys(old, level), f->attrs(old, level), level + 1);

		for (unsigned int n = 0; n < f->level[level + 1].entries; n++)
			table[n] = leaf + n * entry_size(f, level + 1);
		if (f->sync)
			f->sync(table, PAGE_SIZE);
	}
	entry_write(f, entry, f->make_table(virt_to_hpa(table), level));
	return table;
}

static bool table_is_empty(const struct page_format *f, const u64 *table, unsigned int level)
{
	for (unsigned int n = 0; n < f->level[level].entries; n++)
		if (f->valid(table[n], level))
			return false;
	return true;
}

/*
 * All entries are leaves of one aligned, uniform, contiguous piece.  No CPU changes
 * leaves: what hardware would set in them, make_leaf() has set.
 */
static bool table_is_uniform(const struct page_format *f, const u64 *table, unsigned int level)
{
	u64 size = entry_size(f, level);

	if (!f->valid(table[0], level) || !f->is_leaf(table[0], level) ||
	    (f->attrs(table[0], level) & PG_NO_HUGE) ||
	    (f->phys(table[0], level).raw & (size * f->level[level].entries - 1)))
		return false;
	for (unsigned int n = 1; n < f->level[level].entries; n++)
		if (table[n] != table[0] + n * size)
			return false;
	return true;
}

/* Canonical form: no empty table, none that one larger page could replace. */
static void entry_merge(const struct page_format *f, u64 *entry, unsigned int level)
{
	u64 *table = next_table(f, *entry, level);

	if (table_is_empty(f, table, level + 1))
		entry_write(f, entry, 0);
	else if (f->level[level].may_be_leaf && table_is_uniform(f, table, level + 1))
		entry_write(f, entry, f->make_leaf(f->phys(table[0], level + 1),
						f->attrs(table[0], level + 1), level));
	else
		return;
	page_free(&mem_pool, table, 1);
}

static void entry_change(struct change *c, u64 *entry, unsigned int level, u64 virt)
{
	entry_write(c->format, entry,
		    c->map ? c->format->make_leaf(change_phys(c, virt), c->attrs, level) : 0);
}

/* The last level, where every entry fits: most of the work of most changes. */
static void change_pages(struct change *c, u64 *entry, unsigned int level, u64 virt, u64 last)
{
	u64 pages = (last - virt) / PAGE_SIZE + 1, leaf = 0, step = 0;

	if (c->map) {
		leaf = c->format->make_leaf(change_phys(c, virt), c->attrs, level);
		step = PAGE_SIZE;
	}
	for (; pages--; leaf += step)
		entry_write(c->format, entry++, leaf);
}

static void change_table(struct change *c, u64 *table, unsigned int level, u64 virt, u64 last)
{
	u64 *entry, *below, end, old;

	if (is_last_level(c->format, level)) {
		change_pages(c, &table[entry_index(c->format, level, virt)], level, virt, last);
		return;
	}
	for (;; virt = end + 1) {
		end = entry_last(c->format, level, virt, last);
		entry = &table[entry_index(c->format, level, virt)];

		if (change_fits_entry(c, level, virt, end)) {
			old = *entry;
			entry_change(c, entry, level, virt);
			tables_free(c->format, &old, 1, level);
		} else if (c->map || c->format->valid(*entry, level)) {
			below = is_table(c->format, *entry, level) ?
				next_table(c->format, *entry, level) :
				entry_split(c, entry, level);
			change_table(c, below, level + 1, virt, end);
			entry_merge(c->format, entry, level);
		}
		if (end == last)
			return;
	}
}

static int change_apply(struct change *c, struct page_table *pt, u64 size)
{
	u64 last = c->virt + size - 1;
	int err;

	if (size == 0)
		return 0;
	err = reserve_fill(c, need_tables(c, pt->root, 0, c->virt, last));
	if (err)
		return trace_error(err);
	change_table(c, pt->root, 0, c->virt, last);
	generation_end();
	reserve_free(c);
	return 0;
}

int page_table_map(struct page_table *pt, u64 virt, hpa_t phys, u64 size, unsigned int attrs)
{
	struct change c = {
		.format = pt->format, .map = true, .virt = virt, .phys = phys, .attrs = attrs,
	};

	return change_apply(&c, pt, size);
}

int page_table_unmap(struct page_table *pt, u64 virt, u64 size)
{
	struct change c = { .format = pt->format, .virt = virt };

	return change_apply(&c, pt, size);
}

/* --- The rest --------------------------------------------------------------- */

static unsigned int root_pages(const struct page_format *format)
{
	return (unsigned int)PAGES(format->level[0].entries * sizeof(u64));
}

int page_table_init(struct page_table *pt, const struct page_format *format)
{
	/* Where tables of another cell may have been */
	generation_end();
	pt->format = format;
	pt->root = page_alloc_aligned(&mem_pool, root_pages(format));
	return pt->root ? 0 : trace_error(-ENOMEM);
}

void page_table_free(struct page_table *pt)
{
	if (!pt->root)
		return;
	tables_free(pt->format, pt->root, pt->format->level[0].entries, 0);
	page_free(&mem_pool, pt->root, root_pages(pt->format));
	pt->root = NULL;
}

/* The leaf that translates virt, and its level; NULL: not mapped. */
static u64 *find_leaf(const struct page_table *pt, u64 virt, unsigned int *level)
{
	u64 *entry, *table = pt->root;

	for (*level = 0;; (*level)++) {
		entry = &table[entry_index(pt->format, *level, virt)];
		if (!pt->format->valid(*entry, *level))
			return NULL;
		if (pt->format->is_leaf(*entry, *level))
			return entry;
		table = next_table(pt->format, *entry, *level);
	}
}

bool page_table_walk(const struct page_table *pt, u64 virt, struct page_walk *w)
{
	unsigned int level;
	u64 *leaf = find_leaf(pt, virt, &level);

	if (!leaf)
		return false;
	w->page_size = entry_size(pt->format, level);
	w->phys = hpa(pt->format->phys(*leaf, level).raw + (virt & (w->page_size - 1)));
	w->attrs = pt->format->attrs(*leaf, level);
	return true;
}

u64 *page_table_leaf(const struct page_table *pt, u64 virt)
{
	unsigned int level;

	return find_leaf(pt, virt, &level);
}

bool page_leaf_retarget(const struct page_format *format, u64 *leaf, u64 virt, hpa_t phys,
			unsigned int attrs)
{
	u64 entry = format->make_leaf(phys, attrs | PG_NO_HUGE, format->num_levels - 1);

	if (*leaf == entry)
		return false;
	if (format->flush_page) {
		entry_write(format, leaf, 0);
		format->flush_page(virt);
	}
	entry_write(format, leaf, entry);
	return true;
}
