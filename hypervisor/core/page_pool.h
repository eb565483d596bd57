/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two page pools: memory (pages behind the configuration in the hypervisor's
 * region) and remap (hypervisor-virtual addresses for foreign memory).
 * Management operations run on one CPU at a time: no locking inside.
 */
#ifndef CORE_PAGE_POOL_H
#define CORE_PAGE_POOL_H

#include <core/types.h>

struct page_pool {
	void *base;
	unsigned long pages;
	unsigned long used;
	unsigned long *bitmap;
	bool zero;	/* pages are memory: clear on free, so that alloc is zeroed */
};

extern struct page_pool mem_pool;
extern struct page_pool remap_pool;

/* Contiguous pages, zeroed for mem_pool; align_mask in pages (0: none). NULL if full. */
void *page_alloc(struct page_pool *pool, unsigned int num);
void *page_alloc_aligned(struct page_pool *pool, unsigned int num);	/* to its own size */
void page_free(struct page_pool *pool, void *first, unsigned int num);	/* NULL: nothing */
/* Set-up: these pages (by index) are taken already. */
void page_pool_reserve(struct page_pool *pool, unsigned long first, unsigned long num);
void page_pools_report(const char *when);	/* "Page pool usage <when>: mem a/b, remap c/d" */

/* Only for the hypervisor's own region (image, per-CPU, config, mem_pool). */
hpa_t virt_to_hpa(const void *virt);
void *hpa_to_virt(hpa_t phys);

#endif
