// SPDX-License-Identifier: GPL-2.0-only
/* Memory of the hypervisor is memory of this process; "physical" is the same number. */
#include <stdlib.h>
#include <core/paging.h>
#include <arch/paging.h>

hpa_t virt_to_hpa(const void *virt)
{
	return hpa((unsigned long)virt);
}

void *hpa_to_virt(hpa_t phys)
{
	return (void *)(unsigned long)phys.raw;
}

/* A pool of `pages`, with nothing reserved. */
void fake_pool_init(struct page_pool *pool, unsigned long pages);
void fake_pool_init(struct page_pool *pool, unsigned long pages)
{
	pool->base = aligned_alloc(1 << 21, (pages * PAGE_SIZE + (1 << 21) - 1) & ~((1UL << 21) - 1));
	__builtin_memset(pool->base, 0, pages * PAGE_SIZE);
	pool->bitmap = calloc(pages / 64 + 1, 8);
	pool->pages = pages;
	pool->used = 0;
}

/* Long-mode tables of arch/x86/paging.c, with pages up to `huge_levels` steps above 4 KiB. */
struct page_format fake_format;
const struct page_format *fake_format_init(unsigned int huge_levels);
const struct page_format *fake_format_init(unsigned int huge_levels)
{
	fake_format = hv_page_format;
	for (unsigned int level = 0; level < fake_format.num_levels; level++)
		fake_format.level[level].may_be_leaf =
			level + huge_levels + 1 >= fake_format.num_levels;
	return &fake_format;
}

/* Thin wrappers: ctypes-style callers pass numbers, not structures. */
int fake_map(struct page_table *pt, u64 virt, u64 phys, u64 size, unsigned int attrs);
int fake_map(struct page_table *pt, u64 virt, u64 phys, u64 size, unsigned int attrs)
{
	return page_table_map(pt, virt, hpa(phys), size, attrs);
}

/* Contents of whole range in pages: phys | attrs, or -1. */
void fake_read(const struct page_table *pt, u64 virt, u64 pages, u64 *out);
void fake_read(const struct page_table *pt, u64 virt, u64 pages, u64 *out)
{
	struct page_walk walk;

	for (u64 n = 0; n < pages; n++)
		out[n] = page_table_walk(pt, virt + n * PAGE_SIZE, &walk) ?
			walk.phys.raw | walk.attrs : ~0ULL;
}
