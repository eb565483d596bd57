// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest on CPU 2 of a cell with CPUs 2 and 3, for psci.c, smccc.c and
 * mmio_exit.c: firmware that answers what the test says, memory that notes.
 */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/mmio.h>
#include <core/paging.h>
#include <core/percpu.h>
#include <arch/cpu.h>
#include <arch/exits.h>
#include <arch/firmware.h>
#include <arch/irqchip.h>
#include <arch/sysregs.h>

#define CPUS	4

struct cell root_cell;
static struct jailhouse_cell_desc demo_desc = { .name = "demo" };
static unsigned long demo_cpus = 0xc;
static struct cell demo_cell = { .config = &demo_desc, .cpus = &demo_cpus };
static u64 now;
struct gic gic;
struct guest_regs fake_regs;
u32 fake_kicks, fake_waits, fake_firmware_calls, fake_events;
long (*fake_firmware)(u32 function, u64 arg);
u64 fake_lr_empty = 0xf;

static u64 lr_empty(void)
{
	return fake_lr_empty;
}

struct mmio_access fake_dist_access;

static enum mmio_result dist_access(void *cell, struct mmio_access *access)
{
	fake_dist_access = *access;
	access->value = cell == this_cpu()->cell ? 0x5a : 0;
	return MMIO_HANDLED;
}

const struct gic_ops gicv3_ops = {
	.lr_empty = lr_empty, .dist_size = 0x10000, .dist_access = dist_access,
};
const struct gic_ops gicv2_ops;

int cell_next_cpu(const struct cell *cell, int after)
{
	for (int cpu = after + 1; cpu < CPUS; cpu++)
		if (cell->cpus[0] >> cpu & 1)
			return cpu;
	return -1;
}

u64 arch_ticks(void) { return ++now; }
u64 ticks_from_now(u64 ms) { return now + ms; }
void arch_cpu_kick(struct per_cpu *cpu) { fake_kicks |= 1U << cpu->cpu_id; }
void irqchip_cpu_reset(struct per_cpu *cpu) { (void)cpu; }
void guest_reset(struct guest_regs *regs, u64 entry, u64 context) { (void)regs; (void)entry; (void)context; }
void arm_handle_events(void) { fake_events++; }
bool guest_line_allowed(void) { return true; }

void guest_advance_it(void) { }

long firmware_call(u32 function, u64 arg)
{
	fake_firmware_calls++;
	return fake_firmware ? fake_firmware(function, arg) : -1;
}

void fake_world_init(void);
void fake_world_init(void)
{
	gic.ops = &gicv3_ops;
	gic.num_lrs = 4;
	gic.dist_phys = 0x08000000;
	for (unsigned int n = 0; n < CPUS; n++) {
		per_cpu(n)->cpu_id = n;
		per_cpu(n)->cell = n < 2 ? &root_cell : &demo_cell;
		per_cpu(n)->arch.mpidr = n < 2 ? n : 0x100 + n;
		per_cpu(n)->arch.power = CPU_POWER_ON;
	}
}

void fake_power(unsigned int cpu, unsigned int power, bool parking);
void fake_power(unsigned int cpu, unsigned int power, bool parking)
{
	per_cpu(cpu)->arch.power = power;
	per_cpu(cpu)->park_pending = parking;
}

u64 fake_start(unsigned int cpu, bool context);
u64 fake_start(unsigned int cpu, bool context)
{
	if (per_cpu(cpu)->arch.power != CPU_POWER_STARTING)
		return ~0ULL;
	return context ? per_cpu(cpu)->arch.start_context : per_cpu(cpu)->arch.start_entry;
}

u32 fake_stat(unsigned int stat);
u32 fake_stat(unsigned int stat)
{
	return this_cpu()->stats[stat];
}

bool fake_smc(void);
bool fake_smc(void)
{
	return handle_smc(&fake_regs);
}

/* --- Data aborts --- */

struct mmio_access fake_accesses[2];
u32 fake_num_accesses;
u64 fake_value;
enum mmio_result fake_result = MMIO_HANDLED;
u32 fake_code[1024];

enum mmio_result mmio_dispatch(struct mmio_access *access)
{
	if (!access->is_write)
		access->value = fake_value + fake_num_accesses;
	fake_accesses[fake_num_accesses++ & 1] = *access;
	return fake_result;
}

void *cell_map_temp(const struct cell *cell, gpa_t addr, unsigned int pages, unsigned int attrs)
{
	(void)cell;
	(void)pages;
	(void)attrs;
	return (char *)fake_code + (addr.raw & PAGE_OFFS_MASK);
}

bool fake_abort(u64 esr, u64 far, u64 ipa);
bool fake_abort(u64 esr, u64 far, u64 ipa)
{
	sysreg_write(esr_el2, esr);
	sysreg_write(far_el2, far);
	sysreg_write(hpfar_el2, ipa >> 8 & ~0xfULL);
	return handle_data_abort(&fake_regs, esr);
}
