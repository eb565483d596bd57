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
}

/* Registers and their reset values; what does not exist is no harm. */
static const struct {
	u32 first, count, step;
	u64 value;
} reset_msrs[] = {
	{ MSR_DEBUGCTL, 1, 1, 0 },
	{ 0x048, 1, 1, 0 },	/* speculation control */
	{ 0x049, 1, 1, 1 },	/* and a barrier: nothing learned in the other cell counts */
	{ MSR_XSS, 1, 1, 0 },
	/* Where performance counters are controlled */
	{ 0xc0010000, 4, 1, 0 },	/* PERF_CTL0-3 */
	{ 0xc0010200, 6, 2, 0 },	/* core counters, extended */
	{ 0xc0000301, 1, 1, 0 },	/* global control */
	{ 0xc0011030, 1, 1, 0 },	/* IBS fetch */
	{ 0xc0011033, 1, 1, 0 },	/* IBS op */
	{ 0x186, 8, 1, 0 },	/* Intel: event selects */
	{ 0x38d, 1, 1, 0 },	/* Intel: fixed counters */
};

static void reset_registers(void)
{
	unsigned int n, i;

	for (n = 0; n < sizeof(reset_msrs) / sizeof(reset_msrs[0]); n++)
		for (i = 0; i < reset_msrs[n].count; i++)
			msr_write_safe(reset_msrs[n].first + i * reset_msrs[n].step,
				       reset_msrs[n].value);
}

void x86_reset_moved_cpu(void)
{
	reset_fp();
	reset_debug();
	reset_registers();
}
