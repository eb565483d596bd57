// SPDX-License-Identifier: GPL-2.0-only
/* Extended page tables with the real engine; numbers in place of structures. */
#include <arch/vcpu.h>

int ept_init(struct page_table *pt);
int ept_init(struct page_table *pt)
{
	return page_table_init(pt, &nested_page_format);
}

u64 ept_leaf(u64 phys, unsigned int attrs, unsigned int level);
u64 ept_leaf(u64 phys, unsigned int attrs, unsigned int level)
{
	return nested_page_format.make_leaf(hpa(phys), attrs, level);
}

u64 ept_table(u64 phys);
u64 ept_table(u64 phys)
{
	return nested_page_format.make_table(hpa(phys), 0);
}

unsigned int ept_attributes(u64 entry, unsigned int level);
unsigned int ept_attributes(u64 entry, unsigned int level)
{
	return nested_page_format.attrs(entry, level);
}
