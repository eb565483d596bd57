// SPDX-License-Identifier: GPL-2.0-only
/* A greeting, and ten seconds of the PM timer. The cell stays running. */
#include <inmate.h>

void inmate_main(void)
{
	unsigned int n;

	printf("Hello from this tiny cell!\n");
	for (n = 0; n < 10; n++) {
		printf("PM Timer: %11llu\n", pm_timer_ns());
		delay_us(1000000);
	}
	halt();
}
