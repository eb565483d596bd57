// SPDX-License-Identifier: GPL-2.0-only
/*
 * Long-mode page-table entries (APM 2, 5.3).  Nested tables of SVM use the same
 * format and are walked as user accesses (APM 2, 15.25.5): U is always set there.
 * Accessed and dirty are set from the start, so that the CPU never changes an
 * entry behind the engine's back.
 */
#include <core/paging.h>
#include <arch/paging.h>
#include <arch/registers.h>
#include <arch/vcpu.h>

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

#define LAST_LEVEL	3

static bool pte_valid(u64 entry, unsigned int level)
{
	(void)level;
	return entry & PTE_PRESENT;
}

static bool pte_is_leaf(u64 entry, unsigned int level)
{
	return level == LAST_LEVEL || (entry & PTE_HUGE);
}

static u64 pte_make_leaf(hpa_t phys, unsigned int attrs, unsigned int level)
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
	if (level != LAST_LEVEL)
		entry |= PTE_HUGE;
	return entry;
}

static u64 nested_make_leaf(hpa_t phys, unsigned int attrs, unsigned int level)
{
	return pte_make_leaf(phys, attrs | PG_USER, level);
}

static u64 pte_make_table(hpa_t table, unsigned int level)
{
	(void)level;
	return table.raw | PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED;
}

static hpa_t pte_phys(u64 entry, unsigned int level)
{
	(void)level;
	return hpa(entry & PTE_ADDRESS);
}

static unsigned int pte_attrs(u64 entry, unsigned int level)
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

/* PG_USER is implied: not reported, so that it never makes a difference. */
static unsigned int nested_attrs(u64 entry, unsigned int level)
{
	return pte_attrs(entry, level) & ~PG_USER;
}

/* Pages of 1 GiB are not used: not every CPU has them, and little is gained. */
#define LONG_MODE_LEVELS			\
	.num_levels = 4,			\
	.level = {				\
		{ 39, 512, false },		\
		{ 30, 512, false },		\
		{ 21, 512, true },		\
		{ 12, 512, true },		\
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

const struct page_format nested_page_format = {
	.name = "nested",
	LONG_MODE_LEVELS,
	.valid = pte_valid,
	.is_leaf = pte_is_leaf,
	.make_leaf = nested_make_leaf,
	.make_table = pte_make_table,
	.phys = pte_phys,
	.attrs = nested_attrs,
};

#ifndef JAILHOUSE_HOST_BUILD
void hv_paging_activate(void)
{
	u64 root = virt_to_hpa(hv_pages.root).raw;

	if (cr3_read() != root)
		cr3_write(root);
}
#endif
