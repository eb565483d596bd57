/* SPDX-License-Identifier: GPL-2.0-only */
/* Which registers are direct (vmx/msr.c). */
#ifndef VMX_MSR_BITMAP_H
#define VMX_MSR_BITMAP_H

#include <core/types.h>

void msr_bitmaps_init(void);	/* after the APIC mode is known */
const void *msr_bitmap_for(bool root);

#endif
