// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software generated interrupts between the cell's two CPUs, while both have a
 * fast timer: none is lost, none comes twice (bugs.md A7, A45).
 *
 *	rounds=<n>	of each of the three patterns below
 *	hz=<n>		of the timers
 *
 * Output: PING <rounds>, BURST <rounds>, SELF <rounds>, LOST <n>, DOUBLE <n>,
 * DISORDER <n>, TICKS <n>, DONE sgi-load ok|failed.
 */
#include "report.h"

#define NUM_SGIS	16
/* A busy host may keep an emulated CPU away for seconds. */
#define WAIT_MS		20000
#define PRIORITY(sgi)	((u8)(((sgi) * 7 % NUM_SGIS) << 3))

static volatile unsigned int got[2][NUM_SGIS];
static volatile u8 order[2][NUM_SGIS];
static volatile unsigned int arrived[2];
static volatile bool echo, closed, ready;
/* What the second CPU is to do, and how often it has done it */
static volatile unsigned int bursts_wanted, bursts_done;
static volatile unsigned int ticks;
static unsigned int lost, twice, disorder;
static u64 cpus[2], tick;

static unsigned int me(void)
{
	return cpu_mpidr() == cpus[1];
}

static void handle_sgi(unsigned int sgi)
{
	unsigned int cpu = me();

	if (arrived[cpu] < NUM_SGIS)
		order[cpu][arrived[cpu]] = (u8)sgi;
	arrived[cpu]++;
	got[cpu][sgi]++;
	if (echo && cpu == 1)
		gic_send_sgi(cpus[0], sgi);
}

static void handle_timer(unsigned int irq __maybe_unused)
{
	timer_arm(timer_ticks() + tick);
	ticks++;
}

static void prepare_cpu(void)
{
	unsigned int n;

	gic_init();
	for (n = 0; n < NUM_SGIS; n++)
		gic_set_priority(n, PRIORITY(n));
	gic_set_priority(TIMER_IRQ, 0x80);
	gic_enable_irq(TIMER_IRQ);
	timer_arm(timer_ticks() + tick);
}

/* At least: twice is another check's business. */
static bool wait_for(const volatile unsigned int *counter, unsigned int value)
{
	u64 end = timer_ticks() + timer_frequency() * WAIT_MS / 1000;

	while ((int)(*counter - value) < 0)
		if ((s64)(timer_ticks() - end) > 0)
			return false;
	return true;
}

/* --- All sixteen at once, while the receiver has interrupts off ------------------- */

static void clear(unsigned int cpu)
{
	unsigned int n;

	for (n = 0; n < NUM_SGIS; n++)
		got[cpu][n] = 0;
	arrived[cpu] = 0;
}

static void send_all(u64 target)
{
	unsigned int n;

	for (n = 0; n < NUM_SGIS; n++)
		gic_send_sgi(target, n);
	/* Once more: pending already, so nothing new */
	for (n = 0; n < NUM_SGIS; n++)
		gic_send_sgi(target, n);
}

/* Each has come once, the most urgent first. */
static void judge_burst(unsigned int cpu)
{
	unsigned int n;

	for (n = 0; n < NUM_SGIS; n++) {
		lost += got[cpu][n] == 0;
		twice += got[cpu][n] > 1;
		if (got[cpu][n] != 1)
			printf("CPU %u got SGI %u %u times\n", cpu, n, got[cpu][n]);
	}
	for (n = 1; n < NUM_SGIS && arrived[cpu] == NUM_SGIS; n++)
		disorder += PRIORITY(order[cpu][n - 1]) > PRIORITY(order[cpu][n]);
}

static void burst_to(unsigned int cpu)
{
	irq_disable();
	clear(cpu);
	send_all(cpus[cpu]);
	irq_enable();
	if (!wait_for(&arrived[cpu], NUM_SGIS) && arrived[cpu] > NUM_SGIS)
		twice++;
	irq_disable();
	judge_burst(cpu);
	irq_enable();
}

static void second_cpu(void)
{
	prepare_cpu();
	irq_enable();
	/* What was sent before is gone: a CPU starts with nothing pending. */
	ready = true;
	for (;;) {
		if (bursts_done == bursts_wanted)
			continue;
		/* Interrupts stay off until the first CPU has sent all of its burst. */
		irq_disable();
		clear(1);
		closed = true;
		while (closed)
			cpu_relax();
		irq_enable();
		wait_for(&arrived[1], NUM_SGIS);
		bursts_done = bursts_wanted;
	}
}

static void burst_across(void)
{
	bursts_wanted++;
	while (!closed)
		cpu_relax();
	send_all(cpus[1]);
	memory_barrier();
	closed = false;
	if (!wait_for(&bursts_done, bursts_wanted))
		lost++;
	judge_burst(1);
}

/* --- There and back ---------------------------------------------------------------- */

static void ping(unsigned int sgi)
{
	unsigned int there = got[1][sgi] + 1, back = got[0][sgi] + 1;

	gic_send_sgi(cpus[1], sgi);
	if (!wait_for(&got[0][sgi], back))
		lost++;
	twice += got[1][sgi] > there || got[0][sgi] > back;
	if (got[1][sgi] != there || got[0][sgi] != back)
		printf("SGI %u: there %d, back %d\n", sgi, (int)(got[1][sgi] - there),
		       (int)(got[0][sgi] - back));
}

void inmate_main(void)
{
	unsigned int rounds = (unsigned int)cmdline_int("rounds", 1000), n;

	cpus[0] = cpu_mpidr();
	tick = timer_frequency() / (u64)cmdline_int("hz", 2000);
	for (n = 0; n < NUM_SGIS; n++)
		irq_set_handler(n, handle_sgi);
	irq_set_handler(TIMER_IRQ, handle_timer);
	if (!smp_other_mpidr(0, &cpus[1])) {
		printf("FAILED no other CPU\n");
		report_done("sgi-load", false);
	}
	prepare_cpu();
	irq_enable();
	if (smp_start_cpu(cpus[1], second_cpu)) {
		printf("FAILED second CPU\n");
		report_done("sgi-load", false);
	}
	while (!ready)
		cpu_relax();

	echo = true;
	for (n = 0; n < rounds; n++)
		ping(n % NUM_SGIS);
	printf("PING %u\n", rounds);
	echo = false;
	for (n = 0; n < rounds / 4; n++)
		burst_across();
	printf("BURST %u\n", rounds / 4);
	for (n = 0; n < rounds / 4; n++)
		burst_to(0);
	printf("SELF %u\n", rounds / 4);
	printf("LOST %u\nDOUBLE %u\nDISORDER %u\nTICKS %u\n", lost, twice, disorder, ticks);
	report_done("sgi-load", lost + twice + disorder == 0 && ticks > 0);
}
