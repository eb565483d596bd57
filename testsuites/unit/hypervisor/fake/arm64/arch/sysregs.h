/* SPDX-License-Identifier: GPL-2.0-only */
/* System registers are an array of names and values (fake/arm64.c). */
#ifndef FAKE_ARCH_SYSREGS_H
#define FAKE_ARCH_SYSREGS_H

#define isb	isb_of_hardware
#define dsb	dsb_of_hardware
#include_next <arch/sysregs.h>
#undef isb
#undef dsb
#undef sysreg_read
#undef sysreg_write

u64 *fake_sysreg(const char *name);

#define sysreg_read(name)		(*fake_sysreg(#name))
#define sysreg_write(name, value)	((void)(*fake_sysreg(#name) = (value)))

static inline void isb(void) { }
static inline void dsb(void) { }

#endif
