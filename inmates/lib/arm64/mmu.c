/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Identity map of 39 bits: gigabytes of device memory, split into 2 MiB pages
 * where something else is (DDI 0487, D8.3).
 */
#include <inmate.h>

#define ENTRIES		512
#define NUM_LEVEL2	3
#define GIGABYTE	(1UL << 30)
#define MEGABYTES_2	(1UL << 21)

#define BLOCK		(1UL | 1UL << 10)		/* valid, accessed */
#define NORMAL		(BLOCK | 3UL << 8)		/* attribute 0, inner shareable */
#define DEVICE		(BLOCK | 1UL << 2 | 1UL << 54)	/* attribute 1, never executed */
#define TABLE		3UL

u64 mmu_level1[ENTRIES] __attribute__((aligned(4096)));
static u64 level2[NUM_LEVEL2][ENTRIES] __attribute__((aligned(4096)));
static unsigned int level2_used;

void mmu_build(void);

static u64 *split(unsigned long gigabyte)
{
	u64 *table, *entry = &mmu_level1[gigabyte];
	unsigned long n;

	if ((*entry & TABLE) == TABLE)
		return (u64 *)(*entry & ~0xfffUL);
	if (level2_used == NUM_LEVEL2)
		return 0;
	table = level2[level2_used++];
	for (n = 0; n < ENTRIES; n++)
		table[n] = (gigabyte * GIGABYTE + n * MEGABYTES_2) | DEVICE;
	*entry = (u64)table | TABLE;
	return table;
}

/* Device memory is what is there already. */
void map_range(u64 start, u64 size, enum map_type type)
{
	u64 page, *table;

	if (type == MAP_UNCACHED)
		return;
	for (page = start & ~(MEGABYTES_2 - 1); page < start + size; page += MEGABYTES_2) {
		table = split(page / GIGABYTE);
		if (!table) {
			printf("FATAL: no page table for 0x%llx\n", page);
			comm_set_state(JAILHOUSE_CELL_FAILED);
			halt();
		}
		table[page % GIGABYTE / MEGABYTES_2] = page | NORMAL;
	}
	asm volatile("dsb ish\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" : : : "memory");
}

/* MMU off: no exclusive accesses, no unaligned ones. */
void mmu_build(void)
{
	unsigned long n;

	level2_used = 0;
	for (n = 0; n < ENTRIES; n++)
		mmu_level1[n] = n * GIGABYTE | DEVICE;
	map_range(CONFIG_INMATE_BASE, 0x10000, MAP_CACHED);
	map_range(COMM_REGION_BASE, PAGE_SIZE, MAP_CACHED);
}
