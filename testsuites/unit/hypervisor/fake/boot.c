// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machine for core/boot.c: each CPU is a thread.  What happened is written
 * down as text, one letter a step.  Activation ends the thread.
 */
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <core/boot.h>
#include <core/cell_internal.h>
#include <core/cpu.h>
#include <core/sections.h>
#include <core/unit.h>
#include <arch/cpu.h>
#include <arch/paging.h>
#include <arch/vcpu.h>

#define CPUS	4

/* Per-CPU areas, then the configuration. */
char __image_start[CPUS * 0x8000 + 0x8000] __aligned(0x8000);
char __text_start[1];
const char hypervisor_version[] = "test";
struct jailhouse_image_header hypervisor_header = {
	.max_cpus = CPUS, .online_cpus = CPUS, .percpu_size = 0x8000,
	.region_phys = 0x3a000000, .region_size = 0x600000,
};
_Thread_local void *fake_this_cpu;

/* What goes wrong */
int fake_memory_error, fake_early_error, fake_cell_error, fake_unit_error;
int fake_cpu_error[CPUS];
u64 fake_ticks_per_ms = 1000000;

/* What happened: "E" early, "i" CPU prepared, "U"/"u" unit on/off, "r" CPU restored, "S" shutdown */
char fake_steps[64];
static unsigned int steps;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void step(char c)
{
	pthread_mutex_lock(&mutex);
	fake_steps[steps++] = c;
	pthread_mutex_unlock(&mutex);
}

int hv_paging_init(void)
{
	return fake_memory_error;
}

void hv_paging_activate(void) { }
void console_init(void) { }
void console_putc(char c) { (void)c; }
void *hv_map_temp(hpa_t phys, unsigned int pages, unsigned int attrs)
{
	(void)phys, (void)pages, (void)attrs;
	return NULL;
}
void *cell_map_temp(const struct cell *cell, gpa_t addr, unsigned int pages, unsigned int attrs)
{
	(void)cell, (void)addr, (void)pages, (void)attrs;
	return NULL;
}

u64 arch_ticks(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

u64 arch_ticks_per_ms(void)
{
	return fake_ticks_per_ms;
}

int arch_early_init(void)
{
	step('E');
	return fake_early_error;
}

int arch_cpu_init(struct per_cpu *cpu)
{
	if (!fake_cpu_error[cpu->cpu_id])
		step('i');
	return fake_cpu_error[cpu->cpu_id];
}

void arch_cpu_restore(struct per_cpu *cpu)
{
	(void)cpu;
	step('r');
}

void arch_shutdown(void)
{
	step('S');
}

void arch_cpu_activate(void)
{
	pthread_exit((void *)1L);
}

int arch_cell_init(struct cell *cell)
{
	int err = page_table_init(&cell->stage2, &nested_page_format);

	return err ? err : fake_cell_error;
}

void arch_cell_exit(struct cell *cell)
{
	page_table_free(&cell->stage2);
}

int arch_map_memory_region(struct cell *cell, const struct jailhouse_memory *mem)
{
	return page_table_map(&cell->stage2, mem->virt_start, hpa(mem->phys_start), mem->size,
			      (unsigned int)mem->flags & 7);
}

int arch_unmap_memory_region(struct cell *cell, const struct jailhouse_memory *mem)
{
	return page_table_unmap(&cell->stage2, mem->virt_start, mem->size);
}

void arch_fill_comm_region(struct cell *cell) { (void)cell; }
void arch_config_commit(struct cell *changed) { (void)changed; }
void arch_cpu_moved(struct per_cpu *cpu) { (void)cpu; }
void arch_cpu_forget_signals(struct per_cpu *cpu) { (void)cpu; }
void arch_cpu_kick(struct per_cpu *cpu) { (void)cpu; }
void arch_flush_stage2(void) { }

static int first_init(void)
{
	step('U');
	return 0;
}

static int second_init(void)
{
	if (!fake_unit_error)
		step('U');
	return fake_unit_error;
}

static void unit_shutdown(void)
{
	step('u');
}

static const struct unit first = { .name = "First", .init = first_init, .shutdown = unit_shutdown };
static const struct unit second = { .name = "Second", .init = second_init, .shutdown = unit_shutdown };
const struct unit *const units[] = { &first, &second, NULL };

/* --- For the test --- */

struct job {
	unsigned int cpu;
	int (*function)(unsigned int cpu);
};

static void *run(void *arg)
{
	const struct job *job = arg;

	fake_this_cpu = per_cpu(job->cpu);
	return (void *)(long)job->function(job->cpu);
}

/* Results of the CPUs in the bitmap; others do not come. */
static void run_all(unsigned int cpus, int (*function)(unsigned int), int *results)
{
	struct job jobs[CPUS];
	pthread_t threads[CPUS];
	void *result;

	for (unsigned int n = 0; n < CPUS; n++) {
		jobs[n] = (struct job){ n, function };
		if (cpus & (1U << n))
			pthread_create(&threads[n], NULL, run, &jobs[n]);
	}
	for (unsigned int n = 0; n < CPUS; n++) {
		if (!(cpus & (1U << n)))
			continue;
		pthread_join(threads[n], &result);
		results[n] = (int)(long)result;
	}
}

static int disable(unsigned int cpu)
{
	(void)cpu;
	return hypervisor_disable();
}

void fake_pool_init(struct page_pool *pool, unsigned long pages);
void fake_boot_prepare(const void *system, unsigned int size, unsigned int online);
void fake_boot_prepare(const void *system, unsigned int size, unsigned int online)
{
	fake_pool_init(&mem_pool, 100);
	mem_pool.zero = true;
	hypervisor_header.online_cpus = online;
	hypervisor_header.config_size = size;
	memcpy(per_cpu(CPUS), system, size);
}

void fake_boot(unsigned int cpus, int *results);
void fake_boot(unsigned int cpus, int *results)
{
	run_all(cpus, boot_cpu, results);
}

void fake_disable(unsigned int cpus, int *results);
void fake_disable(unsigned int cpus, int *results)
{
	run_all(cpus, disable, results);
}
