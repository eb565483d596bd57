/* SPDX-License-Identifier: GPL-2.0-only */
/* arm64 share of a cell. */
#ifndef ARCH_CELL_H
#define ARCH_CELL_H

#include <core/types.h>

#define ARM_MAX_IRQS	1024

struct arch_cell {
	/* SPIs that the cell owns (irqchip.c); bit n: INTID n */
	u32 irqs[ARM_MAX_IRQS / 32];
};

#endif
