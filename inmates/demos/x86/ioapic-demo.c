// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACPI's interrupt, IOAPIC pin 9, level: the PM timer raises it when its
 * highest bit changes, every 2.3 seconds.
 *
 * Parameter remind: writes the enable register ten times a second.  Bochs 2.7
 * waits for as long as the machine has run, instead of for the time that is
 * left, unless it is made to look.
 */
#include <inmate.h>

#define ACPI_PIN		9
#define ACPI_VECTOR		32
#define TIMER_VECTOR		33
#define REMIND_NS		(NS_PER_SEC / 10)

/* The PM timer is the third block behind these on the chipsets we know. */
#define PM_TIMER_OFFSET		8
#define PM1_STATUS		0
#define PM1_ENABLE		2
#define  PM1_TIMER		0x0001

static u16 pm_base;

static void acpi_interrupt(struct trap_frame *frame __maybe_unused)
{
	u16 status = port_in16(pm_base + PM1_STATUS);

	printf("ACPI IRQ received, status: %04x\n", status);
	/* Write 1 to clear: lowers the line. */
	port_out16(pm_base + PM1_STATUS, status);
}

static void remind(struct trap_frame *frame __maybe_unused)
{
	port_out16(pm_base + PM1_ENABLE, PM1_TIMER);
	apic_timer_arm_ns(REMIND_NS);
}

void inmate_main(void)
{
	pm_base = comm_region()->x86.pm_timer_address - PM_TIMER_OFFSET;

	printf("Note: ACPI IRQs are broken for Linux now.\n");
	apic_init();
	ioapic_init();
	trap_set_handler(ACPI_VECTOR, acpi_interrupt);
	ioapic_set_pin(ACPI_PIN, ACPI_VECTOR, IOAPIC_LEVEL);
	/*
	 * The line may be up already, from who had the timer before.  QEMU's IOAPIC knows only
	 * of lines that rise while their pin is level-triggered: let it fall first.
	 */
	port_out16(pm_base + PM1_STATUS, PM1_TIMER);
	port_out16(pm_base + PM1_ENABLE, PM1_TIMER);
	if (cmdline_flag("remind", false)) {
		trap_set_handler(TIMER_VECTOR, remind);
		apic_timer_init(TIMER_VECTOR);
		apic_timer_arm_ns(REMIND_NS);
	}
	for (;;)
		irq_wait();
}
