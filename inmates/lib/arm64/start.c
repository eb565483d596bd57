/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* First C code of the first CPU. */
#include <inmate.h>

u64 boot_context[2];

void inmate_start(void);

void __noreturn halt(void)
{
	irq_disable();
	for (;;)
		asm volatile("wfi" : : : "memory");
}

/* Says so in the only place that can be believed to be there, and stops. */
static void comm_check(void)
{
	struct jailhouse_comm_region *comm = comm_region();

	if (comm->revision == JAILHOUSE_COMM_ABI_REVISION &&
	    memcmp(comm->signature, JAILHOUSE_COMM_SIGNATURE, sizeof(comm->signature)) == 0)
		return;
	comm_set_state(JAILHOUSE_CELL_FAILED_COMM_REV);
	halt();
}

void inmate_start(void)
{
	comm_check();
	heap_init();
	console_init();
	inmate_main();
	stop();
}
