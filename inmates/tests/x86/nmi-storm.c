// SPDX-License-Identifier: GPL-2.0-only
/*
 * NMIs from a cell: its own timer in NMI mode at hz=<n> (10000), and NMI IPIs
 * to itself and to dest=<apic id> (0) every millisecond; no-ipi and no-lvt
 * leave one out.  Runs for seconds=<n> (0: for ever) and answers messages.
 *
 * Output: STORM, each second NMIS <received here>, DONE nmi-storm ok.
 */
#include "report.h"

#define TIMER_DIVIDER	16

static volatile unsigned long nmis;

static void count_nmi(struct trap_frame *frame __maybe_unused)
{
	nmis++;
}

static void start_timer(u32 hz)
{
	apic_write(APIC_REG_TIMER_DIVIDE, 0x3);
	apic_write(APIC_REG_LVT_TIMER, APIC_LVT_NMI | APIC_LVT_PERIODIC);
	apic_write(APIC_REG_TIMER_INITIAL,
		   (u64)apic_khz() * 1000 / TIMER_DIVIDER / hz);
}

static void one_second(bool ipi, u32 dest)
{
	unsigned int ms;

	for (ms = 0; ms < 1000; ms++) {
		if (ipi) {
			apic_send_ipi(apic_id(), APIC_ICR_NMI | APIC_ICR_ASSERT);
			apic_send_ipi(dest, APIC_ICR_NMI | APIC_ICR_ASSERT);
		}
		comm_serve();
		delay_us(1000);
	}
	printf("NMIS %lu\n", nmis);
}

void inmate_main(void)
{
	s64 seconds = cmdline_int("seconds", 0), n;
	bool ipi = !cmdline_flag("no-ipi", false);
	u32 dest = cmdline_int("dest", 0);

	apic_init();
	trap_set_handler(VECTOR_NMI, count_nmi);
	printf("STORM\n");
	if (!cmdline_flag("no-lvt", false))
		start_timer(cmdline_int("hz", 10000));
	for (n = 0; n < seconds || !seconds; n++)
		one_second(ipi, dest);
	apic_write(APIC_REG_LVT_TIMER, APIC_LVT_MASKED);
	report_done("nmi-storm", true);
}
