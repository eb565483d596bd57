// SPDX-License-Identifier: GPL-2.0-only
/*
 * Long-mode page-table entries (APM 2, 5.3).
 * Accessed and dirty are set from the start, so that the CPU never changes an
 * entry behind the engine's back.
 */
#include <core/paging.h>
#include <arch/paging.h>
#include <arch/pte.h>
#include <arch/registers.h>

#define PTE_PRESENT	(1ULL << 0)
#define PTE_WRITE	(1ULL << 1)
#define PTE_USER	(1ULL << 2)
#define PTE_PWT		(1ULL << 3)
#define PTE_PCD		(1ULL << 4)
#define PTE_ACCESSED	(1ULL << 5)
#define PTE_DIRTY	(1ULL << 6)
#define PTE_HUGE	(1ULL << 7)
#define PTE_NO_HUGE	(1ULL << 9)	/* available to software */
#define PTE_NX		(1ULL << 63)
#define PTE_ADDRESS	0x000ffffffffff000ULL

bool pte_valid(u64 entry, unsigned int level)
{
	(void)level;
	return entry & PTE_PRESENT;
}

bool pte_is_leaf(u64 entry, unsigned int level)
{
	return level == PTE_LAST_LEVEL || (entry & PTE_HUGE);
}

u64 pte_make_leaf(hpa_t phys, unsigned int attrs, unsigned int level)
{
	u64 entry = phys.raw | PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY;

	if (attrs & PG_WRITE)
		entry |= PTE_WRITE;
	if (!(attrs & PG_EXECUTE))
		entry |= PTE_NX;
	if (attrs & PG_DEVICE)
		entry |= PTE_PWT | PTE_PCD;
	if (attrs & PG_NO_HUGE)
		entry |= PTE_NO_HUGE;
	if (attrs & PG_USER)
		entry |= PTE_USER;
	if (level != PTE_LAST_LEVEL)
		entry |= PTE_HUGE;
	return entry;
}

u64 pte_make_table(hpa_t table, unsigned int level)
{
	(void)level;
	return table.raw | PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED;
}

hpa_t pte_phys(u64 entry, unsigned int level)
{
	(void)level;
	return hpa(entry & PTE_ADDRESS);
}

unsigned int pte_attrs(u64 entry, unsigned int level)
{
	unsigned int attrs = PG_READ;

	(void)level;
	if (entry & PTE_WRITE)
		attrs |= PG_WRITE;
	if (!(entry & PTE_NX))
		attrs |= PG_EXECUTE;
	if (entry & PTE_PCD)
		attrs |= PG_DEVICE;
	if (entry & PTE_NO_HUGE)
		attrs |= PG_NO_HUGE;
	if (entry & PTE_USER)
		attrs |= PG_USER;
	return attrs;
}

const struct page_format hv_page_format = {
	.name = "hypervisor",
	LONG_MODE_LEVELS,
	.valid = pte_valid,
	.is_leaf = pte_is_leaf,
	.make_leaf = pte_make_leaf,
	.make_table = pte_make_table,
	.phys = pte_phys,
	.attrs = pte_attrs,
};

#ifndef JAILHOUSE_HOST_BUILD
void hv_paging_activate(void)
{
	u64 root = virt_to_hpa(hv_pages.root).raw;

	if (cr3_read() != root)
		cr3_write(root);
}
#endif
