// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMSAv8-64 descriptors, 4 KiB granule (DDI 0487, D8.3): stage 1 of EL2 and
 * stage 2.  The access flag is always set, so that the CPU never has a reason
 * to change or refuse an entry.
 */
#include <core/cell.h>
#include <core/paging.h>
#include <arch/paging.h>
#include <arch/sysregs.h>

#define PTE_VALID	(1ULL << 0)
#define PTE_TABLE	(1ULL << 1)	/* in the last level: page */
#define PTE_ACCESSED	(1ULL << 10)
#define PTE_INNER_SHARE	(3ULL << 8)
#define PTE_XN		(1ULL << 54)
#define PTE_NO_HUGE	(1ULL << 55)	/* for software */
#define PTE_ADDRESS	0x0000fffffffff000ULL

/* Stage 1: index into MAIR_EL2; AP[1] is RES1 where there is one privilege level */
#define S1_NORMAL	(0ULL << 2)
#define S1_DEVICE	(1ULL << 2)
#define S1_AP_RES1	(1ULL << 6)
#define S1_READ_ONLY	(1ULL << 7)

/* Stage 2: MemAttr[3:0], S2AP */
#define S2_NORMAL	(0xfULL << 2)	/* write-back, inner and outer */
#define S2_DEVICE	(0x1ULL << 2)	/* nGnRE */
#define S2_MEMATTR	(0xfULL << 2)
#define S2_READ		(1ULL << 6)
#define S2_WRITE	(1ULL << 7)

#define LAST_LEVEL_SHIFT 12

static bool pte_valid(u64 entry, unsigned int level)
{
	(void)level;
	return entry & PTE_VALID;
}

/* Blocks and tables differ in bit 1; in the last level it is always set. */
static bool leaf4(u64 entry, unsigned int level)
{
	return level == 3 || !(entry & PTE_TABLE);
}

static bool leaf3(u64 entry, unsigned int level)
{
	return level == 2 || !(entry & PTE_TABLE);
}

static u64 make_table(hpa_t table, unsigned int level)
{
	(void)level;
	return table.raw | PTE_TABLE | PTE_VALID;
}

static hpa_t pte_phys(u64 entry, unsigned int level)
{
	(void)level;
	return hpa(entry & PTE_ADDRESS);
}

static u64 common_leaf(hpa_t phys, unsigned int attrs, bool last)
{
	u64 entry = phys.raw | PTE_VALID | PTE_ACCESSED;

	if (last)
		entry |= PTE_TABLE;
	if (!(attrs & PG_EXECUTE))
		entry |= PTE_XN;
	if (attrs & PG_NO_HUGE)
		entry |= PTE_NO_HUGE;
	if (!(attrs & PG_DEVICE))
		entry |= PTE_INNER_SHARE;
	return entry;
}

static unsigned int common_attrs(u64 entry)
{
	return (entry & PTE_XN ? 0 : PG_EXECUTE) | (entry & PTE_NO_HUGE ? PG_NO_HUGE : 0);
}

/* --- EL2 ------------------------------------------------------------------- */

static u64 hv_make_leaf(hpa_t phys, unsigned int attrs, unsigned int level)
{
	u64 entry = common_leaf(phys, attrs, level == 3) | S1_AP_RES1;

	entry |= attrs & PG_DEVICE ? S1_DEVICE : S1_NORMAL;
	if (!(attrs & PG_WRITE))
		entry |= S1_READ_ONLY;
	return entry;
}

static unsigned int hv_attrs(u64 entry, unsigned int level)
{
	(void)level;
	return PG_READ | common_attrs(entry) | (entry & S1_READ_ONLY ? 0 : PG_WRITE) |
		(entry & S1_DEVICE ? PG_DEVICE : 0);
}

/* --- Stage 2 --------------------------------------------------------------- */

static u64 stage2_leaf(hpa_t phys, unsigned int attrs, bool last)
{
	u64 entry = common_leaf(phys, attrs, last);

	entry |= attrs & PG_DEVICE ? S2_DEVICE : S2_NORMAL;
	if (attrs & PG_READ)
		entry |= S2_READ;
	if (attrs & PG_WRITE)
		entry |= S2_WRITE;
	return entry;
}

static u64 stage2_leaf4(hpa_t phys, unsigned int attrs, unsigned int level)
{
	return stage2_leaf(phys, attrs, level == 3);
}

static u64 stage2_leaf3(hpa_t phys, unsigned int attrs, unsigned int level)
{
	return stage2_leaf(phys, attrs, level == 2);
}

static unsigned int stage2_attrs(u64 entry, unsigned int level)
{
	(void)level;
	return common_attrs(entry) | (entry & S2_READ ? PG_READ : 0) |
		(entry & S2_WRITE ? PG_WRITE : 0) |
		((entry & S2_MEMATTR) == S2_DEVICE ? PG_DEVICE : 0);
}

/* Break before make (D8.16.1): entries of windows change under running CPUs, those of stage 2 do not. */
static void hv_flush_page(u64 virt)
{
	arch_hv_tlb_flush_page((const void *)(unsigned long)virt);
}

/* Blocks of 1 GiB are not used: little is gained, and every cell would split one. */
const struct page_format hv_page_format = {
	.name = "hypervisor",
	.num_levels = 4,
	.level = { { 39, 512, false }, { 30, 512, false }, { 21, 512, true }, { 12, 512, true } },
	.valid = pte_valid,
	.is_leaf = leaf4,
	.make_leaf = hv_make_leaf,
	.make_table = make_table,
	.phys = pte_phys,
	.attrs = hv_attrs,
	.flush_page = hv_flush_page,
};

static const struct page_format stage2_wide = {
	.name = "stage 2, 48 bits",
	.num_levels = 4,
	.level = { { 39, 512, false }, { 30, 512, false }, { 21, 512, true }, { 12, 512, true } },
	.valid = pte_valid,
	.is_leaf = leaf4,
	.make_leaf = stage2_leaf4,
	.make_table = make_table,
	.phys = pte_phys,
	.attrs = stage2_attrs,
};

/* Concatenated root tables (DDI 0487, D8.2.2) */
static const struct page_format stage2_narrow = {
	.name = "stage 2, 40 bits",
	.num_levels = 3,
	.level = { { 30, 1024, false }, { 21, 512, true }, { 12, 512, true } },
	.valid = pte_valid,
	.is_leaf = leaf3,
	.make_leaf = stage2_leaf3,
	.make_table = make_table,
	.phys = pte_phys,
	.attrs = stage2_attrs,
};

const struct page_format *stage2_format;
u64 stage2_vtcr;
unsigned int stage2_bits;

/* VTCR_EL2: walks write-back and inner shareable, 4 KiB granule, RES1 bit 31 */
#define VTCR_FIXED	(1ULL << 31 | 3 << 12 | 1 << 10 | 1 << 8)
#define VTCR_SL0(n)	((u64)(n) << 6)	/* 1: start at level 1, 2: at level 0 */
#define VTCR_PS(n)	((u64)(n) << 16)

/* ID_AA64MMFR0_EL1.PARange */
static unsigned int pa_code(unsigned int bits)
{
	static const u8 width[] = { 32, 36, 40, 42, 44, 48 };
	unsigned int n = 0;

	while (n + 1 < ARRAY_SIZE(width) && width[n] < bits)
		n++;
	return n;
}

/* 43 bits and less cannot start at level 0 (D8.2.8): then 40 have to do. */
const struct page_format *stage2_init(unsigned int physical_bits)
{
	bool wide = physical_bits >= 44;

	stage2_bits = wide ? MIN(physical_bits, 48) : MIN(physical_bits, 40);
	stage2_vtcr = VTCR_FIXED | VTCR_PS(pa_code(MIN(physical_bits, 48))) |
		VTCR_SL0(wide ? 2 : 1) | (64 - stage2_bits);
	stage2_format = wide ? &stage2_wide : &stage2_narrow;
	return stage2_format;
}

u64 stage2_vttbr(const struct cell *cell)
{
	return virt_to_hpa(cell->stage2.root).raw | (u64)cell->config->id << 48;
}

#ifndef JAILHOUSE_HOST_BUILD
void hv_paging_activate(void)
{
	u64 root = virt_to_hpa(hv_pages.root).raw;

	if (sysreg_read(ttbr0_el2) == root)
		return;
	sysreg_write(ttbr0_el2, root);
	isb();
	asm volatile("tlbi alle2; dsb nsh; isb" : : : "memory");
}
#endif
