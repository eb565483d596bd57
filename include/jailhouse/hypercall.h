/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Hypercalls and the communication region: what software in a cell talks.
 * The instruction (vmcall, vmmcall, hvc) is the caller's business.
 */
#ifndef JAILHOUSE_HYPERCALL_H
#define JAILHOUSE_HYPERCALL_H

#include <jailhouse/types.h>
#include <jailhouse/console.h>

#define JAILHOUSE_HC_DISABLE			0
#define JAILHOUSE_HC_CELL_CREATE		1
#define JAILHOUSE_HC_CELL_START			2
#define JAILHOUSE_HC_CELL_SET_LOADABLE		3
#define JAILHOUSE_HC_CELL_DESTROY		4
#define JAILHOUSE_HC_HYPERVISOR_GET_INFO	5
#define JAILHOUSE_HC_CELL_GET_STATE		6
#define JAILHOUSE_HC_CPU_GET_INFO		7
#define JAILHOUSE_HC_DEBUG_CONSOLE_PUTC		8

/* Types of HYPERVISOR_GET_INFO; pool figures are pages */
#define JAILHOUSE_INFO_MEM_POOL_SIZE		0
#define JAILHOUSE_INFO_MEM_POOL_USED		1
#define JAILHOUSE_INFO_REMAP_POOL_SIZE		2
#define JAILHOUSE_INFO_REMAP_POOL_USED		3
#define JAILHOUSE_INFO_NUM_CELLS		4

/* Types of CPU_GET_INFO */
#define JAILHOUSE_CPU_INFO_STATE		0
#define JAILHOUSE_CPU_INFO_STAT_BASE		1000

#define JAILHOUSE_CPU_RUNNING			0
#define JAILHOUSE_CPU_FAILED			2

/* Statistics, added to JAILHOUSE_CPU_INFO_STAT_BASE */
#define JAILHOUSE_CPU_STAT_VMEXITS_TOTAL	0
#define JAILHOUSE_CPU_STAT_VMEXITS_MMIO		1
#define JAILHOUSE_CPU_STAT_VMEXITS_MANAGEMENT	2
#define JAILHOUSE_CPU_STAT_VMEXITS_HYPERCALL	3
#define JAILHOUSE_GENERIC_CPU_STATS		4

#define JAILHOUSE_CPU_STAT_VMEXITS_PIO		4
#define JAILHOUSE_CPU_STAT_VMEXITS_XAPIC	5
#define JAILHOUSE_CPU_STAT_VMEXITS_CR		6
#define JAILHOUSE_CPU_STAT_VMEXITS_CPUID	7
#define JAILHOUSE_CPU_STAT_VMEXITS_XSETBV	8
#define JAILHOUSE_CPU_STAT_VMEXITS_EXCEPTION	9
#define JAILHOUSE_CPU_STAT_VMEXITS_MSR_OTHER	10
#define JAILHOUSE_CPU_STAT_VMEXITS_MSR_X2APIC_ICR 11
#define JAILHOUSE_NUM_CPU_STATS_X86		12

#define JAILHOUSE_CPU_STAT_VMEXITS_MAINTENANCE	4
#define JAILHOUSE_CPU_STAT_VMEXITS_VIRT_IRQ	5
#define JAILHOUSE_CPU_STAT_VMEXITS_VIRT_SGI	6
#define JAILHOUSE_CPU_STAT_VMEXITS_PSCI		7
#define JAILHOUSE_CPU_STAT_VMEXITS_SMCCC	8
#define JAILHOUSE_NUM_CPU_STATS_ARM64		9
#define JAILHOUSE_CPU_STAT_VMEXITS_CP15		9
#define JAILHOUSE_NUM_CPU_STATS_ARM		10

/* Communication region */
#define JAILHOUSE_COMM_SIGNATURE		"JHCOMM"
#define JAILHOUSE_COMM_ABI_REVISION		2

#define JAILHOUSE_CELL_RUNNING			0
#define JAILHOUSE_CELL_RUNNING_LOCKED		1
#define JAILHOUSE_CELL_SHUT_DOWN		2
#define JAILHOUSE_CELL_FAILED			3
#define JAILHOUSE_CELL_FAILED_COMM_REV		4

#define JAILHOUSE_MSG_NONE			0
#define JAILHOUSE_MSG_SHUTDOWN_REQUEST		1
#define JAILHOUSE_MSG_RECONFIG_COMPLETED	2

#define JAILHOUSE_REPLY_NONE			0
#define JAILHOUSE_REPLY_UNKNOWN			1
#define JAILHOUSE_REPLY_REQUEST_DENIED		2
#define JAILHOUSE_REPLY_REQUEST_APPROVED	3
#define JAILHOUSE_REPLY_RECEIVED		4

#define JAILHOUSE_COMM_FLAG_DBG_PUTC_PERMITTED	0x0001
#define JAILHOUSE_COMM_FLAG_DBG_PUTC_ACTIVE	0x0002

/* CPUID leaves (x86) */
#define JAILHOUSE_CPUID_SIGNATURE		0x40000000
#define JAILHOUSE_CPUID_FEATURES		0x40000001

#ifndef __ASSEMBLER__

/* Offsets 0 to 63 are the same on every architecture. */
struct jailhouse_comm_region {
	char signature[6];
	__u16 revision;
	volatile __u32 cell_state;
	volatile __u32 msg_to_cell;
	volatile __u32 reply_from_cell;
	__u32 flags;
	struct jailhouse_console console;
	__u64 pci_mmconfig_base;
	union {
		struct {
			__u16 pm_timer_address;
			__u16 num_cpus;
			__u32 tsc_khz;
			__u32 apic_khz;	/* undivided LAPIC timer clock */
		} __attribute__((packed)) x86;
		struct {
			__u8 gic_version;
			__u8 padding[7];
			__u64 gicd_base;
			__u64 gicc_base;
			__u64 gicr_base;
			__u32 vpci_irq_base;
		} __attribute__((packed)) arm;
	};
} __attribute__((packed));

#endif /* !__ASSEMBLER__ */
#endif
