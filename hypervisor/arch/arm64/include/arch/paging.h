/* SPDX-License-Identifier: GPL-2.0-only */
/* EL2's own tables and stage 2 (arch/arm64/paging.c). */
#ifndef ARCH_PAGING_H
#define ARCH_PAGING_H

#include <core/paging.h>

/* EL2, 48 bits: 2 MiB and 4 KiB leaves. */
extern const struct page_format hv_page_format;

/* Foreign memory is mapped this far behind link_address. */
#define HV_REMAP_OFFSET		0x40000000UL

/*
 * Stage 2 of this machine: 40 bits of guest-physical address where that is all
 * there is (two root tables in a row, three levels), else up to 48 bits.
 */
const struct page_format *stage2_init(unsigned int physical_bits);
extern const struct page_format *stage2_format;
extern u64 stage2_vtcr;
extern unsigned int stage2_bits;

/* VTTBR_EL2: root table and VMID (the cell's id, at most 255). */
struct cell;
u64 stage2_vttbr(const struct cell *cell);

void hv_paging_activate(void);

/* A page of this CPU's own windows: no other CPU ever uses that address. */
static inline void arch_hv_tlb_flush_page(const void *virt)
{
	asm volatile("dsb nshst; tlbi vae2, %0; dsb nsh; isb"
		     : : "r" ((unsigned long)virt >> 12) : "memory");
}

static inline void arch_hv_tlb_flush(void)
{
	asm volatile("dsb ishst; tlbi alle2is; dsb ish; isb" : : : "memory");
}

#endif
