// SPDX-License-Identifier: GPL-2.0-only
/* core/mmio.c with handlers that remember, and threads that race (bugs.md A11). */
#include <pthread.h>
#include <stdlib.h>
#include <core/cell.h>
#include <core/mmio.h>
#include <core/percpu.h>
#include <core/printk.h>
#include <core/unit.h>

struct cell root_cell;
static struct jailhouse_cell_desc desc = { .name = "test" };
static struct cell cell = { .config = &desc };
static unsigned int capacity;

static unsigned int count(const struct cell *c)
{
	(void)c;
	return capacity;
}

static const struct unit unit = { .name = "Test", .mmio_regions = count };
const struct unit *const units[] = { &unit, NULL };

void *cell_block_take(struct cell *c, u64 bytes)
{
	(void)c;
	return calloc(1, bytes);	/* of exactly this size: the sanitizer guards its end */
}

/* Handlers: arg is the region's number. Every access is noted. */
long fake_last_region;
u64 fake_last_address;

static enum mmio_result note(void *arg, struct mmio_access *access)
{
	fake_last_region = (long)arg;
	fake_last_address = access->address;
	if (!access->is_write)
		access->value = 0xd00d0000 + (unsigned long)arg;
	return MMIO_HANDLED;
}

void fake_cell_init(unsigned int max);
void fake_cell_init(unsigned int max)
{
	capacity = max;
	mmio_cell_init(&cell);
	this_cpu()->cell = &cell;
}

void fake_register(u64 start, u64 size, long number);
void fake_register(u64 start, u64 size, long number)
{
	mmio_region_register(&cell, gpa(start), size, note, (void *)number);
}

void fake_unregister(u64 start);
void fake_unregister(u64 start)
{
	mmio_region_unregister(&cell, gpa(start));
}

/* The value read; ~0 when nobody handles it. */
u64 fake_read_at(u64 address, unsigned int size);
u64 fake_read_at(u64 address, unsigned int size)
{
	struct mmio_access access = { .address = address, .size = size };

	return mmio_dispatch(&access) == MMIO_HANDLED ? access.value : ~0ULL;
}

static volatile bool stop;

static void *toggle(void *arg)
{
	for (unsigned long n = 0; n < (unsigned long)arg; n++) {
		fake_register(0x2000, 0x20, 1);
		fake_register(0x1000, 0x20, 2);
		fake_unregister(0x2000);
		fake_unregister(0x1000);
	}
	stop = true;
	return NULL;
}

/* Device 3 is at 0x2020, right behind one that comes and goes. Returns wrong answers. */
unsigned long fake_race(unsigned long rounds);
unsigned long fake_race(unsigned long rounds)
{
	unsigned long wrong = 0;
	pthread_t thread;

	fake_register(0x2020, 0x20, 3);
	pthread_create(&thread, NULL, toggle, (void *)rounds);
	while (!stop)
		wrong += fake_read_at(0x2020, 4) != 0xd00d0003;
	pthread_join(thread, NULL);
	return wrong;
}
