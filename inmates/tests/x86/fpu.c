// SPDX-License-Identifier: GPL-2.0-only
/*
 * Floating-point and vector state: clean when the cell starts, and untouched
 * while it runs.  ms=<n> (1000) is how long patterns derived from key=<n> are
 * kept in XMM (YMM with AVX) and x87 registers.
 *
 * Output: XCR0 <x>, CONTROL fcw <x> fsw <x> ftw <x> mxcsr <x>,
 * CLEAN x87|xmm|ymm ok|failed, KEPT ok|failed rounds <n>, DONE fpu ok|failed.
 */
#include "report.h"

#define CPUID1_ECX_XSAVE	(1 << 26)
#define CPUID1_ECX_AVX		(1 << 28)

#define FX_X87			32
#define FX_XMM			160
#define XSAVE_YMM		576
#define YMM_HIGH_SIZE		(16 * 16)
#define AREA_SIZE		4096

static bool has_xsave, has_avx;
static u8 *area;
static u8 *pattern;

static u64 xcr0_read(void)
{
	u32 low, high;

	asm volatile("xgetbv" : "=a" (low), "=d" (high) : "c" (0));
	return low | (u64)high << 32;
}

static void xcr0_write(u64 value)
{
	asm volatile("xsetbv" : : "c" (0), "a" ((u32)value),
		"d" ((u32)(value >> 32)));
}

/* Everything to a memory area; YMM at its standard place. */
static void save(u8 *to)
{
	if (has_avx)
		asm volatile("xsave64 %0" : "+m" (*(u8 (*)[AREA_SIZE])to)
			: "a" (7), "d" (0));
	else
		asm volatile("fxsave64 %0" : "+m" (*(u8 (*)[AREA_SIZE])to));
}

static void load(const u8 *from)
{
	if (has_avx)
		asm volatile("xrstor64 %0"
			: : "m" (*(const u8 (*)[AREA_SIZE])from),
			    "a" (7), "d" (0));
	else
		asm volatile("fxrstor64 %0"
			: : "m" (*(const u8 (*)[AREA_SIZE])from));
}

static bool is_zero(const u8 *p, unsigned int size)
{
	while (size--)
		if (*p++)
			return false;
	return true;
}

static bool check_clean(const char *name, const u8 *p, unsigned int size)
{
	bool ok = is_zero(p, size);

	printf("CLEAN %s %s\n", name, ok ? "ok" : "failed");
	return ok;
}

static bool check_start(void)
{
	u16 fcw, fsw;
	u32 mxcsr;
	bool ok;

	/* Before XCR0 is touched: reset leaves x87 only. */
	ok = !has_xsave || xcr0_read() == 1;
	if (has_xsave) {
		printf("XCR0 %llx\n", xcr0_read());
		if (has_avx)
			xcr0_write(7);
	}
	save(area);
	fcw = *(u16 *)area;
	fsw = *(u16 *)(area + 2);
	mxcsr = *(u32 *)(area + 24);
	printf("CONTROL fcw %x fsw %x ftw %x mxcsr %x\n", fcw, fsw, area[4],
	       mxcsr);
	/* 0x40: power-up, 0x37f: FNINIT. Both are states of no secrets. */
	ok &= (fcw == 0x40 || fcw == 0x37f) && fsw == 0 && mxcsr == 0x1f80;
	ok &= check_clean("x87", area + FX_X87, 128);
	ok &= check_clean("xmm", area + FX_XMM, 256);
	if (has_avx)
		ok &= check_clean("ymm", area + XSAVE_YMM, YMM_HIGH_SIZE);
	return ok;
}

static void make_pattern(u32 key)
{
	unsigned int n;

	memcpy(pattern, area, AREA_SIZE);
	/* x87: eight valid numbers; mantissa's top bit set, exponent of 1.x */
	pattern[4] = 0xff;
	for (n = 0; n < 128; n += 16) {
		memset(pattern + FX_X87 + n, 0, 16);
		*(u64 *)(pattern + FX_X87 + n) = 1ULL << 63 | (u64)key << 8 | n;
		*(u16 *)(pattern + FX_X87 + n + 8) = 0x3fff;
	}
	for (n = 0; n < 256; n++)
		pattern[FX_XMM + n] = key + 7 * n;
	if (!has_avx)
		return;
	for (n = 0; n < YMM_HIGH_SIZE; n++)
		pattern[XSAVE_YMM + n] = key + 13 * n;
	/* Header: all three components are there. */
	*(u64 *)(pattern + 512) = 7;
}

static bool same_as_pattern(void)
{
	return memcmp(area + FX_X87, pattern + FX_X87, 128) == 0 &&
		memcmp(area + FX_XMM, pattern + FX_XMM, 256) == 0 &&
		(!has_avx || memcmp(area + XSAVE_YMM, pattern + XSAVE_YMM,
				    YMM_HIGH_SIZE) == 0);
}

static bool check_kept(u32 ms)
{
	unsigned long rounds = 0;
	u64 end = pm_timer_ns() + ms * NS_PER_MSEC;
	bool ok = true;

	load(pattern);
	while (ok && pm_timer_ns() < end) {
		/* Exits of several kinds, and time for others to run. */
		cpuid(0x40000000, 0);
		delay_us(1000);
		save(area);
		ok = same_as_pattern();
		rounds++;
	}
	printf("KEPT %s rounds %lu\n", ok ? "ok" : "failed", rounds);
	return ok;
}

void inmate_main(void)
{
	u32 features = cpuid(1, 0).ecx;
	bool ok;

	has_xsave = features & CPUID1_ECX_XSAVE;
	has_avx = has_xsave && (features & CPUID1_ECX_AVX);
	cr4_write(cr4_read() | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT |
		  (has_xsave ? X86_CR4_OSXSAVE : 0));
	/* No emulation, no lazy switching */
	cr0_write((cr0_read() & ~0xcUL) | 0x2);
	area = heap_alloc(AREA_SIZE, 64);
	pattern = heap_alloc(AREA_SIZE, 64);

	ok = check_start();
	make_pattern(cmdline_int("key", 0x51));
	ok &= check_kept(cmdline_int("ms", 1000));
	report_done("fpu", ok);
}
