// SPDX-License-Identifier: GPL-2.0-only
/*
 * A timer tick of 10 Hz and how far it is off, in a cell that is asked before
 * it is shut down, locks the set of cells, and refuses the first request.
 */
#include <inmate.h>

#define TICK_NS		(NS_PER_SEC / 10)
#define TICK_VECTOR	32

static u64 expected_ns;
static u64 jitter_min, jitter_max;
static bool cache_pollution;
static bool asked_before;

static void tick(struct trap_frame *frame __maybe_unused)
{
	u64 now = tsc_ns();
	/* A timer of its own granularity may be early by less than that. */
	u64 jitter = now > expected_ns ? now - expected_ns : 0;

	if (jitter < jitter_min)
		jitter_min = jitter;
	if (jitter > jitter_max)
		jitter_max = jitter;

	/* Relative to when the tick was due: lateness doesn't add up. */
	do {
		expected_ns += TICK_NS;
	} while (expected_ns <= now);
	apic_timer_arm_ns(time_left(expected_ns, tsc_ns()));

	printf("Timer fired, jitter: %6llu ns, min: %6llu ns, max: %6llu ns\n",
	       jitter, jitter_min, jitter_max);
}

static void start_ticking(void)
{
	jitter_min = ~0ULL;
	jitter_max = 0;
	apic_init();
	trap_set_handler(TICK_VECTOR, tick);
	apic_timer_init(TICK_VECTOR);
	expected_ns = tsc_ns() + TICK_NS;
	apic_timer_arm_ns(TICK_NS);
}

/* Touches one line of each page of a working set, before each sleep. */
static void pollute_cache(u8 *buffer, unsigned long size)
{
	unsigned long pos;

	for (pos = 0; pos < size; pos += 64)
		buffer[pos]++;
}

static void serve_messages(void)
{
	switch (comm_poll_message()) {
	case JAILHOUSE_MSG_NONE:
		return;
	case JAILHOUSE_MSG_SHUTDOWN_REQUEST:
		if (asked_before) {
			printf("Stopped APIC demo\n");
			stop();
		}
		asked_before = true;
		printf("Rejecting first shutdown request - try again!\n");
		comm_reply(JAILHOUSE_REPLY_REQUEST_DENIED);
		return;
	default:
		comm_reply(JAILHOUSE_REPLY_UNKNOWN);
		return;
	}
}

void inmate_main(void)
{
	unsigned long size = 0;
	u8 *buffer = 0;

	comm_set_state(JAILHOUSE_CELL_RUNNING_LOCKED);

	cache_pollution = cmdline_flag("pollute-cache", false);
	if (cache_pollution) {
		size = heap_available() / 2;
		buffer = heap_alloc(size, 64);
		printf("Cache pollution enabled\n");
	}

	printf("Calibrated TSC frequency: %lu.%03u kHz\n", tsc_khz(), 0);
	printf("Calibrated APIC frequency: %lu kHz\n", apic_khz());

	start_ticking();
	for (;;) {
		irq_wait();
		if (cache_pollution)
			pollute_cache(buffer, size);
		serve_messages();
	}
}
