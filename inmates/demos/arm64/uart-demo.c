// SPDX-License-Identifier: GPL-2.0-only
/* Counts, for ever. */
#include <inmate.h>

#define PAUSE_US	1000000

void inmate_main(void)
{
	unsigned int n;

	for (n = 1;; n++) {
		printf("Hello %u from cell!\n", n);
		delay_us(PAUSE_US);
	}
}
