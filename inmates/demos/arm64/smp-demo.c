// SPDX-License-Identifier: GPL-2.0-only
/* Starts every other CPU of the cell by PSCI; each sends an interrupt back. */
#include <inmate.h>

#define SGI		2
#define SGI_TIMEOUT_MS	1000

static volatile bool sgi_received;
static u64 primary;

static void handle_sgi(unsigned int irq)
{
	printf("Received SGI %u on %llu\n", irq, cpu_mpidr());
	sgi_received = true;
}

static void secondary_main(void)
{
	gic_init();
	printf("Hello from CPU %llu!\n", cpu_mpidr());
	gic_send_sgi(primary, SGI);
}

static void run_secondary(u64 mpidr)
{
	unsigned int ms;
	long result;

	printf(" Starting CPU %llu\n", mpidr);
	sgi_received = false;
	result = smp_start_cpu(mpidr, secondary_main);
	if (result) {
		printf("CPU %llu did not start: %ld\n", mpidr, result);
		return;
	}
	irq_enable();
	for (ms = 0; ms < SGI_TIMEOUT_MS && !sgi_received; ms++)
		delay_us(1000);
	irq_disable();
	if (!sgi_received)
		printf("No SGI from CPU %llu\n", mpidr);
}

void inmate_main(void)
{
	unsigned int others;
	u64 mpidr;

	gic_init();
	irq_set_handler(SGI, handle_sgi);
	gic_enable_irq(SGI);
	primary = cpu_mpidr();

	printf("SMP demo, primary CPU: %llu\n", primary);
	for (others = 0; smp_other_mpidr(others, &mpidr); others++)
		;
	printf("Found %u other CPU(s)\n", others);
	for (others = 0; smp_other_mpidr(others, &mpidr); others++)
		run_secondary(mpidr);
	printf("SMP demo done\n");
	halt();
}
