/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The virtual counter and its timer. */
#include <inmate.h>

#define CTL_ENABLE	1

u64 timer_frequency(void)
{
	return sysreg_read(cntfrq_el0);
}

u64 timer_ticks(void)
{
	asm volatile("isb" : : : "memory");
	return sysreg_read(cntvct_el0);
}

/* In two steps: ticks * 10^9 would overflow within minutes. */
u64 timer_ticks_to_ns(u64 ticks)
{
	u64 frequency = timer_frequency();

	return ticks / frequency * NS_PER_SEC + ticks % frequency * NS_PER_SEC / frequency;
}

u64 timer_ns_to_ticks(u64 ns)
{
	u64 frequency = timer_frequency();

	return ns / NS_PER_SEC * frequency + ns % NS_PER_SEC * frequency / NS_PER_SEC;
}

void timer_arm(u64 ticks)
{
	sysreg_write(cntv_cval_el0, ticks);
	sysreg_write(cntv_ctl_el0, CTL_ENABLE);
}

void timer_stop(void)
{
	sysreg_write(cntv_ctl_el0, 0);
}

void delay_us(unsigned long us)
{
	u64 end = timer_ticks() + timer_ns_to_ticks(us * NS_PER_USEC);

	while ((s64)(timer_ticks() - end) < 0)
		cpu_relax();
}
