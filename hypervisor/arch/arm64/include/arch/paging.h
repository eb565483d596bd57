/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_PAGING_H
#define ARCH_PAGING_H

#include <core/paging.h>

extern const struct page_format hv_page_format;

#define HV_REMAP_OFFSET		0x40000000UL

void hv_paging_activate(void);

static inline void arch_hv_tlb_flush_page(const void *virt)
{
	asm volatile("dsb ishst; tlbi vae2is, %0; dsb ish; isb"
		     : : "r" ((unsigned long)virt >> 12) : "memory");
}

static inline void arch_hv_tlb_flush(void)
{
	asm volatile("dsb ishst; tlbi alle2is; dsb ish; isb" : : : "memory");
}

#endif
