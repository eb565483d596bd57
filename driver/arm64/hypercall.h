/* SPDX-License-Identifier: GPL-2.0-only */
/* ARM64: HVC #0x4a48, code in x0, arguments in x1 and x2. */
#ifndef DRIVER_ARM64_HYPERCALL_H
#define DRIVER_ARM64_HYPERCALL_H

#include <linux/errno.h>
#include <linux/types.h>

#define ARCH_CONFIG	JAILHOUSE_ARM64

/* What Linux' own stub answers where there is no hypervisor: asm/virt.h, HVC_STUB_ERR. */
#define STUB_UNKNOWN	0xbadca11

static inline int arch_hypercall(u32 code, unsigned long arg1, unsigned long arg2)
{
	register unsigned long x0 asm("x0") = code;
	register unsigned long x1 asm("x1") = arg1;
	register unsigned long x2 asm("x2") = arg2;

	/* x4 to x17: the way out of the hypervisor takes them (hypercall 0) */
	asm volatile("hvc #0x4a48"
		     : "+r" (x0), "+r" (x1), "+r" (x2)
		     : : "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
			 "x13", "x14", "x15", "x16", "x17", "memory");
	return x0 == STUB_UNKNOWN ? -ENODEV : (int)x0;
}

#endif
