// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extended page tables (SDM 3C, 28.3).  RAM and devices of a cell are write-back
 * here and what the guest's PAT says in the end (28.3.7.2); only our own device
 * mappings are uncached.
 */
#include <arch/pte.h>
#include <arch/vcpu.h>

#define EPT_READ	(1ULL << 0)
#define EPT_WRITE	(1ULL << 1)
#define EPT_EXECUTE	(1ULL << 2)
#define EPT_ACCESS	(EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPT_TYPE_WB	(6ULL << 3)	/* leaves; 0 is uncached */
#define EPT_TYPE_MASK	(7ULL << 3)
#define EPT_HUGE	(1ULL << 7)
#define EPT_NO_HUGE	(1ULL << 52)	/* ignored by the CPU */
#define EPT_ADDRESS	0x000ffffffffff000ULL

static bool ept_valid(u64 entry, unsigned int level)
{
	(void)level;
	return entry & EPT_ACCESS;
}

static bool ept_is_leaf(u64 entry, unsigned int level)
{
	return level == PTE_LAST_LEVEL || (entry & EPT_HUGE);
}

/* Without R an entry is malformed (28.3.3.1): cell.c maps nothing that is not readable. */
static u64 ept_make_leaf(hpa_t phys, unsigned int attrs, unsigned int level)
{
	u64 entry = phys.raw | EPT_READ;

	if (attrs & PG_WRITE)
		entry |= EPT_WRITE;
	if (attrs & PG_EXECUTE)
		entry |= EPT_EXECUTE;
	if (!(attrs & PG_DEVICE))
		entry |= EPT_TYPE_WB;
	if (attrs & PG_NO_HUGE)
		entry |= EPT_NO_HUGE;
	if (level != PTE_LAST_LEVEL)
		entry |= EPT_HUGE;
	return entry;
}

static u64 ept_make_table(hpa_t table, unsigned int level)
{
	(void)level;
	return table.raw | EPT_ACCESS;
}

static hpa_t ept_phys(u64 entry, unsigned int level)
{
	(void)level;
	return hpa(entry & EPT_ADDRESS);
}

static unsigned int ept_attrs(u64 entry, unsigned int level)
{
	unsigned int attrs = PG_READ;

	(void)level;
	if (entry & EPT_WRITE)
		attrs |= PG_WRITE;
	if (entry & EPT_EXECUTE)
		attrs |= PG_EXECUTE;
	if (!(entry & EPT_TYPE_MASK))
		attrs |= PG_DEVICE;
	if (entry & EPT_NO_HUGE)
		attrs |= PG_NO_HUGE;
	return attrs;
}

const struct page_format nested_page_format = {
	.name = "EPT",
	LONG_MODE_LEVELS,
	.valid = ept_valid,
	.is_leaf = ept_is_leaf,
	.make_leaf = ept_make_leaf,
	.make_table = ept_make_table,
	.phys = ept_phys,
	.attrs = ept_attrs,
};
