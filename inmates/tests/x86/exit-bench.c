// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each kind of exit costs the guest: TSC ticks from right before to right
 * after, many times.  Under counted time a tick is a fixed part of an
 * instruction.  "empty" is the same loop around nothing.
 *
 *	samples=<n>
 */
#include "records.h"

#define IPI_VECTOR	33
#define MAX_SAMPLES	1000

#define SUBPAGE		((void *)0x800000UL)
#define XAPIC_TPR	((void *)0xfee00080UL)
#define POST_PORT	0x80

static u64 samples[MAX_SAMPLES];
static unsigned int wanted;
/* Written by arrival_entry() */
extern volatile unsigned int received;
extern volatile u64 arrived;
volatile unsigned int received;
volatile u64 arrived;

/* Nothing before the clock is read but what saves the registers that takes. */
void arrival_entry(void);
asm(".globl arrival_entry\n"
	"arrival_entry:\n\t"
	"push	%rax\n\t"
	"push	%rdx\n\t"
	"rdtsc\n\t"
	"shl	$32, %rdx\n\t"
	"or	%rdx, %rax\n\t"
	"mov	%rax, arrived\n\t"
	"incl	received\n\t"
	"push	%rcx\n\t"
	"mov	$0x80b, %ecx\n\t"	/* end of interrupt */
	"xor	%eax, %eax\n\t"
	"xor	%edx, %edx\n\t"
	"wrmsr\n\t"
	"pop	%rcx\n\t"
	"pop	%rdx\n\t"
	"pop	%rax\n\t"
	"iretq");

static void other_cpu(void)
{
	apic_init();
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

static void do_cpuid(void)
{
	cpuid(1, 0);
}

static void do_x2apic_read(void)
{
	apic_read(APIC_REG_TPR);
}

static void do_x2apic_write(void)
{
	apic_write(APIC_REG_TPR, 0);
}

static void do_other_msr(void)
{
	msr_read(MSR_PAT);
}

static void do_xapic_write(void)
{
	mmio_write32(XAPIC_TPR, 0);
}

static void do_subpage_read(void)
{
	mmio_read32(SUBPAGE);
}

static void do_subpage_write(void)
{
	mmio_write32(SUBPAGE, 0x12345678);
}

static void do_port(void)
{
	port_out8(POST_PORT, 0);
}

static void do_ipi(void)
{
	apic_send_ipi(smp_other_id(0), APIC_ICR_ASSERT | IPI_VECTOR);
}

static const struct {
	const char *name;
	void (*run)(void);
	bool in_cell_only;
} exits[] = {
	{ "empty", do_nothing, false },
	/* Nobody answers it on the bare machine; there the xAPIC page is off, too. */
	{ "hypercall", do_hypercall, true },
	{ "cpuid", do_cpuid, false },
	{ "x2apic-msr-read", do_x2apic_read, false },
	{ "x2apic-msr-write", do_x2apic_write, false },
	{ "pat-msr-read", do_other_msr, false },
	{ "xapic-mmio-write", do_xapic_write, true },
	{ "subpage-read", do_subpage_read, false },
	{ "subpage-write", do_subpage_write, false },
	{ "port-write", do_port, false },
	{ "ipi-send", do_ipi, false },
};

static void measure(void (*run)(void))
{
	unsigned int n;
	u64 began;

	for (n = 0; n < wanted; n++) {
		began = tsc_read();
		run();
		samples[n] = tsc_read() - began;
	}
}

/* From the instruction that sends to the first one of the handler */
static void measure_arrival(u32 destination)
{
	unsigned int n;
	u64 began;

	for (n = 0; n < wanted; n++) {
		received = 0;
		began = tsc_read();
		apic_send_ipi(destination, APIC_ICR_ASSERT | IPI_VECTOR);
		/* Lets an emulator go on with the other CPU */
		while (!received)
			cpu_relax();
		samples[n] = arrived - began;
	}
}

static void measure_all(void)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(exits); n++) {
		if (exits[n].in_cell_only && !in_cell())
			continue;
		measure(exits[n].run);
		record_series(exits[n].name, "cost", samples, wanted);
	}
	measure_arrival(smp_other_id(0));
	record_series("ipi-other", "cost", samples, wanted);
	irq_enable();
	measure_arrival(apic_id());
	irq_disable();
	record_series("ipi-self", "cost", samples, wanted);
}

void inmate_main(void)
{
	wanted = cmdline_int("samples", 0);
	if (wanted == 0 || wanted > MAX_SAMPLES) {
		record_text("BAD command line\n");
		record_end("exit-bench");
	}
	apic_init();
	trap_set_entry(IPI_VECTOR, arrival_entry);
	map_range((unsigned long)SUBPAGE, PAGE_SIZE, MAP_UNCACHED);
	map_range((unsigned long)XAPIC_TPR & ~(PAGE_SIZE - 1), PAGE_SIZE, MAP_UNCACHED);
	smp_wait_for_others();
	if (smp_start_cpu(smp_other_id(0), other_cpu))
		measure_all();
	else
		record_text("LOST other CPU\n");
	record_end("exit-bench");
}
