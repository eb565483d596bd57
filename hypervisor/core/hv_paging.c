// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor's own address space:
 *
 *   link_address ..                      the region: text RX, constants R, rest RW
 *   link_address + HV_REMAP_OFFSET ..    remap_pool: foreign memory
 *   stub_virt                            the way back to Linux, as Linux maps it
 *
 * One set of tables for all CPUs.  Each CPU has a window of its own in
 * remap_pool whose leaves always exist (pointing at a page of zeroes while
 * unused), so that looking at guest memory never allocates and never touches
 * an entry that another CPU uses.
 */
#include <core/boot.h>
#include <core/cell.h>
#include <core/paging.h>
#include <core/printk.h>
#include <core/sections.h>
#include <arch/cpu.h>
#include <arch/paging.h>
#include <lib/string.h>

/* 512 MiB: a full MMCONFIG window is 256 MiB. */
#define REMAP_PAGES	0x20000UL
#define HUGE_PAGE	0x200000ULL
#define WINDOW_PAGES	(NUM_TEMP_PAGES + NUM_PEEK_PAGES)

struct page_table hv_pages;
static u8 idle_page[PAGE_SIZE] __aligned(PAGE_SIZE);

hpa_t virt_to_hpa(const void *virt)
{
	return hpa((unsigned long)((const char *)virt - __image_start) +
		   hypervisor_header.region_phys);
}

void *hpa_to_virt(hpa_t phys)
{
	return __image_start + (phys.raw - hypervisor_header.region_phys);
}

/* --- Set-up ----------------------------------------------------------------- */

/* Everything behind the configuration, its own bitmap first. */
static int mem_pool_init(void)
{
	u64 used = PAGE_ALIGN(hypervisor_header.core_size + hypervisor_header.config_size +
			      hypervisor_header.max_cpus * hypervisor_header.percpu_size);
	unsigned long bitmap_pages;

	if (used >= hypervisor_header.region_size)
		return -ENOMEM;
	mem_pool.base = __image_start + used;
	mem_pool.pages = (hypervisor_header.region_size - used) >> PAGE_SHIFT;
	mem_pool.bitmap = mem_pool.base;	/* zeroed by the driver */
	bitmap_pages = PAGES((mem_pool.pages + 7) / 8);
	if (bitmap_pages > mem_pool.pages)
		return -ENOMEM;
	page_pool_reserve(&mem_pool, 0, bitmap_pages);
	return 0;
}

static int remap_pool_init(void)
{
	remap_pool.base = __image_start + HV_REMAP_OFFSET;
	remap_pool.pages = REMAP_PAGES;
	remap_pool.bitmap = page_alloc(&mem_pool, PAGES(REMAP_PAGES / 8));
	return remap_pool.bitmap ? 0 : -ENOMEM;
}

static int map_own(const char *start, const char *end, unsigned int attrs)
{
	return page_table_map(&hv_pages, (unsigned long)start, virt_to_hpa(start),
			      (u64)(end - start), attrs);
}

static int map_region(void)
{
	char *end = __image_start + PAGE_ALIGN(hypervisor_header.region_size);
	int err;

	err = map_own(__image_start, __text_start, PG_READ | PG_WRITE);
	if (!err)
		err = map_own(__text_start, __text_end, PG_READ | PG_EXECUTE);
	if (!err)
		err = map_own(__text_end, __rodata_start, PG_READ);
	if (!err)
		err = map_own(__rodata_start, __rodata_end, PG_READ);
	if (!err)
		err = map_own(__rodata_end, end, PG_READ | PG_WRITE);
	return err;
}

static int map_stub(void)
{
	if (!hypervisor_header.stub_virt)
		return 0;
	return page_table_map(&hv_pages, hypervisor_header.stub_virt & PAGE_MASK,
			      hpa(hypervisor_header.stub_phys & PAGE_MASK), PAGE_SIZE,
			      PG_READ | PG_EXECUTE);
}

/* Contract of the architecture: the first page of the area, where Linux has it too. */
static int map_handover(const struct per_cpu *cpu, u64 linux_address)
{
	if (!hypervisor_header.window)
		return 0;
	return page_table_map(&hv_pages, linux_address, virt_to_hpa(cpu), PAGE_SIZE,
			      PG_READ | PG_WRITE);
}

static int window_init(struct per_cpu *cpu)
{
	int err = 0;

	/* Aligned: the entries are in one table. */
	cpu->temp_window = page_alloc_aligned(&remap_pool, WINDOW_PAGES);
	if (!cpu->temp_window)
		return -ENOMEM;
	for (unsigned int n = 0; n < WINDOW_PAGES && !err; n++)
		err = page_table_map(&hv_pages,
				     (unsigned long)cpu->temp_window + n * PAGE_SIZE,
				     virt_to_hpa(idle_page), PAGE_SIZE, PG_READ | PG_NO_HUGE);
	if (!err)
		cpu->temp_leaves = page_table_leaf(&hv_pages, (unsigned long)cpu->temp_window);
	return err;
}

int hv_paging_init(void)
{
	int err = mem_pool_init();

	if (!err)
		err = remap_pool_init();
	if (!err)
		err = page_table_init(&hv_pages, &hv_page_format);
	if (!err)
		err = map_region();
	if (!err)
		err = map_stub();
	for (unsigned int n = 0; n < hypervisor_header.max_cpus && !err; n++) {
		err = window_init(per_cpu(n));
		if (!err)
			err = map_handover(per_cpu(n), hypervisor_header.window +
					   n * hypervisor_header.percpu_size);
	}
	return err;
}

/* --- Foreign memory ---------------------------------------------------------- */

/* Large pieces keep their offset in a huge page, so that they cost no tables. */
static char *remap_alloc(hpa_t phys, u64 pages, unsigned long *extra)
{
	*extra = 0;
	if (pages * PAGE_SIZE < HUGE_PAGE)
		return page_alloc(&remap_pool, (unsigned int)pages);
	*extra = (phys.raw & (HUGE_PAGE - 1)) >> PAGE_SHIFT;
	return page_alloc_aligned(&remap_pool, (unsigned int)(pages + *extra));
}

void *hv_map(hpa_t phys, u64 size, unsigned int attrs)
{
	u64 offset = phys.raw & PAGE_OFFS_MASK, pages = PAGES(offset + size);
	unsigned long extra;
	char *base;

	if (size == 0 || pages > REMAP_PAGES)
		return NULL;
	base = remap_alloc(phys, pages, &extra);
	if (!base)
		return NULL;
	/* What only served the alignment is free for others. */
	page_free(&remap_pool, extra ? base : NULL, (unsigned int)extra);
	base += extra * PAGE_SIZE;
	if (page_table_map(&hv_pages, (unsigned long)base, hpa(phys.raw - offset),
			   pages * PAGE_SIZE, attrs) < 0) {
		page_free(&remap_pool, base, (unsigned int)pages);
		return NULL;
	}
	return base + offset;
}

/*
 * Other CPUs may hold translations until they flush.  Who uses foreign
 * mappings at run time are the CPUs of the cell they belong to, and these are
 * asked to flush whenever a cell changes (core/cell.c) before they go on.
 */
void hv_unmap(void *virt, u64 size)
{
	unsigned long offset = (unsigned long)virt & PAGE_OFFS_MASK;
	char *base = (char *)virt - offset;
	u64 pages = PAGES(offset + size);

	if (!virt)
		return;
	/* Splits nothing that hv_map() did not build in one piece: cannot fail. */
	if (page_table_unmap(&hv_pages, (unsigned long)base, pages * PAGE_SIZE) < 0)
		return;
	arch_hv_tlb_flush();
	page_free(&remap_pool, base, (unsigned int)pages);
}

static void window_set(unsigned int n, hpa_t phys, unsigned int attrs)
{
	struct per_cpu *cpu = this_cpu();
	char *virt = (char *)cpu->temp_window + n * PAGE_SIZE;

	if (page_leaf_retarget(hv_pages.format, &cpu->temp_leaves[n], (unsigned long)virt, phys,
			       attrs))
		arch_hv_tlb_flush_page(virt);
}

void *hv_map_temp(hpa_t phys, unsigned int pages, unsigned int attrs)
{
	if (pages > NUM_TEMP_PAGES)
		return NULL;
	for (unsigned int n = 0; n < pages; n++)
		window_set(n, hpa((phys.raw & PAGE_MASK) + n * PAGE_SIZE), attrs);
	return (char *)this_cpu()->temp_window + (phys.raw & PAGE_OFFS_MASK);
}

void *cell_map_temp(const struct cell *cell, gpa_t addr, unsigned int pages, unsigned int attrs)
{
	struct page_walk walk;
	unsigned int wanted = attrs & (PG_READ | PG_WRITE);

	if (pages > NUM_TEMP_PAGES)
		return NULL;
	for (unsigned int n = 0; n < pages; n++) {
		u64 page = (addr.raw & PAGE_MASK) + n * PAGE_SIZE;

		if (page < (addr.raw & PAGE_MASK) ||
		    !page_table_walk(&cell->stage2, page, &walk) ||
		    (walk.attrs & wanted) != wanted || (walk.attrs & PG_DEVICE))
			return NULL;
		window_set(n, walk.phys, wanted);
	}
	return (char *)this_cpu()->temp_window + (addr.raw & PAGE_OFFS_MASK);
}

static bool peek_renew(unsigned int slot, u64 page, u64 generation)
{
	struct per_cpu *cpu = this_cpu();
	struct page_walk walk;

	if (!page_table_walk(&cpu->cell->stage2, page, &walk) ||
	    !(walk.attrs & PG_READ) || (walk.attrs & PG_DEVICE))
		return false;
	window_set(NUM_TEMP_PAGES + slot, walk.phys, PG_READ);
	cpu->peeks[slot].page = page;
	cpu->peeks[slot].tables = cpu->cell->stage2.root;
	cpu->peeks[slot].generation = generation;
	return true;
}

/*
 * Tables of a cell change while its CPUs are suspended or make the change
 * themselves, never during a peek: one look at the generation is enough.
 */
const void *cell_peek(unsigned int slot, gpa_t addr)
{
	struct per_cpu *cpu = this_cpu();
	u64 generation = page_tables_now();
	u64 page = addr.raw & PAGE_MASK;

	if ((cpu->peeks[slot].page != page || cpu->peeks[slot].generation != generation ||
	     cpu->peeks[slot].tables != cpu->cell->stage2.root) &&
	    !peek_renew(slot, page, generation))
		return NULL;
	return (char *)cpu->temp_window + (NUM_TEMP_PAGES + slot) * PAGE_SIZE +
		(addr.raw & PAGE_OFFS_MASK);
}
