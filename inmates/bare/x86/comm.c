/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What an inmate on the bare machine finds as its communication region: QEMU's q35. */
#include <inmate.h>

#define Q35_PM_TIMER	0x608
/* Counted time: the TSC ticks once a nanosecond. The APIC timer's clock is QEMU's. */
#define TSC_KHZ		1000000
#define APIC_KHZ	1000000

extern const struct jailhouse_comm_region bare_comm;
extern const unsigned long bare_comm_size;

const struct jailhouse_comm_region bare_comm = {
	.signature = JAILHOUSE_COMM_SIGNATURE,
	.revision = JAILHOUSE_COMM_ABI_REVISION,
	.console = {
		.address = 0x3f8,
		.type = JAILHOUSE_CON_TYPE_8250,
		.flags = JAILHOUSE_CON_ACCESS_PIO | JAILHOUSE_CON_REGDIST_1,
		.divider = 1,
	},
	.x86 = {
		.pm_timer_address = Q35_PM_TIMER,
		.num_cpus = 2,
		.tsc_khz = TSC_KHZ,
		.apic_khz = APIC_KHZ,
	},
};
const unsigned long bare_comm_size = sizeof(bare_comm);
