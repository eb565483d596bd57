/* SPDX-License-Identifier: GPL-2.0-only */
/* Long-mode page-table entries (arch/x86/paging.c), for formats that are built of them. */
#ifndef ARCH_PTE_H
#define ARCH_PTE_H

#include <core/paging.h>

/* Pages of 1 GiB are not used: not every CPU has them, and little is gained. */
#define LONG_MODE_LEVELS			\
	.num_levels = 4,			\
	.level = {				\
		{ 39, 512, false },		\
		{ 30, 512, false },		\
		{ 21, 512, true },		\
		{ 12, 512, true },		\
	}
#define PTE_LAST_LEVEL	3

bool pte_valid(u64 entry, unsigned int level);
bool pte_is_leaf(u64 entry, unsigned int level);
u64 pte_make_leaf(hpa_t phys, unsigned int attrs, unsigned int level);
u64 pte_make_table(hpa_t table, unsigned int level);
hpa_t pte_phys(u64 entry, unsigned int level);
unsigned int pte_attrs(u64 entry, unsigned int level);

#endif
