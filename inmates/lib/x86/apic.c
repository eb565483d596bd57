/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Local APIC and its timer. */
#include <inmate.h>

#define SVR_ENABLE		0x100
#define DIVIDE_BY_16		0x3
#define TIMER_DIVIDER		16

#define CPUID1_ECX_TSC_DEADLINE	(1 << 24)

static bool timer_deadline;

void apic_init(void)
{
	apic_write(APIC_REG_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
	apic_write(APIC_REG_TPR, 0);
}

u32 apic_id(void)
{
	return apic_read(APIC_REG_ID);
}

void apic_eoi(void)
{
	apic_write(APIC_REG_EOI, 0);
}

void apic_send_ipi(u32 destination, u32 icr_low)
{
	/* x2APIC writes are not serialising: memory first. */
	asm volatile("mfence; lfence" : : : "memory");
	msr_write(MSR_X2APIC_BASE + APIC_REG_ICR,
		  (u64)destination << 32 | icr_low);
}

bool apic_timer_uses_deadline(void)
{
	return timer_deadline;
}

void apic_timer_init(unsigned int vector)
{
	timer_deadline = cpuid(1, 0).ecx & CPUID1_ECX_TSC_DEADLINE;
	if (timer_deadline) {
		apic_write(APIC_REG_LVT_TIMER, APIC_LVT_TSC_DEADLINE | vector);
		return;
	}
	apic_write(APIC_REG_TIMER_DIVIDE, DIVIDE_BY_16);
	apic_write(APIC_REG_LVT_TIMER, vector);
}

void apic_timer_arm_ns(u64 ns)
{
	u64 ticks;

	if (timer_deadline) {
		msr_write(MSR_TSC_DEADLINE,
			  tsc_read() + ns * tsc_khz() / 1000000);
		return;
	}
	ticks = ns * (apic_khz() / TIMER_DIVIDER) / 1000000;
	/* 0 would switch the timer off. */
	apic_write(APIC_REG_TIMER_INITIAL,
		   ticks == 0 ? 1 : ticks > 0xffffffff ? 0xffffffff : ticks);
}
