/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypervisor's own page tables: what core/hv_paging.c needs from x86. */
#ifndef ARCH_PAGING_H
#define ARCH_PAGING_H

#include <core/paging.h>

/* Long mode tables (arch/x86/paging.c): 4 levels, 1 GiB, 2 MiB and 4 KiB leaves. */
extern const struct page_format hv_page_format;

/* Foreign memory is mapped this far behind link_address. */
#define HV_REMAP_OFFSET		0x40000000UL

/* This CPU uses hv_pages from now on (arch/x86/paging.c). */
void hv_paging_activate(void);

static inline void arch_hv_tlb_flush_page(const void *virt)
{
	asm volatile("invlpg (%0)" : : "r" (virt) : "memory");
}

/* All but global entries; the hypervisor has none (CR4.PGE is off). */
static inline void arch_hv_tlb_flush(void)
{
	u64 cr3;

	asm volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r" (cr3) : : "memory");
}

#endif
