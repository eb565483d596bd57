// SPDX-License-Identifier: GPL-2.0-only
/*
 * Distributor, redistributors and list registers of four CPUs, and two cells:
 * root (CPUs 0-1) and a demo (2-3).  Device memory is plain memory; what is
 * written to it is noted by the test through fake_mmio_write.
 */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/percpu.h>
#include <arch/irqchip.h>

#define CPUS		4
#define NUM_LRS		4

struct cell root_cell, demo_cell;
static struct jailhouse_cell_desc root_desc = { .name = "root" };
static struct jailhouse_cell_desc demo_desc = { .name = "demo" };
struct gic gic;
u8 fake_dist[0x10000], fake_private[CPUS][0x1000];
u64 fake_lrs[CPUS][NUM_LRS];
u32 fake_maintenance[CPUS];
u32 fake_kicks[CPUS];		/* SGIs that were sent to it */
static unsigned long cpu_sets[2] = { 0x3, 0xc };

static unsigned int me(void)
{
	return this_cpu()->cpu_id;
}

static u64 lr_read(unsigned int n)
{
	return fake_lrs[me()][n];
}

static void lr_write(unsigned int n, u64 lr)
{
	fake_lrs[me()][n] = lr;
}

static u64 lr_empty(void)
{
	u64 empty = 0;

	for (unsigned int n = 0; n < NUM_LRS; n++)
		if (!(fake_lrs[me()][n] & LR_STATE))
			empty |= 1ULL << n;
	return empty;
}

static void maintenance(u32 bits)
{
	fake_maintenance[me()] = bits;
}

static void *private_regs(struct per_cpu *cpu)
{
	return fake_private[cpu->cpu_id];
}

static void send_sgi(const struct per_cpu *target, unsigned int sgi)
{
	fake_kicks[target->cpu_id] |= 1U << sgi;
}

#define OPS .lr_read = lr_read, .lr_write = lr_write, .lr_empty = lr_empty, \
	.maintenance = maintenance, .private_regs = private_regs, .send_sgi = send_sgi

const struct gic_ops gicv2_ops = { OPS };
const struct gic_ops gicv3_ops = { OPS };

bool cell_owns_cpu(const struct cell *cell, unsigned int cpu)
{
	return cpu < CPUS && (cell->cpus[0] >> cpu & 1);
}

int cell_next_cpu(const struct cell *cell, int after)
{
	for (int cpu = after + 1; cpu < CPUS; cpu++)
		if (cell_owns_cpu(cell, (unsigned int)cpu))
			return cpu;
	return -1;
}

void fake_world_init(unsigned int version);
void fake_world_init(unsigned int version)
{
	gic.ops = version == 2 ? &gicv2_ops : &gicv3_ops;
	gic.dist = fake_dist;
	gic.num_irqs = 256;
	gic.num_lrs = NUM_LRS;
	gic.maintenance_irq = 25;
	gic.ppi_mask = 0xffff0000 & ~(1U << 25);
	root_cell.config = &root_desc;
	demo_cell.config = &demo_desc;
	root_cell.cpus = &cpu_sets[0];
	demo_cell.cpus = &cpu_sets[1];
	for (unsigned int n = 0; n < CPUS; n++) {
		per_cpu(n)->cpu_id = n;
		per_cpu(n)->cell = n < 2 ? &root_cell : &demo_cell;
		per_cpu(n)->arch.mpidr = n;
		per_cpu(n)->arch.gicv2_target = (u8)(1 << n);
		per_cpu(n)->arch.sgi_enabled = 0xffff;
	}
}

void fake_own(unsigned int cell, unsigned int irq);
void fake_own(unsigned int cell, unsigned int irq)
{
	struct cell *owner = cell ? &demo_cell : &root_cell;

	owner->arch.irqs[irq / 32] |= 1U << (irq % 32);
}

/* By CPU 2, of the demo cell. Returns the value. */
u64 fake_access(bool private, u64 address, unsigned int size, bool is_write, u64 value);
u64 fake_access(bool private, u64 address, unsigned int size, bool is_write, u64 value)
{
	struct mmio_access access = {
		.address = address, .size = size, .is_write = is_write, .value = value,
	};

	if (private)
		gic_private_access(this_cpu(), &access);
	else
		gic_dist_access(&demo_cell, &access);
	return access.value;
}

void fake_post(unsigned int cpu, unsigned int sgi, unsigned int source);
void fake_post(unsigned int cpu, unsigned int sgi, unsigned int source)
{
	sgi_post(per_cpu(cpu), sgi, source);
}

u32 fake_pending(unsigned int cpu);
u32 fake_pending(unsigned int cpu)
{
	return per_cpu(cpu)->arch.sgi_pending;
}

void fake_priority(unsigned int cpu, unsigned int sgi, u8 priority);
void fake_priority(unsigned int cpu, unsigned int sgi, u8 priority)
{
	per_cpu(cpu)->arch.sgi_priority[sgi] = priority;
}
