// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frequencies that a configuration leaves open.  Linux exports that of the
 * TSC; that of the local APIC's timer is measured against it.
 */
#include "../driver.h"

#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <asm/apicdef.h>
#include <asm/msr.h>
#include <asm/tsc.h>

#define MEASURE_MS	5
#define ATTEMPTS	3

/* The physical APIC: memory mapped, or through MSRs in x2APIC mode (SDM 3A, 10.12). */
struct apic_access {
	void __iomem *base;	/* NULL: x2APIC */
};

static u32 apic_get(const struct apic_access *apic, u32 reg)
{
	u64 value;

	if (apic->base)
		return readl(apic->base + reg);
	rdmsrl(APIC_BASE_MSR + (reg >> 4), value);
	return value;
}

static void apic_set(const struct apic_access *apic, u32 reg, u32 value)
{
	if (apic->base)
		writel(value, apic->base + reg);
	else
		wrmsrl(APIC_BASE_MSR + (reg >> 4), value);
}

static int apic_open(struct apic_access *apic)
{
	u64 base;

	rdmsrl(MSR_IA32_APICBASE, base);
	apic->base = NULL;
	if (!(base & MSR_IA32_APICBASE_ENABLE))
		return -EIO;
	if (base & X2APIC_ENABLE)
		return 0;
	apic->base = ioremap(base & PHYSICAL_PAGE_MASK, PAGE_SIZE);
	return apic->base ? 0 : -ENOMEM;
}

static void apic_close(struct apic_access *apic)
{
	if (apic->base)
		iounmap(apic->base);
}

/* A counter value and the time at which it was read, with the uncertainty. */
struct sample {
	u32 count;
	u64 tsc, gap;
};

static void take_sample(const struct apic_access *apic, struct sample *sample)
{
	u64 before = rdtsc_ordered(), after;

	sample->count = apic_get(apic, APIC_TMCCT);
	after = rdtsc_ordered();
	sample->tsc = before + (after - before) / 2;
	sample->gap = after - before;
}

/* Timer runs masked from its maximum. Returns kHz; adds up the uncertainty in *gap. */
static u32 measure(const struct apic_access *apic, u64 *gap)
{
	struct sample first, last;

	apic_set(apic, APIC_TMICT, 0xffffffff);
	take_sample(apic, &first);
	do {
		cpu_relax();
	} while (rdtsc_ordered() - first.tsc < (u64)tsc_khz * MEASURE_MS);
	take_sample(apic, &last);

	*gap = first.gap + last.gap;
	return div64_u64((u64)(first.count - last.count) * tsc_khz, last.tsc - first.tsc);
}

/* Linux' timer, as it was programmed */
struct timer_state {
	u32 lvt, divider, initial, current_count;
	u64 deadline;
};

static bool uses_deadline(const struct timer_state *timer)
{
	return (timer->lvt & APIC_LVT_TIMER_TSCDEADLINE) != 0;
}

/* Masked, one-shot, divided by one. Leaving deadline mode disarms it (SDM 3A, 10.5.4.1). */
static void timer_take(const struct apic_access *apic, struct timer_state *timer)
{
	timer->lvt = apic_get(apic, APIC_LVTT);
	timer->divider = apic_get(apic, APIC_TDCR);
	timer->initial = apic_get(apic, APIC_TMICT);
	timer->current_count = apic_get(apic, APIC_TMCCT);
	timer->deadline = 0;
	if (uses_deadline(timer))
		rdmsrl(MSR_IA32_TSC_DEADLINE, timer->deadline);
	apic_set(apic, APIC_LVTT, APIC_LVT_MASKED | (timer->lvt & APIC_VECTOR_MASK));
	apic_set(apic, APIC_TDCR, APIC_TDR_DIV_1);
}

/* APM 2, 16.4.1: divider codes 0..3, 8..10 are 2 to 128, 11 is 1. */
static unsigned int divider_shift(u32 code)
{
	return (((code & 3) | (code & 8) >> 1) + 1) & 7;
}

/*
 * What Linux had armed fires, late by at most the time of the measurement. A
 * one-shot timer that had run out fires again: an emulator may count to zero
 * before it raises the interrupt, and drops it when the timer is masked then.
 * Linux copes with one interrupt too many (and clears TMICT to stop a timer).
 */
static void timer_give(const struct apic_access *apic, const struct timer_state *timer,
		       u64 elapsed_ticks)
{
	u64 elapsed = elapsed_ticks >> divider_shift(timer->divider);

	apic_set(apic, APIC_TMICT, 0);
	apic_set(apic, APIC_TDCR, timer->divider);
	apic_set(apic, APIC_LVTT, timer->lvt);
	if (uses_deadline(timer)) {
		/* The MSR must not overtake the memory-mapped write. */
		mb();
		if (timer->deadline)
			wrmsrl(MSR_IA32_TSC_DEADLINE, timer->deadline);
	} else if (timer->lvt & APIC_LVT_TIMER_PERIODIC) {
		apic_set(apic, APIC_TMICT, timer->initial);
	} else if (timer->initial) {
		apic_set(apic, APIC_TMICT, timer->current_count > elapsed ?
			 timer->current_count - (u32)elapsed : 1);
	}
}

/* Interrupts off. The attempt with the smallest uncertainty counts. */
static u32 measure_best(const struct apic_access *apic)
{
	u64 gap, best_gap = U64_MAX, start;
	struct timer_state timer;
	u32 khz, best = 0;
	unsigned int n;

	start = rdtsc_ordered();
	timer_take(apic, &timer);
	for (n = 0; n < ATTEMPTS; n++) {
		khz = measure(apic, &gap);
		if (gap >= best_gap)
			continue;
		best_gap = gap;
		best = khz;
	}
	timer_give(apic, &timer, div64_u64((rdtsc_ordered() - start) * best, tsc_khz));
	return best;
}

static int measure_apic_khz(u32 *khz)
{
	struct apic_access apic;
	unsigned long flags;
	int err;

	if (!tsc_khz) {
		pr_err("TSC frequency is unknown: set apic_khz and tsc_khz in the configuration\n");
		return -EIO;
	}
	err = apic_open(&apic);
	if (err)
		return err;
	local_irq_save(flags);
	*khz = measure_best(&apic);
	local_irq_restore(flags);
	apic_close(&apic);

	pr_info("local APIC timer: %u kHz\n", *khz);
	return *khz ? 0 : -EIO;
}

int arch_fill_config(struct jailhouse_system *config)
{
	u32 khz;
	int err;

	if (!config->platform_info.x86.tsc_khz)
		config->platform_info.x86.tsc_khz = tsc_khz;
	if (config->platform_info.x86.apic_khz)
		return 0;

	err = measure_apic_khz(&khz);
	if (!err)
		config->platform_info.x86.apic_khz = khz;
	return err;
}
