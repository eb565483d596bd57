// SPDX-License-Identifier: GPL-2.0-only
/*
 * A timer like apic-demo's, whose handler does one thing that leaves the guest.
 *
 *	event=none|msr|mmio|hypercall|ipi	ticks=<n>
 *
 * Records: how late each tick was, what its event cost, and in a cell how many
 * exits of each reason (by number) all ticks together took.
 */
#include "records.h"

#define TICK_NS		(NS_PER_SEC / 10)
#define TICK_VECTOR	32
#define IPI_VECTOR	33
#define MAX_TICKS	1000
#define MAX_CPUS	64

/* Smaller than a page in the cell's configuration, plain memory without a hypervisor */
#define SUBPAGE		((void *)0x800000UL)

static u64 expected, tick_ticks;
static u64 late[MAX_TICKS], cost[MAX_TICKS];
static volatile unsigned int ticks;
static unsigned int wanted;
static volatile unsigned int received;
static void (*event)(void);
static u64 before[JAILHOUSE_NUM_CPU_STATS_X86];
static int measured_cpu;
static bool hypercalls;

static void event_none(void)
{
}

static void event_msr(void)
{
	msr_read(MSR_PAT);
}

static void event_mmio(void)
{
	mmio_write32(SUBPAGE, 0x12345678);
}

static void event_hypercall(void)
{
	hypercall(JAILHOUSE_HC_HYPERVISOR_GET_INFO, JAILHOUSE_INFO_NUM_CELLS, 0);
}

static void event_ipi(void)
{
	apic_send_ipi(smp_other_id(0), APIC_ICR_ASSERT | IPI_VECTOR);
}

static const struct {
	const char *name;
	void (*event)(void);
} events[] = {
	{ "none", event_none },
	{ "msr", event_msr },
	{ "mmio", event_mmio },
	{ "hypercall", event_hypercall },
	{ "ipi", event_ipi },
};

static void tick(struct trap_frame *frame __maybe_unused)
{
	u64 now = tsc_read(), began;

	if (ticks == wanted)
		return;
	late[ticks] = now - expected;
	do {
		expected += tick_ticks;
	} while (expected <= now);
	apic_timer_arm_ns(tsc_to_ns(time_left(expected, tsc_read())));

	began = tsc_read();
	event();
	cost[ticks] = tsc_read() - began;
	ticks++;
}

static void receive(struct trap_frame *frame __maybe_unused)
{
	received++;
}

static void other_cpu(void)
{
	apic_init();
	for (;;)
		irq_wait();
}

static bool choose_event(char *name, unsigned long size)
{
	unsigned int n;

	if (!cmdline_find("event", name, size))
		return false;
	for (n = 0; n < ARRAY_SIZE(events); n++)
		if (strcmp(events[n].name, name) == 0)
			event = events[n].event;
	return event != NULL;
}

static s32 count_hypercalls(int cpu)
{
	return hypercall(JAILHOUSE_HC_CPU_GET_INFO, cpu, JAILHOUSE_CPU_INFO_STAT_BASE +
			 JAILHOUSE_CPU_STAT_VMEXITS_HYPERCALL);
}

/* Of the cell's CPUs the one whose counter of hypercalls moves when it is read. */
static int own_cpu(void)
{
	int cpu;

	for (cpu = 0; cpu < MAX_CPUS; cpu++)
		if (count_hypercalls(cpu) != count_hypercalls(cpu))
			return cpu;
	return 0;
}

static void read_exits(int cpu, u64 counts[JAILHOUSE_NUM_CPU_STATS_X86])
{
	unsigned int n;

	for (n = 0; n < JAILHOUSE_NUM_CPU_STATS_X86; n++)
		counts[n] = (u32)hypercall(JAILHOUSE_HC_CPU_GET_INFO, cpu,
					   JAILHOUSE_CPU_INFO_STAT_BASE + n);
}

static void record_exits(const char *series)
{
	u64 after[JAILHOUSE_NUM_CPU_STATS_X86];
	unsigned int n;

	read_exits(measured_cpu, after);
	for (n = 0; n < JAILHOUSE_NUM_CPU_STATS_X86; n++)
		after[n] -= before[n];
	/* Between two readings of one counter each of them was read once, by a hypercall. */
	after[JAILHOUSE_CPU_STAT_VMEXITS_TOTAL] -= JAILHOUSE_NUM_CPU_STATS_X86;
	after[JAILHOUSE_CPU_STAT_VMEXITS_HYPERCALL] -= JAILHOUSE_NUM_CPU_STATS_X86;
	record_series(series, "exits", after, JAILHOUSE_NUM_CPU_STATS_X86);
}

static void run(void)
{
	trap_set_handler(TICK_VECTOR, tick);
	apic_timer_init(TICK_VECTOR);
	tick_ticks = tsc_khz() * (TICK_NS / NS_PER_MSEC);
	expected = tsc_read() + tick_ticks;
	apic_timer_arm_ns(TICK_NS);
	if (hypercalls) {
		measured_cpu = own_cpu();
		read_exits(measured_cpu, before);
	}
	while (ticks < wanted)
		irq_wait();
}

static void wait_for_ipis(void)
{
	u64 end = tsc_ns() + PATIENCE_NS;

	while (received != wanted && tsc_ns() < end)
		cpu_relax();
	if (received != wanted)
		record_text("LOST IPIs\n");
}

void inmate_main(void)
{
	char name[16], series[24];

	wanted = cmdline_int("ticks", 0);
	if (!choose_event(name, sizeof(name)) || wanted == 0 || wanted > MAX_TICKS) {
		record_text("BAD command line\n");
		record_end("tick");
	}
	hypercalls = in_cell();
	snprintf(series, sizeof(series), "tick-%s", name);
	apic_init();
	map_range((unsigned long)SUBPAGE, PAGE_SIZE, MAP_UNCACHED);
	trap_set_handler(IPI_VECTOR, receive);
	smp_wait_for_others();
	if (event == event_ipi && !smp_start_cpu(smp_other_id(0), other_cpu)) {
		record_text("LOST other CPU\n");
		record_end("tick");
	}

	run();
	if (hypercalls)
		record_exits(series);
	if (event == event_ipi)
		wait_for_ipis();
	record_series(series, "jitter", late, wanted);
	record_series(series, "cost", cost, wanted);
	record_end("tick");
}
