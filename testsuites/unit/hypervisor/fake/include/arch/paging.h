/* SPDX-License-Identifier: GPL-2.0-only */
/* No address space to switch, no TLB. */
#ifndef FAKE_ARCH_PAGING_H
#define FAKE_ARCH_PAGING_H

#include <core/paging.h>

extern const struct page_format hv_page_format;

#define HV_REMAP_OFFSET		0x40000000UL

void hv_paging_activate(void);

static inline void arch_hv_tlb_flush_page(const void *virt) { (void)virt; }
static inline void arch_hv_tlb_flush(void) { }

#endif
