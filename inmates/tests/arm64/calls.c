// SPDX-License-Identifier: GPL-2.0-only
/*
 * PSCI and SMCCC as a cell of two CPUs finds them (abi.md 7.8): every function
 * with good and bad arguments, then the second CPU through cycles=<n> lives.
 *
 * Output: FAILED <check> <value> for each check that fails, then
 * CHECKS <number>, CYCLES <number>, DONE calls ok|failed.
 */
#include "report.h"

#define NOT_SUPPORTED	(-1L)
#define INVALID		(-2L)
#define DENIED		(-3L)
#define ALREADY_ON	(-4L)
#define FAST64		0x40000000UL
#define CONTEXT		0x1122334455667788UL
#define WAIT_MS		2000

static unsigned int checks, failures;
static u64 self, other;

static void check(const char *name, long value, long expected)
{
	checks++;
	if (value == expected)
		return;
	failures++;
	printf("FAILED %s 0x%llx\n", name, (u64)value);
}

static const struct {
	const char *name;
	u64 function, arg1, arg2;
	long result;
} table[] = {
	{ "PSCI_VERSION", 0x84000000, 0, 0, 0x10001 },
	{ "PSCI_VERSION as 64-bit call", 0xc4000000, 0, 0, NOT_SUPPORTED },
	{ "upper half of the function", 0xffffffff84000000, 0, 0, 0x10001 },
	{ "MIGRATE", 0x84000005, 0, 0, NOT_SUPPORTED },
	{ "MIGRATE_INFO_TYPE", 0x84000006, 0, 0, NOT_SUPPORTED },
	{ "SYSTEM_OFF", 0x84000008, 0, 0, NOT_SUPPORTED },
	{ "SYSTEM_RESET", 0x84000009, 0, 0, NOT_SUPPORTED },
	{ "SYSTEM_RESET2", 0xc4000012, 0, 0, NOT_SUPPORTED },
	{ "MEM_PROTECT", 0x84000013, 1, 0, NOT_SUPPORTED },
	{ "CPU_FREEZE", 0x8400000b, 0, 0, NOT_SUPPORTED },
	{ "SYSTEM_SUSPEND", 0xc400000e, 0, 0, NOT_SUPPORTED },
	{ "SDEI_VERSION", 0xc4000020, 0, 0, NOT_SUPPORTED },
	{ "TRNG_VERSION", 0x84000050, 0, 0, NOT_SUPPORTED },
	{ "last of the standard owner", 0xc400ffff, 0, 0, NOT_SUPPORTED },
	{ "FEATURES of PSCI_VERSION", 0x8400000a, 0x84000000, 0, 0 },
	{ "FEATURES of CPU_SUSPEND", 0x8400000a, 0x84000001, 0, 0 },
	{ "FEATURES of CPU_SUSPEND, 64-bit", 0x8400000a, 0xc4000001, 0, 0 },
	{ "FEATURES of CPU_OFF", 0x8400000a, 0x84000002, 0, 0 },
	{ "FEATURES of CPU_ON", 0x8400000a, 0x84000003, 0, 0 },
	{ "FEATURES of CPU_ON, 64-bit", 0x8400000a, 0xc4000003, 0, 0 },
	{ "FEATURES of AFFINITY_INFO", 0x8400000a, 0x84000004, 0, 0 },
	{ "FEATURES of AFFINITY_INFO, 64-bit", 0x8400000a, 0xc4000004, 0, 0 },
	{ "FEATURES of PSCI_FEATURES", 0x8400000a, 0x8400000a, 0, 0 },
	{ "FEATURES of SMCCC_VERSION", 0x8400000a, 0x80000000, 0, 0 },
	{ "FEATURES of SYSTEM_OFF", 0x8400000a, 0x84000008, 0, NOT_SUPPORTED },
	{ "FEATURES of CPU_OFF, 64-bit", 0x8400000a, 0xc4000002, 0, NOT_SUPPORTED },
	{ "FEATURES of nothing", 0x8400000a, 0, 0, NOT_SUPPORTED },
	{ "SMCCC_VERSION", 0x80000000, 0, 0, 0x10001 },
	{ "ARCH_FEATURES of SMCCC_VERSION", 0x80000001, 0x80000000, 0, 0 },
	{ "ARCH_FEATURES of itself", 0x80000001, 0x80000001, 0, 0 },
	{ "ARCH_FEATURES of SMCCC_ARCH_SOC_ID", 0x80000001, 0x80000002, 0, NOT_SUPPORTED },
	{ "ARCH_FEATURES of nothing", 0x80000001, 0xdead, 0, NOT_SUPPORTED },
	{ "SiP, 32-bit", 0x82000000, 0, 0, NOT_SUPPORTED },
	{ "SiP, 64-bit", 0xc2000000, 0, 0, NOT_SUPPORTED },
	{ "AFFINITY_INFO of CPU 0", 0xc4000004, 0, 0, DENIED },
	{ "AFFINITY_INFO of no CPU", 0xc4000004, 0x7f, 0, DENIED },
	{ "AFFINITY_INFO of another cluster", 0xc4000004, 0x100000002, 0, DENIED },
	{ "CPU_ON of CPU 0", 0xc4000003, 0, 0, DENIED },
	{ "CPU_ON of no CPU", 0xc4000003, 0xff, 0, DENIED },
};

static void check_table(void)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(table); n++)
		check(table[n].name, smc(table[n].function, table[n].arg1, table[n].arg2, 0),
		      table[n].result);
}

/* Those whose arguments are this cell's CPUs */
static void check_own_cpus(void)
{
	check("AFFINITY_INFO of this CPU", smc(PSCI_AFFINITY_INFO, self, 0, 0), 0);
	check("AFFINITY_INFO, 32-bit", smc(PSCI_AFFINITY_INFO & ~FAST64, self, 0, 0), 0);
	check("garbage above 32 bits",
	      smc(PSCI_AFFINITY_INFO & ~FAST64, self | 0xdeadUL << 32, 0, 0), 0);
	check("AFFINITY_INFO of level 1", smc(PSCI_AFFINITY_INFO, self, 1, 0), INVALID);
	check("bits that are no affinity", smc(PSCI_AFFINITY_INFO, self | 1UL << 31, 0, 0), 0);
	check("AFFINITY_INFO of one that is off", smc(PSCI_AFFINITY_INFO, other, 0, 0), 1);
	check("CPU_ON of this CPU", smc(PSCI_CPU_ON, self, 0, 0), ALREADY_ON);
}

/* SMC leaves all but x0 as it was (DEN 0028: x4 to x30 at least; ours: x1 and up). */
static void check_registers(void)
{
	register u64 x0 asm("x0") = PSCI_VERSION;
	register u64 x1 asm("x1") = 0x101;
	register u64 x3 asm("x3") = 0x303;
	register u64 x17 asm("x17") = 0x1717;
	register u64 x18 asm("x18") = 0x1818;
	volatile long found[5];

	asm volatile("smc #0" : "+r" (x0), "+r" (x1), "+r" (x3), "+r" (x17), "+r" (x18) : : "memory");
	found[0] = (long)x0;
	found[1] = (long)x1;
	found[2] = (long)x3;
	found[3] = (long)x17;
	found[4] = (long)x18;
	check("x0", found[0], 0x10001);
	check("x1", found[1], 0x101);
	check("x3", found[2], 0x303);
	check("x17", found[3], 0x1717);
	check("x18", found[4], 0x1818);
}

/* An interrupt that is pending, masked or not, ends it; state is kept. */
static void check_suspend(void)
{
	gic_init();
	gic_enable_irq(TIMER_IRQ);
	timer_arm(timer_ticks() + timer_frequency() / 200);
	check("CPU_SUSPEND", smc(PSCI_CPU_SUSPEND, 0, 0, 0), 0);
	timer_stop();
	check("CPU_SUSPEND with one pending", smc(PSCI_CPU_SUSPEND & ~FAST64, 0x10000, 0, 0), 0);
}

/* --- The other CPU ------------------------------------------------------------- */

/* Where CPU_ON of raw_start sends it, without a stack: x0, x1 and where it is */
struct arrival {
	u64 x0, x1, el, sctlr, daif, mpidr;
	u64 done;
} __attribute__((aligned(64)));

static struct arrival arrival;
void raw_arrival(void);
asm("	.text\n"
    "	.globl raw_arrival\n"
    "raw_arrival:\n"
    "	ldr x2, =arrival_at\n"
    "	ldr x2, [x2]\n"
    "	stp x0, x1, [x2]\n"
    "	mrs x3, currentel\n"
    "	mrs x4, sctlr_el1\n"
    "	stp x3, x4, [x2, #16]\n"
    "	mrs x3, daif\n"
    "	mrs x4, mpidr_el1\n"
    "	stp x3, x4, [x2, #32]\n"
    "	dsb sy\n"
    "	mov x3, #1\n"
    "	str x3, [x2, #48]\n"
    "	dsb sy\n"
    "	ldr x0, =0x84000002\n"
    "	smc #0\n"
    "1:	b 1b\n"
    "	.ltorg\n");
extern struct arrival *volatile arrival_at;
struct arrival *volatile arrival_at = &arrival;

static void flush(void *data)
{
	asm volatile("dc civac, %0\n\tdsb sy" : : "r" (data) : "memory");
}

/* It runs with its caches off: what it writes is read past ours. */
static bool wait_until_off(void)
{
	unsigned int ms;

	for (ms = 0; ms < WAIT_MS; ms++) {
		flush(&arrival);
		if (*(volatile u64 *)&arrival.done && smc(PSCI_AFFINITY_INFO, other, 0, 0) == 1)
			return true;
		delay_us(1000);
	}
	return false;
}

static bool one_life(u64 context)
{
	arrival.done = 0;
	flush(&arrival);
	check("CPU_ON", smc(PSCI_CPU_ON, other, (u64)raw_arrival, context), 0);
	if (!wait_until_off()) {
		check("the other CPU came and went", 0, 1);
		return false;
	}
	return true;
}

static void check_arrival(void)
{
	if (!one_life(CONTEXT))
		return;
	check("context in x0", (long)arrival.x0, (long)CONTEXT);
	check("context in x1", (long)arrival.x1, (long)CONTEXT);
	check("CurrentEL", (long)arrival.el, 1 << 2);
	check("SCTLR_EL1", (long)arrival.sctlr, 0x30d00800);
	check("DAIF", (long)arrival.daif, 0x3c0);
	check("MPIDR_EL1", (long)(arrival.mpidr & MPIDR_MASK), (long)other);
}

static volatile bool leave;

static void stay(void)
{
	while (!leave)
		cpu_relax();
}

static void check_already_on(void)
{
	unsigned int ms;

	check("smp_start_cpu", smp_start_cpu(other, stay), 0);
	check("CPU_ON of one that is on", smc(PSCI_CPU_ON, other, 0, 0), ALREADY_ON);
	check("AFFINITY_INFO of one that is on", smc(PSCI_AFFINITY_INFO, other, 0, 0), 0);
	leave = true;
	for (ms = 0; ms < WAIT_MS && smc(PSCI_AFFINITY_INFO, other, 0, 0) != 1; ms++)
		delay_us(1000);
	check("and off again", smc(PSCI_AFFINITY_INFO, other, 0, 0), 1);
}

void inmate_main(void)
{
	s64 cycles = cmdline_int("cycles", 100), n;

	self = cpu_mpidr();
	if (!smp_other_mpidr(0, &other)) {
		printf("FAILED no other CPU\n");
		report_done("calls", false);
	}
	check_table();
	check_own_cpus();
	check_registers();
	check_suspend();
	check_arrival();
	check_already_on();
	for (n = 0; n < cycles && one_life((u64)n); n++)
		check("context of a life", (long)arrival.x1, n);
	printf("CHECKS %u\n", checks);
	printf("CYCLES %llu\n", (u64)n);
	report_done("calls", failures == 0 && n == cycles);
}
