// SPDX-License-Identifier: GPL-2.0-only
/* MSRs, ports, CPUID, control registers. */
#include <linux/io.h>
#include <linux/kernel.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/special_insns.h>

#include "../compat.h"
#include "arch.h"

static void do_rdmsr(struct hvcall *call)
{
	call->result = rdmsrl_safe(call->arg[0], &call->value) ? -EIO : 0;
}

static void do_wrmsr(struct hvcall *call)
{
	call->result = wrmsrl_safe(call->arg[0], call->arg[1]) ? -EIO : 0;
}

static void do_in(struct hvcall *call)
{
	if (call->arg[1] == 1)
		call->value = inb(call->arg[0]);
	else if (call->arg[1] == 2)
		call->value = inw(call->arg[0]);
	else
		call->value = inl(call->arg[0]);
}

static void do_out(struct hvcall *call)
{
	if (call->arg[1] == 1)
		outb(call->arg[2], call->arg[0]);
	else if (call->arg[1] == 2)
		outw(call->arg[2], call->arg[0]);
	else
		outl(call->arg[2], call->arg[0]);
}

static void do_cpuid(struct hvcall *call)
{
	u32 eax, ebx, ecx, edx;

	cpuid_count(call->arg[0], call->arg[1], &eax, &ebx, &ecx, &edx);
	call->value = eax | (u64)ebx << 32;
	call->result = ecx | (u64)edx << 32;
}

static void do_read_cr(struct hvcall *call)
{
	unsigned long value = 0;

	if (call->arg[0] == 0)
		value = read_cr0();
	else if (call->arg[0] == 3)
		value = __read_cr3();
	else if (call->arg[0] == 4)
		value = __read_cr4();
	call->value = value;
}

static void do_xsetbv(struct hvcall *call)
{
	u64 value = call->arg[1];
	int failed = 1;

	asm volatile("1: xsetbv\n"
		     "xor %[failed], %[failed]\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : [failed] "+r" (failed)
		     : "c" ((u32)call->arg[0]), "a" ((u32)value), "d" ((u32)(value >> 32)));
	call->result = failed ? -EIO : 0;
}

static const hvcall_operation operations[HVCALL_NUM_OPS] = {
	[HVCALL_OP_RDMSR] = do_rdmsr,
	[HVCALL_OP_WRMSR] = do_wrmsr,
	[HVCALL_OP_IN] = do_in,
	[HVCALL_OP_OUT] = do_out,
	[HVCALL_OP_CPUID] = do_cpuid,
	[HVCALL_OP_READ_CR] = do_read_cr,
	[HVCALL_OP_XSETBV] = do_xsetbv,
};

hvcall_operation hvcall_arch_operation(unsigned int op)
{
	return operations[op];
}
