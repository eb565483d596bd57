// SPDX-License-Identifier: GPL-2.0-only
/* The one instruction that reaches the firmware. */
#include <arch/firmware.h>

long firmware_call(u32 function, u64 arg)
{
	register u64 x0 asm("x0") = function;
	register u64 x1 asm("x1") = arg;

	asm volatile("smc #0" : "+r" (x0), "+r" (x1) : :
		     "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
		     "x13", "x14", "x15", "x16", "x17", "memory");
	return (long)x0;
}
