// SPDX-License-Identifier: GPL-2.0-only
/* A tick of 10 Hz by the virtual timer, and how far it is off. */
#include <inmate.h>

#define TICKS_PER_SECOND	10

static u64 tick, expected;
static u64 jitter_min, jitter_max;

/* LED of the board, if the command line names one: toggled with every tick. */
static void *led_reg;
static unsigned int led_pin;

static void toggle_led(void)
{
	if (led_reg)
		mmio_write32(led_reg, mmio_read32(led_reg) ^ 1U << led_pin);
}

static void handle_tick(unsigned int irq __maybe_unused)
{
	u64 now = timer_ticks();
	u64 jitter = timer_ticks_to_ns(now - expected);

	if (jitter < jitter_min)
		jitter_min = jitter;
	if (jitter > jitter_max)
		jitter_max = jitter;

	/* Relative to when the tick was due: lateness doesn't add up. */
	do {
		expected += tick;
	} while (expected <= now);
	timer_arm(expected);

	toggle_led();
	printf("Timer fired, jitter: %6llu ns, min: %6llu ns, max: %6llu ns\n",
	       jitter, jitter_min, jitter_max);
}

void inmate_main(void)
{
	led_reg = (void *)cmdline_int("led-reg", 0);
	led_pin = (unsigned int)cmdline_int("led-pin", 0) % 32;

	printf("Initializing the GIC...\n");
	gic_init();
	irq_set_handler(TIMER_IRQ, handle_tick);
	gic_enable_irq(TIMER_IRQ);

	printf("Initializing the timer...\n");
	jitter_min = ~0ULL;
	jitter_max = 0;
	tick = timer_frequency() / TICKS_PER_SECOND;
	expected = timer_ticks() + tick;
	timer_arm(expected);

	for (;;)
		irq_wait();
}
