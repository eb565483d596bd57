/* SPDX-License-Identifier: GPL-2.0-only */
/* The real declarations; no TLB. */
#ifndef FAKE_ARCH_PAGING_ARM64_H
#define FAKE_ARCH_PAGING_ARM64_H

#define arch_hv_tlb_flush_page	arch_hv_tlb_flush_page_of_hardware
#define arch_hv_tlb_flush	arch_hv_tlb_flush_of_hardware
#include "../../../../../../hypervisor/arch/arm64/include/arch/paging.h"
#undef arch_hv_tlb_flush_page
#undef arch_hv_tlb_flush

static inline void arch_hv_tlb_flush_page(const void *virt) { (void)virt; }
static inline void arch_hv_tlb_flush(void) { }

#endif
