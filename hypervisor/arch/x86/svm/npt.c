// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nested tables of SVM: long-mode entries that are walked as user accesses
 * (APM 2, 15.25.5), so U is always set.
 */
#include <arch/pte.h>
#include <arch/vcpu.h>

static u64 nested_make_leaf(hpa_t phys, unsigned int attrs, unsigned int level)
{
	return pte_make_leaf(phys, attrs | PG_USER, level);
}

/* PG_USER is implied: not reported, so that it never makes a difference. */
static unsigned int nested_attrs(u64 entry, unsigned int level)
{
	return pte_attrs(entry, level) & ~PG_USER;
}

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
