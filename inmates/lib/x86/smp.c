/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The other CPUs of the cell; their way through start-up is in head.S. */
#include <inmate.h>

#define STACK_SIZE	8192UL
#define START_TIMEOUT_MS 2000

struct smp_slot {
	u32 apic_id;
	u32 boot_number;
};

extern volatile struct smp_slot smp_slots[SMP_MAX_CPUS];
extern volatile unsigned long smp_entry;
extern unsigned long smp_stack;
extern u32 boot_number;
void secondary_start(void (*entry)(void));

unsigned int smp_wait_for_others(void)
{
	unsigned int count = comm_region()->x86.num_cpus;
	unsigned int n;

	if (count > SMP_MAX_CPUS)
		count = SMP_MAX_CPUS;
	for (n = 1; n < count; n++)
		while (smp_slots[n].boot_number != boot_number)
			cpu_relax();
	return count ? count - 1 : 0;
}

u32 smp_other_id(unsigned int n)
{
	return smp_slots[n + 1].apic_id;
}

void secondary_start(void (*entry)(void))
{
	trap_load();
	entry();
	halt();
}

bool smp_start_cpu(u32 id, void (*entry)(void))
{
	unsigned int ms;

	smp_wait_for_others();
	smp_stack = (unsigned long)heap_alloc(STACK_SIZE, 16) + STACK_SIZE;
	memory_barrier();
	smp_entry = (unsigned long)entry;

	apic_send_ipi(id, APIC_ICR_INIT | APIC_ICR_ASSERT);
	delay_us(10000);
	apic_send_ipi(id, APIC_ICR_SIPI | APIC_ICR_ASSERT);

	for (ms = 0; ms < START_TIMEOUT_MS; ms++) {
		if (!smp_entry)
			return true;
		delay_us(1000);
	}
	smp_entry = 0;
	return false;
}
