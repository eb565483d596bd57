// SPDX-License-Identifier: GPL-2.0-only
/*
 * The inmate library tests itself, above all what users of such libraries
 * stumbled over: dirty RAM, interrupts in leaf functions, numbers on the
 * command line, maps beyond the first ones, a second start without a load.
 *
 * Output: CHECK <name> ok|failed, DONE selftest ok|failed.
 */
#include "report.h"

#define TICK_VECTOR	40
#define STORM_NS	20000		/* between interrupts, */
#define STORM_CYCLES	10000		/* unless the CPU gets nothing done in between */
#define STORM_MS	50
#define STORM_TICKS	50
#define STORM_LIMIT_NS	(20ULL * NS_PER_SEC)

static bool all_ok;
static u8 zeroes[5000];
static volatile unsigned int ticks;

static void check(const char *name, bool ok)
{
	printf("CHECK %s %s\n", name, ok ? "ok" : "failed");
	all_ok &= ok;
}

static bool is_filled(const u8 *p, unsigned long size, u8 with)
{
	while (size--)
		if (*p++ != with)
			return false;
	return true;
}

/* .bss was not in the image; memory there is whatever it was. */
static void check_bss(void)
{
	check("bss", is_filled(zeroes, sizeof(zeroes), 0));
	/* Next time: only start-up's clearing can make it 0 again. */
	memset(zeroes, 0xff, sizeof(zeroes));
}

static void check_heap(void)
{
	u8 *dirty = heap_alloc(16, 16);
	u8 *clean;

	memset(dirty, 0xff, 65536);
	clean = heap_alloc(32768, PAGE_SIZE);
	check("heap-zeroed", is_filled(clean, 32768, 0));
	check("heap-aligned", ((unsigned long)clean & (PAGE_SIZE - 1)) == 0);
	check("heap-apart", clean >= dirty + 16);
}

static bool parses(const char *text, s64 wanted)
{
	s64 value = 0x7777;

	return parse_int(text, &value) && value == wanted;
}

static void check_numbers(void)
{
	s64 value;

	check("int-decimal", parses("123456789", 123456789));
	check("int-negative", parses("-42", -42));
	check("int-hex", parses("0xDeadBeef", 0xdeadbeefLL));
	check("int-hex64", parses("0x123456789abcdef0", 0x123456789abcdef0LL));
	check("int-bad", !parse_int("", &value) && !parse_int("12x", &value) &&
	      !parse_int("0x", &value) && !parse_int("abc", &value));
}

/* Meaningful with the command line of the test; absent words are right too. */
static void check_cmdline(void)
{
	char text[8];

	if (!cmdline_find("t-word", text, sizeof(text)))
		return;
	check("cmd-word", strcmp(text, "hello") == 0);
	check("cmd-hex", cmdline_int("t-hex", 0) == 0x1f);
	check("cmd-neg", cmdline_int("t-neg", 0) == -5);
	check("cmd-absent", cmdline_int("t-absent", 77) == 77);
	check("cmd-flag", cmdline_flag("t-flag", false));
	check("cmd-off", !cmdline_flag("t-off", true));
	check("cmd-empty", cmdline_flag("t-empty", false));
	check("cmd-prefix", cmdline_int("t-he", 3) == 3);
	check("cmd-cut", cmdline_find("t-long", text, sizeof(text)) &&
	      strcmp(text, "abcdefg") == 0);
	check("cmd-last", cmdline_int("t-last", 0) == 9);
}

static bool prints(const char *wanted, const char *fmt, ...)
{
	char text[64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return strcmp(text, wanted) == 0;
}

static void check_printf(void)
{
	char small[4];

	check("fmt-int", prints("[  -42|0042|42   ]", "[%5d|%04d|%-5d]", -42,
				42, 42));
	check("fmt-hex", prints("00ff beef 123456789abcdef0",
				"%04x %x %llx", 0xff, 0xbeef,
				0x123456789abcdef0ULL));
	check("fmt-text", prints("a%b  cd x", "%c%%%s %3s %s", 'a', "b", "cd",
				 "x"));
	check("fmt-min", prints("-9223372036854775808", "%lld",
				-0x7fffffffffffffffLL - 1));
	check("fmt-ptr", prints(sizeof(long) == 8 ? "0x0000000000100000" :
				"0x00100000", "%p", (void *)0x100000));
	check("fmt-cut", snprintf(small, sizeof(small), "%s", "long") == 4 &&
	      strcmp(small, "lon") == 0);
}

static void check_strings(void)
{
	char text[] = "abcdef";
	volatile u64 dividend;

	memmove(text + 2, text, 4);
	check("memmove", strcmp(text, "ababcd") == 0);
	memmove(text, text + 2, 4);
	check("memmove-down", strcmp(text, "abcdcd") == 0);
	check("crc32", crc32(0, "123456789", 9) == 0xcbf43926);
	dividend = 1000000000000000007ULL;
	check("divide", dividend / 1000003 == 999997000008ULL &&
	      dividend % 1000003 == 999983);
}

static void do_undefined(void *arg __maybe_unused)
{
	asm volatile("ud2");
}

static void do_divide(void *arg __maybe_unused)
{
	asm volatile("div %b0" : : "q" (0) : "eax");
}

static void do_protection(void *arg __maybe_unused)
{
	asm volatile("mov %w0, %%fs" : : "r" (0xfff8));
}

static void do_nothing(void *arg)
{
	*(bool *)arg = true;
}

static void check_traps(void)
{
	bool ran = false;
	u64 value;

	check("catch-ud", trap_catch(do_undefined, 0) == VECTOR_UD);
	check("catch-de", trap_catch(do_divide, 0) == 0);
	check("catch-none", trap_catch(do_nothing, &ran) == -1 && ran);
	check("catch-gp", trap_catch(do_protection, 0) == VECTOR_GP &&
	      trap_caught.error == 0xfff8);
	check("msr-safe", msr_read_safe(MSR_EFER, &value));
}

static u64 storm_period_ns;

/* Interrupt frames land right below a leaf function's stack pointer. */
static void tick(struct trap_frame *frame __maybe_unused)
{
	ticks++;
	apic_timer_arm_ns(storm_period_ns);
}

static u32 __attribute__((noinline)) leaf(u32 seed)
{
	volatile u32 local[24];
	u32 n, sum = 0;

	for (n = 0; n < 24; n++)
		local[n] = seed * (n + 1);
	for (n = 0; n < 24; n++)
		sum += local[n] ^ n;
	return sum;
}

static void check_interrupts(void)
{
	u32 wanted = leaf(7);
	u64 start = pm_timer_ns(), passed = 0;
	bool ok = true;

	ticks = 0;
	storm_period_ns = tsc_to_ns(STORM_CYCLES);
	if (storm_period_ns < STORM_NS)
		storm_period_ns = STORM_NS;
	apic_init();
	trap_set_handler(TICK_VECTOR, tick);
	apic_timer_init(TICK_VECTOR);
	apic_timer_arm_ns(storm_period_ns);
	irq_enable();
	/* Longer where the host is late: so many ticks have to come. */
	while (passed < STORM_MS * NS_PER_MSEC ||
	       (ticks < STORM_TICKS && passed < STORM_LIMIT_NS)) {
		ok &= leaf(7) == wanted;
		passed = pm_timer_ns() - start;
	}
	irq_disable();
	apic_write(APIC_REG_LVT_TIMER, APIC_LVT_MASKED);
	check("storm-leaf", ok);
	check("storm-ticks", ticks >= STORM_TICKS);
}

static void check_time(void)
{
	u64 before = pm_timer_ns(), tsc_before = tsc_ns(), passed, tsc_passed;

	delay_us(20000);
	passed = pm_timer_ns() - before;
	tsc_passed = tsc_ns() - tsc_before;
	/* Upper limits are loose: the host may have been elsewhere. */
	check("delay", passed >= 20 * NS_PER_MSEC - 2000);
	check("tsc", tsc_passed > passed / 2 || passed > 100 * NS_PER_MSEC);
}

#ifdef __x86_64__
extern u64 page_map_root[];

static unsigned int count_present(const u64 *table)
{
	unsigned int n, count = 0;

	for (n = 0; n < 512; n++)
		count += table[n] & 1;
	return count;
}

/* The entry's table, which must hold nothing but what was mapped. */
static u64 *walk(u64 *table, unsigned int index)
{
	return (u64 *)(table[index] & 0x000ffffffffff000ULL);
}

static void check_maps(void)
{
	u64 high = 0x654321000000ULL & ~0x1fffffULL;
	u64 *level3, *level2;

	map_range(high, 4 << 20, MAP_UNCACHED);
	level3 = walk(page_map_root, high >> 39);
	level2 = walk(level3, high >> 30 & 511);
	check("map-high", level2[high >> 21 & 511] == (high | 0x9b) &&
	      count_present(level3) == 1 && count_present(level2) == 2);
}
#else
static void check_maps(void)
{
}
#endif

/* RAM beyond what start-up maps: ram=<address>, at least 4 MiB of it. */
static void check_more_ram(void)
{
	unsigned long start = cmdline_int("ram", 0), pos;
	bool ok = true;

	if (!start)
		return;
	map_range(start, 4 << 20, MAP_CACHED);
	for (pos = start; pos < start + (4 << 20); pos += PAGE_SIZE)
		*(volatile unsigned long *)pos = pos ^ 0x5555;
	for (pos = start; pos < start + (4 << 20); pos += PAGE_SIZE)
		ok &= *(volatile unsigned long *)pos == (pos ^ 0x5555);
	check("map-ram", ok);
}

void inmate_main(void)
{
	all_ok = true;
	check_bss();
	check_heap();
	check_numbers();
	check_cmdline();
	check_printf();
	check_strings();
	check_traps();
	check_time();
	check_interrupts();
	check_maps();
	check_more_ram();
	report_done("selftest", all_ok);
}
