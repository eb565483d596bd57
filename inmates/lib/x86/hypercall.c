/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <inmate.h>

#define VENDOR_AMD_EBX	0x68747541	/* "Auth" of AuthenticAMD */

static bool use_vmmcall;

void hypercall_init(void)
{
	use_vmmcall = cpuid(0, 0).ebx == VENDOR_AMD_EBX;
}

s32 hypercall(u32 code, unsigned long arg1, unsigned long arg2)
{
	unsigned long result = code;

	if (use_vmmcall)
		asm volatile("vmmcall" : "+a" (result)
			: "D" (arg1), "S" (arg2) : "memory");
	else
		asm volatile("vmcall" : "+a" (result)
			: "D" (arg1), "S" (arg2) : "memory");
	return result;
}
