/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/jailhouse-hvcall: for tests only.  Does from the root cell's kernel
 * what jailhouse.ko would never do: raw hypercalls with any arguments, cell
 * configurations that no check has seen, and accesses to MSRs, ports and
 * physical memory that the hypervisor should refuse, emulate or allow.
 *
 * One ioctl, HVCALL_RUN = _IOWR('J', 1, struct hvcall) = 0xc0484a01, with a
 * packed record of 72 bytes; Python: struct.pack("<IiQQQQQQqq", ...):
 *
 *	offset	size	field
 *	0	4	op		HVCALL_OP_*
 *	4	4	cpu (s32)	CPU to do it on, -1: where the caller runs
 *	8	48	arg[6]
 *	56	8	result (s64)	out: negative errno, or what the op says
 *	64	8	value (u64)	out
 *
 * The ioctl returns 0 when the operation was carried out (look at result), or
 *	-ETIMEDOUT	the CPU did not come back within 3 seconds: it has
 *			probably been parked for a violation
 *	-EINVAL		unknown op or width, CPU not online
 *	-EPERM		MMIO access to Linux' own RAM
 *	-EFAULT, -ENOMEM, -E2BIG
 *
 * Operations:
 *	1 HYPERCALL	arg: code, arg1, arg2.  result: the hypervisor's answer
 *			(-ENODEV when there is none)
 *	2 CREATE	arg: user address, bytes, offset.  Copies at most 1 MiB
 *			into zeroed, physically contiguous memory at offset
 *			(0..4095) of its first page, and issues hypercall 1 with
 *			its physical address.  result as above
 *	3 RDMSR		arg: msr.  value; result 0, or -EIO after #GP
 *	4 WRMSR		arg: msr, value.  result 0, or -EIO after #GP
 *	5 IN		arg: port, width (1, 2, 4).  value
 *	6 OUT		arg: port, width, value
 *	7 MMIO_READ	arg: physical address, width (1, 2, 4, 8).  value
 *	8 MMIO_WRITE	arg: physical address, width, value
 *			Mapped uncached
 *	9 CPUID		arg: leaf, subleaf.  value: EAX | EBX << 32,
 *			result: ECX | EDX << 32
 *	10 READ_CR	arg: 0, 3, 4.  value
 *	11 XSETBV	arg: index, value.  result 0, or -EIO after #GP
 *	12 CREATE_AT	arg: physical address.  Hypercall 1 with exactly this
 *	13 SMC		arm64.  arg: x0 to x5.  result: x0, value: x1
 * 3 to 6 and 9 to 11 are x86's.
 */
#ifndef DRIVER_TESTS_HVCALL_H
#define DRIVER_TESTS_HVCALL_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum hvcall_op {
	HVCALL_OP_HYPERCALL = 1,
	HVCALL_OP_CREATE,
	HVCALL_OP_RDMSR,
	HVCALL_OP_WRMSR,
	HVCALL_OP_IN,
	HVCALL_OP_OUT,
	HVCALL_OP_MMIO_READ,
	HVCALL_OP_MMIO_WRITE,
	HVCALL_OP_CPUID,
	HVCALL_OP_READ_CR,
	HVCALL_OP_XSETBV,
	HVCALL_OP_CREATE_AT,
	HVCALL_OP_SMC,
	HVCALL_NUM_OPS
};

struct hvcall {
	__u32 op;
	__s32 cpu;
	__u64 arg[6];
	__s64 result;
	__u64 value;
};

#define HVCALL_RUN	_IOWR('J', 1, struct hvcall)

#endif
