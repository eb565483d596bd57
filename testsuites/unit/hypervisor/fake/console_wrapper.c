// SPDX-License-Identifier: GPL-2.0-only
/* printk.c and uart.c with a clock, and writers that race with a reader. */
#include <pthread.h>
#include <unistd.h>
#include <core/cell.h>
#include <core/cpu.h>
#include <core/paging.h>
#include <core/percpu.h>
#include <core/printk.h>
#include <arch/cpu.h>

struct jailhouse_system *system_config;
static u64 now;
char fake_uart_registers[64];

u64 arch_ticks(void)
{
	return ++now;
}

u64 ticks_from_now(u64 ms)
{
	return now + ms * 10;
}

void *hv_map(hpa_t phys, u64 size, unsigned int attrs)
{
	(void)attrs;
	return phys.raw == 0xfe000000 && size <= sizeof(fake_uart_registers) ?
		fake_uart_registers : NULL;
}

void fake_print(const char *text);
void fake_print(const char *text)
{
	printk("%s", text);
}

void fake_become_cpu(unsigned int cpu);
static volatile bool stop;

static void *writer(void *arg)
{
	unsigned int cpu = (unsigned int)(unsigned long)arg;

	fake_become_cpu(cpu);
	this_cpu()->cpu_id = cpu;
	for (unsigned int n = 0; !stop; n++) {
		printk("CPU %u says %08u\n", cpu, n);
		usleep(200);	/* or a reader never finds the page at rest */
	}
	return NULL;
}

static pthread_t writers[4];

void fake_writers_start(void);
void fake_writers_start(void)
{
	for (unsigned long n = 0; n < 4; n++)
		pthread_create(&writers[n], NULL, writer, (void *)n);
}

void fake_writers_stop(void);
void fake_writers_stop(void)
{
	stop = true;
	for (unsigned long n = 0; n < 4; n++)
		pthread_join(writers[n], NULL);
}

/* The reader of abi.md 5.5: a copy that no writer touched; its tail. */
u32 fake_snapshot(const struct jailhouse_virt_console *page, char *out);
u32 fake_snapshot(const struct jailhouse_virt_console *page, char *out)
{
	u32 tail;

	do {
		while (page->busy)
			cpu_relax();
		tail = page->tail;
		memory_load_barrier();
		__builtin_memcpy(out, page->content, sizeof(page->content));
		memory_load_barrier();
	} while (page->busy || page->tail != tail);
	return tail;
}
