/* SPDX-License-Identifier: GPL-2.0-only */
/* Cache allocation technology for the L3 cache (vmx/cat.c; abi.md 1.6). */
#ifndef VMX_CAT_H
#define VMX_CAT_H

#include <core/unit.h>

extern const struct unit cat_unit;

/* The calling CPU uses its cell's class from now on, and knows its ways. */
void cat_load(const struct cell *cell);
/* The calling CPU goes back to Linux: class 0, with the ways that it found. */
void cat_leave(void);

#endif
