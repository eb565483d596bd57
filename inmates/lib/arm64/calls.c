/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Hypercalls and firmware calls. */
#include <inmate.h>

s32 hypercall(u32 code, unsigned long arg1, unsigned long arg2)
{
	register u64 x0 asm("x0") = code;
	register u64 x1 asm("x1") = arg1;
	register u64 x2 asm("x2") = arg2;

	asm volatile("hvc #0x4a48" : "+r" (x0), "+r" (x1), "+r" (x2) : : "x3", "memory");
	return (s32)x0;
}

long smc(u64 function, u64 arg1, u64 arg2, u64 arg3)
{
	register u64 x0 asm("x0") = function;
	register u64 x1 asm("x1") = arg1;
	register u64 x2 asm("x2") = arg2;
	register u64 x3 asm("x3") = arg3;

	asm volatile("smc #0" : "+r" (x0), "+r" (x1), "+r" (x2), "+r" (x3) : : "memory");
	return (long)x0;
}
