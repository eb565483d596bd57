/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* TSC, PM timer and delays. */
#include <inmate.h>

#define CALIBRATION_US	50000UL

static struct {
	u16 pm_port;
	u32 pm_last;
	u64 pm_ticks;
	bool pm_started;
	u32 tsc_khz;
	u32 apic_khz;
} clock;

static u64 pm_timer_ticks(void)
{
	u32 now = port_in32(clock.pm_port) & PM_TIMER_MASK;

	if (!clock.pm_started) {
		clock.pm_started = true;
		clock.pm_last = now;
	}
	/* Right for 32-bit timers too: only their low 24 bits count. */
	clock.pm_ticks += (now - clock.pm_last) & PM_TIMER_MASK;
	clock.pm_last = now;
	return clock.pm_ticks;
}

u64 pm_timer_ns(void)
{
	u64 ticks;

	if (!clock.pm_port)
		return tsc_ns();
	ticks = pm_timer_ticks();
	return ticks / PM_TIMER_HZ * NS_PER_SEC +
		ticks % PM_TIMER_HZ * NS_PER_SEC / PM_TIMER_HZ;
}

/* Of its own state, so that any CPU may wait at any time. */
static void pm_timer_delay(u64 ticks)
{
	u32 last = port_in32(clock.pm_port), now;
	u64 passed = 0;

	while (passed < ticks) {
		cpu_relax();
		now = port_in32(clock.pm_port);
		passed += (now - last) & PM_TIMER_MASK;
		last = now;
	}
}

void delay_us(unsigned long us)
{
	u64 end;

	if (clock.pm_port) {
		pm_timer_delay((u64)us * PM_TIMER_HZ / 1000000);
		return;
	}
	end = tsc_read() + (u64)us * clock.tsc_khz / 1000;
	while (tsc_read() < end)
		cpu_relax();
}

unsigned long tsc_khz(void)
{
	return clock.tsc_khz;
}

unsigned long apic_khz(void)
{
	return clock.apic_khz;
}

/* In two steps: ticks * 10^6 would overflow after two hours. */
u64 tsc_to_ns(u64 ticks)
{
	return ticks / clock.tsc_khz * 1000000 +
		ticks % clock.tsc_khz * 1000000 / clock.tsc_khz;
}

static u32 tsc_calibrate(void)
{
	u64 start = tsc_read();

	pm_timer_delay((u64)CALIBRATION_US * PM_TIMER_HZ / 1000000);
	return (tsc_read() - start) * 1000 / CALIBRATION_US;
}

void time_init(void)
{
	struct jailhouse_comm_region *comm = comm_region();

	clock.pm_port = comm->x86.pm_timer_address;
	clock.tsc_khz = comm->x86.tsc_khz;
	clock.apic_khz = comm->x86.apic_khz;
	if (!clock.tsc_khz)
		clock.tsc_khz = clock.pm_port ? tsc_calibrate() : 1000000;
}
