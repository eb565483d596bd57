/* SPDX-License-Identifier: GPL-2.0-only */
/* x86: VMMCALL or VMCALL, code in RAX, arguments in RDI and RSI. */
#ifndef DRIVER_X86_HYPERCALL_H
#define DRIVER_X86_HYPERCALL_H

#include <linux/errno.h>
#include <asm/asm.h>
#include <asm/processor.h>

#define ARCH_CONFIG	JAILHOUSE_X86
#define ARCH_PINNED_CPU	0	/* Linux never gives this one away */

/*
 * Without a hypervisor the instruction raises #UD: the fix-up answers -ENODEV.
 * (Callers make sure that there is one; this keeps a bug from being an oops.)
 */
static inline int arch_hypercall(u32 code, unsigned long arg1, unsigned long arg2)
{
	unsigned long result = code;

	if (boot_cpu_data.x86_vendor == X86_VENDOR_AMD ||
	    boot_cpu_data.x86_vendor == X86_VENDOR_HYGON)
		asm volatile("1: vmmcall\n"
			     "jmp 3f\n"
			     "2: mov %[nodev], %k[result]\n"
			     "3:\n"
			     _ASM_EXTABLE(1b, 2b)
			     : [result] "+a" (result)
			     : [nodev] "i" (-ENODEV), "D" (arg1), "S" (arg2)
			     : "memory");
	else
		asm volatile("1: vmcall\n"
			     "jmp 3f\n"
			     "2: mov %[nodev], %k[result]\n"
			     "3:\n"
			     _ASM_EXTABLE(1b, 2b)
			     : [result] "+a" (result)
			     : [nodev] "i" (-ENODEV), "D" (arg1), "S" (arg2)
			     : "memory");
	return result;
}

#endif
