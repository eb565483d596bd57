/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * arm64: only what core/ and lib/ need to compile ("make check-arm64").  There
 * is no arm64 hypervisor yet.
 */
#ifndef ARCH_CELL_H
#define ARCH_CELL_H

#include <core/types.h>

struct arch_cell {
	u32 vmid;
};

#endif
