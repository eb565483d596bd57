// SPDX-License-Identifier: GPL-2.0-only
/* Protected mode without long mode. The cell stays running. */
#include <inmate.h>

void inmate_main(void)
{
	printf("This runs in 32-bit mode (EFER: %llx)\n", msr_read(MSR_EFER));
	halt();
}
