/* SPDX-License-Identifier: GPL-2.0-only */
/* System registers are an array of names and values (fake/arm64.c). */
#ifndef FAKE_ARCH_SYSREGS_H
#define FAKE_ARCH_SYSREGS_H

#define wait_for_interrupt wait_for_interrupt_of_hardware
#define address_translate address_translate_of_hardware
#define isb	isb_of_hardware
#define dsb	dsb_of_hardware
#include_next <arch/sysregs.h>
#undef wait_for_interrupt
#undef address_translate
#undef isb
#undef dsb
#undef sysreg_read
#undef sysreg_write

u64 *fake_sysreg(const char *name);

#define sysreg_read(name)		(*fake_sysreg(#name))
#define sysreg_write(name, value)	((void)(*fake_sysreg(#name) = (value)))

extern u32 fake_waits;

/* Stage 1 is off: identity. */
static inline u64 address_translate(u64 virt, bool el0)
{
	(void)el0;
	return virt & 0x0000fffffffff000ULL;
}
static inline void wait_for_interrupt(void) { fake_waits++; }
static inline void isb(void) { }
static inline void dsb(void) { }

#endif
