// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each kind of exit costs the guest: ticks of the virtual counter from
 * right before to right after, many times.  Under counted time a tick is a fixed
 * part of an instruction.  "empty" is the same loop around nothing.  The cell has
 * two CPUs and owns the SPI irq=.
 *
 *	samples=<n> irq=<n>
 */
#include "records.h"

#define MAX_SAMPLES	200
#define SGI		5
#define TIMER_TICKS	100000

#define GICD_TYPER	0x04
#define GICD_ISENABLER	0x100
#define ICC_IAR1	"S3_0_C12_C12_0"
#define ICC_EOIR1	"S3_0_C12_C12_1"
#define ICC_SGI1R	"S3_0_C12_C11_5"
#define GICD_SGIR	0xf00
#define GICC_IAR	0x0c
#define GICC_EOIR	0x10

static u64 samples[MAX_SAMPLES];
static unsigned int wanted, irq;
static char *dist, *cpu_interface;
static bool v2;
/* Written by arrival_entry */
extern volatile u64 arrived, received;
volatile u64 arrived, received;

/* No barrier: it would be counted. */
static inline u64 clock(void)
{
	return sysreg_read(cntvct_el0);
}

/* Nothing before the clock is read but what saves the registers that takes. */
extern char bench_vectors[];
asm("	.text\n"
    "	.balign 2048\n"
    "bench_vectors:\n"
    "	.rept 5\n"
    "	b .\n"
    "	.balign 128\n"
    "	.endr\n"
    "	sub sp, sp, #0xb0\n"			/* IRQ, from EL1 with its own stack pointer */
    "	stp x0, x1, [sp]\n"
    "	mrs x0, cntvct_el0\n"
    "	adrp x1, arrived\n"
    "	str x0, [x1, #:lo12:arrived]\n"
    "	b arrival_rest\n"
    "	.balign 2048\n"
    "arrival_rest:\n"
    "	stp x2, x3, [sp, #0x10]\n"
    "	stp x4, x5, [sp, #0x20]\n"
    "	stp x6, x7, [sp, #0x30]\n"
    "	stp x8, x9, [sp, #0x40]\n"
    "	stp x10, x11, [sp, #0x50]\n"
    "	stp x12, x13, [sp, #0x60]\n"
    "	stp x14, x15, [sp, #0x70]\n"
    "	stp x16, x17, [sp, #0x80]\n"
    "	stp x18, x30, [sp, #0x90]\n"
    "	bl arrival_end\n"
    "	ldp x18, x30, [sp, #0x90]\n"
    "	ldp x16, x17, [sp, #0x80]\n"
    "	ldp x14, x15, [sp, #0x70]\n"
    "	ldp x12, x13, [sp, #0x60]\n"
    "	ldp x10, x11, [sp, #0x50]\n"
    "	ldp x8, x9, [sp, #0x40]\n"
    "	ldp x6, x7, [sp, #0x30]\n"
    "	ldp x4, x5, [sp, #0x20]\n"
    "	ldp x2, x3, [sp, #0x10]\n"
    "	ldp x0, x1, [sp]\n"
    "	add sp, sp, #0xb0\n"
    "	eret\n");

void arrival_end(void);
void arrival_end(void)
{
	u64 iar;

	timer_stop();
	if (v2) {
		iar = mmio_read32(cpu_interface + GICC_IAR);
		mmio_write32(cpu_interface + GICC_EOIR, (u32)iar);
	} else {
		asm volatile("mrs %0, " ICC_IAR1 : "=r" (iar) : : "memory");
		asm volatile("msr " ICC_EOIR1 ", %0" : : "r" (iar) : "memory");
	}
	received = 1;
}

static void prepare_cpu(void)
{
	gic_init();
	gic_enable_irq(TIMER_IRQ);
	sysreg_write(vbar_el1, bench_vectors);
}

static void other_cpu(void)
{
	prepare_cpu();
	for (;;)
		irq_wait();
}

/* --- One of each --- */

static void do_nothing(void)
{
}

static void do_hypercall(void)
{
	hypercall(JAILHOUSE_HC_HYPERVISOR_GET_INFO, JAILHOUSE_INFO_MEM_POOL_USED, 0);
}

static void do_psci_version(void)
{
	smc(PSCI_VERSION, 0, 0, 0);
}

static void do_dist_read(void)
{
	mmio_read32(dist + GICD_TYPER);
}

static void do_dist_write(void)
{
	mmio_write32(dist + GICD_ISENABLER + irq / 32 * 4, 1U << (irq % 32));
}

static void do_sgi_send(void)
{
	u64 other;

	smp_other_mpidr(0, &other);
	gic_send_sgi(other, SGI);
}

static const struct {
	const char *name;
	void (*run)(void);
} exits[] = {
	{ "empty", do_nothing },
	{ "hypercall", do_hypercall },
	{ "psci-version", do_psci_version },
	{ "gicd-typer-read", do_dist_read },
	{ "gicd-isenabler-write", do_dist_write },
};

static void measure(void (*run)(void))
{
	unsigned int n;
	u64 began;

	for (n = 0; n < wanted; n++) {
		began = clock();
		run();
		samples[n] = clock() - began;
	}
}

/* From the instruction that sends to the first one of the handler */
static void measure_arrival(u64 mpidr)
{
	unsigned int n;
	u64 began;

	for (n = 0; n < wanted; n++) {
		received = 0;
		memory_barrier();
		began = clock();
		gic_send_sgi(mpidr, SGI);
		/* Lets an emulator go on with the other CPU */
		while (!received)
			cpu_relax();
		samples[n] = arrived - began;
	}
}

static void measure_timer(void)
{
	unsigned int n;
	u64 due;

	for (n = 0; n < wanted; n++) {
		received = 0;
		memory_barrier();
		due = clock() + TIMER_TICKS;
		timer_arm(due);
		/* Not waiting: an emulator would go on with another CPU, and come back late */
		while (!received)
			asm volatile("nop");
		samples[n] = arrived - due;
	}
}

static void measure_all(u64 other)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(exits); n++) {
		measure(exits[n].run);
		record_series(exits[n].name, "cost", samples, wanted);
	}
	measure_arrival(other);
	record_series("sgi-other", "cost", samples, wanted);
	irq_enable();
	measure_arrival(cpu_mpidr());
	record_series("sgi-self", "cost", samples, wanted);
	measure_timer();
	record_series("timer", "cost", samples, wanted);
	irq_disable();
	measure(do_sgi_send);
	record_series("sgi-send", "cost", samples, wanted);
}

void inmate_main(void)
{
	u64 other;

	wanted = (unsigned int)cmdline_int("samples", 0);
	irq = (unsigned int)cmdline_int("irq", 70);
	if (wanted == 0 || wanted > MAX_SAMPLES) {
		record_text("BAD command line\n");
		record_end("exit-bench");
	}
	dist = (char *)comm_region()->arm.gicd_base;
	cpu_interface = (char *)comm_region()->arm.gicc_base;
	prepare_cpu();
	v2 = gic_version() == 2;
	if (smp_other_mpidr(0, &other) && smp_start_cpu(other, other_cpu) == 0)
		measure_all(other);
	else
		record_text("LOST other CPU\n");
	record_end("exit-bench");
}
