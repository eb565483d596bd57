// SPDX-License-Identifier: GPL-2.0-only
/* Starts every other CPU of the cell; each sends an interrupt back. */
#include <inmate.h>

#define IPI_VECTOR	32
#define IPI_TIMEOUT_MS	1000

static volatile bool ipi_received;
static u32 primary;

static void ipi(struct trap_frame *frame __maybe_unused)
{
	printf("Received IPI on %u\n", apic_id());
	ipi_received = true;
}

static void secondary_main(void)
{
	apic_init();
	printf("Hello from CPU %u!\n", apic_id());
	apic_send_ipi(primary, APIC_ICR_FIXED | APIC_ICR_ASSERT | IPI_VECTOR);
}

static void run_secondary(u32 id)
{
	unsigned int ms;

	printf(" Starting CPU %u\n", id);
	ipi_received = false;
	if (!smp_start_cpu(id, secondary_main)) {
		printf("CPU %u did not start!\n", id);
		return;
	}
	irq_enable();
	for (ms = 0; ms < IPI_TIMEOUT_MS && !ipi_received; ms++)
		delay_us(1000);
	irq_disable();
}

void inmate_main(void)
{
	unsigned int others, n;

	apic_init();
	trap_set_handler(IPI_VECTOR, ipi);
	primary = apic_id();

	/*
	 * The hypervisor reports every CPU that starts, on the same UART: be
	 * silent until it has.
	 */
	smp_wait_for_others();
	printf("SMP demo, primary CPU: %u\n", primary);
	printf("Waiting for the rest...\n");
	others = smp_wait_for_others();
	printf("Found %u other CPU(s)\n", others);
	for (n = 0; n < others; n++)
		run_secondary(smp_other_id(n));
	halt();
}
