// SPDX-License-Identifier: GPL-2.0-only
#include <core/boot.h>
#include <core/page_pool.h>
#include <core/paging.h>
#include <core/printk.h>
#include <lib/bitmap.h>
#include <lib/string.h>

struct page_pool mem_pool = { .zero = true };
struct page_pool remap_pool;

/* First index >= start of `num` free pages in a row, aligned; pool->pages if there is none. */
static unsigned long find_free(const struct page_pool *pool, unsigned int num,
			       unsigned long align_mask)
{
	unsigned long base = (unsigned long)pool->base >> PAGE_SHIFT;
	unsigned long start = 0, end;

	for (;;) {
		start = bitmap_next_clear(pool->bitmap, pool->pages, start);
		/* The address is aligned, not the index. */
		start = ((base + start + align_mask) & ~align_mask) - base;
		if (start >= pool->pages || num > pool->pages - start)
			return pool->pages;
		end = bitmap_next_set(pool->bitmap, pool->pages, start);
		if (end - start >= num)
			return start;
		start = end;
	}
}

static void *alloc(struct page_pool *pool, unsigned int num, unsigned long align_mask)
{
	unsigned long first;

	if (num == 0)
		return NULL;
	first = find_free(pool, num, align_mask);
	if (first == pool->pages)
		return NULL;
	bitmap_set_range(pool->bitmap, first, num);
	pool->used += num;
	return (char *)pool->base + first * PAGE_SIZE;
}

void *page_alloc(struct page_pool *pool, unsigned int num)
{
	return alloc(pool, num, 0);
}

void *page_alloc_aligned(struct page_pool *pool, unsigned int num)
{
	unsigned long size = 1;

	while (size < num)
		size <<= 1;
	return alloc(pool, num, size - 1);
}

void page_free(struct page_pool *pool, void *first, unsigned int num)
{
	unsigned long index;

	if (!first)
		return;
	if (pool->zero)
		memset(first, 0, num * PAGE_SIZE);
	index = (unsigned long)((char *)first - (char *)pool->base) / PAGE_SIZE;
	bitmap_clear_range(pool->bitmap, index, num);
	pool->used -= num;
}

void page_pool_reserve(struct page_pool *pool, unsigned long first, unsigned long num)
{
	bitmap_set_range(pool->bitmap, first, num);
	pool->used += num;
}

void page_pools_report(const char *when)
{
	printk("Page pool usage %s: mem %lu/%lu, remap %lu/%lu\n", when,
	       mem_pool.used, mem_pool.pages, remap_pool.used, remap_pool.pages);
}
