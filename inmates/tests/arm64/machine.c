// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the hypervisor promises a cell on arm64, seen from inside: reset state,
 * PSCI and SMCCC, GIC registers, SGIs, accesses without syndrome.
 *
 * Output: FAILED <check> <value> for each check that fails, then
 * CHECKS <number>, DONE machine ok|failed; the state is shut down or failed.
 */
#include <inmate.h>

#define GICD_ISENABLER		0x100
#define GICD_ICENABLER		0x180
#define GICD_ISPENDR		0x200
#define GICD_ICPENDR		0x280
#define GICD_ICACTIVER		0x380
#define GICD_IPRIORITYR		0x400
#define GICD_ICFGR		0x0c00
#define SGI			5
#define WAIT_MS			1000
#define NOT_SUPPORTED		(-1L)

static unsigned int checks, failures;
static volatile unsigned int sgis, timer_ticks_seen;

static void check(const char *name, bool good, u64 value)
{
	checks++;
	if (good)
		return;
	failures++;
	printf("FAILED %s 0x%llx\n", name, value);
}

static void check_equal(const char *name, u64 value, u64 expected)
{
	check(name, value == expected, value);
}

/* --- reset state (abi.md 7.6): what start-up code has not changed --- */

static void check_reset_state(void)
{
	check_equal("x0 at start", boot_context[0], 0);
	check_equal("x1 at start", boot_context[1], 0);
	check_equal("CurrentEL", sysreg_read(currentel), 1 << 2);
	check_equal("TTBR1_EL1", sysreg_read(ttbr1_el1), 0);
	check_equal("TPIDR_EL0", sysreg_read(tpidr_el0), 0);
	check_equal("TPIDR_EL1", sysreg_read(tpidr_el1), 0);
	check_equal("CONTEXTIDR_EL1", sysreg_read(contextidr_el1), 0);
	check_equal("SP_EL0", sysreg_read(sp_el0), 0);
	check_equal("CNTKCTL_EL1", sysreg_read(cntkctl_el1), 0);
	check_equal("CNTV_CTL_EL0", sysreg_read(cntv_ctl_el0) & 3, 0);
	check_equal("CNTP_CTL_EL0", sysreg_read(cntp_ctl_el0) & 3, 0);
	check_equal("MDSCR_EL1", sysreg_read(mdscr_el1), 0);
	check("DAIF", (sysreg_read(daif) & 0x3c0) == 0x3c0, sysreg_read(daif));
}

/* --- calls --- */

static void check_calls(void)
{
	check_equal("PSCI_VERSION", smc(PSCI_VERSION, 0, 0, 0), 0x10001);
	check_equal("PSCI_VERSION, garbage", smc(PSCI_VERSION | 0x123400000000, 0, 0, 0), 0x10001);
	check_equal("PSCI_FEATURES CPU_ON", smc(PSCI_FEATURES, PSCI_CPU_ON, 0, 0), 0);
	check_equal("PSCI_FEATURES SYSTEM_OFF", smc(PSCI_FEATURES, 0x84000008, 0, 0), NOT_SUPPORTED);
	check_equal("SYSTEM_OFF", smc(0x84000008, 0, 0, 0), NOT_SUPPORTED);
	check_equal("AFFINITY_INFO of this CPU", smc(PSCI_AFFINITY_INFO, cpu_mpidr(), 0, 0), 0);
	check_equal("AFFINITY_INFO of CPU 0", smc(PSCI_AFFINITY_INFO, 0, 0, 0), -3L);
	check_equal("CPU_ON of CPU 0", smc(PSCI_CPU_ON, 0, 0, 0), -3L);
	check_equal("CPU_ON of this CPU", smc(PSCI_CPU_ON, cpu_mpidr(), 0, 0), -4L);
	check_equal("SMCCC_VERSION", smc(0x80000000, 0, 0, 0), 0x10001);
	check_equal("SMCCC_ARCH_FEATURES", smc(0x80000001, 0x80000001, 0, 0), 0);
	check_equal("SiP", smc(0xc2000000, 0, 0, 0), NOT_SUPPORTED);
	check_equal("hypercall 99", (u64)(s64)hypercall(99, 0, 0), (u64)-38L);
	check_equal("hypercall disable", (u64)(s64)hypercall(0, 0, 0), (u64)-1L);
	check_equal("hypercall number of cells", (u64)(s64)hypercall(5, 4, 0), 2);
}

/* --- GIC --- */

static void handle_sgi(unsigned int irq __maybe_unused)
{
	sgis++;
}

static void handle_timer(unsigned int irq __maybe_unused)
{
	timer_stop();
	timer_ticks_seen++;
}

static bool wait_for(volatile unsigned int *counter, unsigned int value)
{
	unsigned int ms;

	irq_enable();
	for (ms = 0; ms < WAIT_MS && *counter != value; ms++)
		delay_us(1000);
	irq_disable();
	return *counter == value;
}

static void check_interrupts(void)
{
	char *base = gic_private_base();

	irq_set_handler(SGI, handle_sgi);
	irq_set_handler(TIMER_IRQ, handle_timer);
	gic_enable_irq(SGI);
	gic_enable_irq(TIMER_IRQ);

	gic_send_sgi(cpu_mpidr(), SGI);
	check("SGI to self", wait_for(&sgis, 1), sgis);

	/* Sent twice while it is masked: once. */
	gic_send_sgi(cpu_mpidr(), SGI);
	gic_send_sgi(cpu_mpidr(), SGI);
	check("SGIs merge", wait_for(&sgis, 2), sgis);

	gic_disable_irq(SGI);
	gic_send_sgi(cpu_mpidr(), SGI);
	check("a disabled SGI waits", !wait_for(&sgis, 3), sgis);
	check("and is pending", mmio_read32(base + GICD_ISPENDR) & 1 << SGI,
	      mmio_read32(base + GICD_ISPENDR));
	gic_enable_irq(SGI);
	check("until it is enabled", wait_for(&sgis, 3), sgis);

	timer_arm(timer_ticks() + timer_frequency() / 1000);
	check("timer", wait_for(&timer_ticks_seen, 1), timer_ticks_seen);
	timer_arm(timer_ticks() + timer_frequency() / 1000);
	check("timer again", wait_for(&timer_ticks_seen, 2), timer_ticks_seen);
}

/* The hypervisor's own interrupts must survive whatever a guest writes (bugs.md A10). */
static void attack_private_interrupts(void)
{
	char *base = gic_private_base();
	unsigned int n;

	mmio_write32(base + GICD_ICENABLER, 0xffffffff);
	mmio_write32(base + GICD_ICPENDR, 0xffffffff);
	mmio_write32(base + GICD_ICACTIVER, 0xffffffff);
	for (n = 0; n < 32; n += 4)
		mmio_write32(base + GICD_IPRIORITYR + n, 0xffffffff);
	check_equal("nothing is enabled", mmio_read32(base + GICD_ISENABLER), 0);
	check_equal("the maintenance interrupt has no priority",
		    mmio_read8(base + GICD_IPRIORITYR + 25), 0);
	for (n = 0; n < 32; n += 4)
		mmio_write32(base + GICD_IPRIORITYR + n, 0);
}

/* This cell owns no SPI. */
static void check_foreign_spis(void)
{
	char *dist = (char *)comm_region()->arm.gicd_base;
	unsigned int word;

	for (word = 1; word < 4; word++) {
		check_equal("foreign ISENABLER", mmio_read32(dist + GICD_ISENABLER + 4 * word), 0);
		mmio_write32(dist + GICD_ISENABLER + 4 * word, 0xffffffff);
		mmio_write32(dist + GICD_ICENABLER + 4 * word, 0xffffffff);
		check_equal("foreign IPRIORITYR", mmio_read32(dist + GICD_IPRIORITYR + 32 * word), 0);
		mmio_write32(dist + GICD_IPRIORITYR + 32 * word, 0xffffffff);
		check_equal("foreign ICFGR", mmio_read32(dist + GICD_ICFGR + 8 * word), 0);
	}
	check("GICD_TYPER", (mmio_read32(dist + 4) & 0x1f) != 0, mmio_read32(dist + 4));
}

/* --- accesses without syndrome (mmio_exit.c) --- */

static void check_decoder(void)
{
	char *dist = (char *)comm_region()->arm.gicd_base, *pos;
	u64 typer = mmio_read32(dist + 4), iidr = mmio_read32(dist + 8), one, two;

	pos = dist + 4;
	asm volatile("ldr %w0, [%1], #4" : "=r" (one), "+r" (pos) : : "memory");
	check_equal("post-index value", one, typer);
	check_equal("post-index base", (u64)pos, (u64)dist + 8);
	pos = dist + 12;
	asm volatile("ldr %w0, [%1, #-4]!" : "=r" (one), "+r" (pos) : : "memory");
	check_equal("pre-index value", one, iidr);
	check_equal("pre-index base", (u64)pos, (u64)dist + 8);
	pos = dist + 4;
	asm volatile("ldp %w0, %w1, [%2]" : "=&r" (one), "=&r" (two) : "r" (pos) : "memory");
	check_equal("pair, first", one, typer);
	check_equal("pair, second", two, iidr);
	pos = (char *)gic_private_base() + GICD_IPRIORITYR + 8;
	asm volatile("strb %w1, [%0], #1" : "+r" (pos) : "r" (0x50) : "memory");
	check_equal("byte store", mmio_read8(pos - 1), 0x50);
	asm volatile("ldrsb %0, [%1]" : "=r" (one) :
		     "r" ((char *)gic_private_base() + GICD_IPRIORITYR + 8) : "memory");
	check_equal("sign extension", one, 0x50);
}

void inmate_main(void)
{
	check_reset_state();
	gic_init();
	check_calls();
	check_foreign_spis();
	check_decoder();
	attack_private_interrupts();
	check_interrupts();
	printf("CHECKS %u\n", checks);
	printf("DONE machine %s\n", failures ? "failed" : "ok");
	if (!failures)
		stop();
	comm_set_state(JAILHOUSE_CELL_FAILED);
	halt();
}
