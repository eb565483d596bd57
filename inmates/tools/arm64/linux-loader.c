// SPDX-License-Identifier: GPL-2.0-only
/*
 * Enters a Linux kernel that `jailhouse cell linux` has loaded: kernel=ADDRESS dtb=ADDRESS.
 * Prints nothing.
 */
#include <inmate.h>

/*
 * As Linux wants it (Documentation/arch/arm64/booting.rst, 4): MMU off, everything masked,
 * x0 the device tree, x1 to x3 zero.  The driver has cleaned the images to memory; what
 * the caches hold of ours, nobody looks at again.
 */
static void __noreturn enter(u64 kernel, u64 dtb)
{
	register u64 x0 asm("x0") = dtb;
	register u64 x4 asm("x4") = kernel;
	register u64 x5 asm("x5") = sysreg_read(sctlr_el1) & ~0x1005UL;	/* M, C, I */

	asm volatile("msr	daifset, #15\n\t"
		     "mov	x1, xzr\n\t"
		     "mov	x2, xzr\n\t"
		     "mov	x3, xzr\n\t"
		     "dsb	sy\n\t"
		     "msr	sctlr_el1, x5\n\t"
		     "isb\n\t"
		     "ic	iallu\n\t"
		     "dsb	nsh\n\t"
		     "isb\n\t"
		     "br	x4"
		     : : "r" (x0), "r" (x4), "r" (x5) : "x1", "x2", "x3", "memory");
	__builtin_unreachable();
}

void inmate_main(void)
{
	u64 kernel = (u64)cmdline_int("kernel", 0), dtb = (u64)cmdline_int("dtb", 0);

	if (!kernel || !dtb) {
		/* Not started by `cell linux`. */
		comm_set_state(JAILHOUSE_CELL_FAILED);
		halt();
	}
	enter(kernel, dtb);
}
