/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Identity map in large pages. heap_alloc() clears what becomes a table. */
#include <inmate.h>

#define PTE_PRESENT	0x01
#define PTE_WRITE	0x02
#define PTE_PWT		0x08
#define PTE_PCD		0x10
#define PTE_LARGE	0x80

#ifdef __x86_64__
#define LARGE_PAGE	0x200000ULL
#define ENTRIES		512

typedef u64 pte_t;

static pte_t *next_table(pte_t *entry)
{
	if (!(*entry & PTE_PRESENT))
		*entry = (unsigned long)heap_alloc(PAGE_SIZE, PAGE_SIZE) |
			PTE_PRESENT | PTE_WRITE;
	return (pte_t *)(*entry & 0x000ffffffffff000UL);
}

static pte_t *map_entry(pte_t *root, u64 address)
{
	pte_t *table = next_table(&root[(address >> 39) % ENTRIES]);

	table = next_table(&table[(address >> 30) % ENTRIES]);
	return &table[(address >> 21) % ENTRIES];
}
#else
#define LARGE_PAGE	0x400000ULL

typedef u32 pte_t;

static pte_t *map_entry(pte_t *root, u64 address)
{
	return &root[(u32)address >> 22];
}
#endif

extern pte_t page_map_root[];

void map_range(u64 start, u64 size, enum map_type type)
{
	u64 page = start & ~(LARGE_PAGE - 1);
	u64 flags = PTE_PRESENT | PTE_WRITE | PTE_LARGE;
	u64 end = start + size;

	if (type == MAP_UNCACHED)
		flags |= PTE_PCD | PTE_PWT;
	for (; page < end; page += LARGE_PAGE)
		*map_entry(page_map_root, page) = page | flags;
	/* Flushes what was mapped differently before. */
	cr3_write(cr3_read());
}
