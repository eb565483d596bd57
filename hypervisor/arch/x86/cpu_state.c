// SPDX-License-Identifier: GPL-2.0-only
/*
 * A CPU that comes from another cell brings nothing with it: x87, SSE, AVX and
 * what else XSAVE knows, breakpoints, performance counters (decisions.md 13).
 */
#include <arch/registers.h>
#include <arch/vcpu.h>

#define CPUID_1_ECX_XSAVE	(1U << 26)
#define CPUID_XSTATE		0xd

/* FXRSTOR image: control words of FNINIT, MXCSR's reset value; no XSAVE component in use. */
static const struct {
	u16 fcw, fsw;
	u32 reserved[5];
	u32 mxcsr;
	u8 rest[576 - 28];
} __aligned(64) initial_fp = { .fcw = 0x37f, .mxcsr = 0x1f80 };
_Static_assert(sizeof(initial_fp) == 576, "XSAVE area");

static void xcr0_write(u64 value)
{
	asm volatile("xsetbv" : : "c" (0), "a" ((u32)value), "d" ((u32)(value >> 32)));
}

static void reset_fp(void)
{
	struct cpuid all = cpuid(CPUID_XSTATE, 0);

	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)) {
		asm volatile("fxrstor64 %0" : : "m" (initial_fp));
		return;
	}
	xcr0_write(all.eax | (u64)all.edx << 32);
	asm volatile("xrstor64 %0" : : "m" (initial_fp), "a" (all.eax), "d" (all.edx));
	xcr0_write(1);
}

static void reset_debug(void)
{
	asm volatile("mov %0, %%dr0\n\t"
		     "mov %0, %%dr1\n\t"
		     "mov %0, %%dr2\n\t"
		     "mov %0, %%dr3" : : "r" (0UL));
	msr_write_safe(MSR_DEBUGCTL, 0);
}

/* Where performance counters are controlled; what does not exist is no harm. */
static const struct {
	u32 first, count, step;
} pmu_controls[] = {
	{ 0xc0010000, 4, 1 },	/* PERF_CTL0-3 */
	{ 0xc0010200, 6, 2 },	/* core counters, extended */
	{ 0xc0000301, 1, 1 },	/* global control */
	{ 0xc0011030, 1, 1 },	/* IBS fetch */
	{ 0xc0011033, 1, 1 },	/* IBS op */
	{ 0x186, 8, 1 },	/* Intel: event selects */
	{ 0x38d, 1, 1 },	/* Intel: fixed counters */
};

static void reset_pmu(void)
{
	unsigned int n, i;

	for (n = 0; n < sizeof(pmu_controls) / sizeof(pmu_controls[0]); n++)
		for (i = 0; i < pmu_controls[n].count; i++)
			msr_write_safe(pmu_controls[n].first + i * pmu_controls[n].step, 0);
}

void x86_reset_moved_cpu(void)
{
	reset_fp();
	reset_debug();
	reset_pmu();
}
