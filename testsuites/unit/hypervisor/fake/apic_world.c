// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine for the code around local APIC, MSRs, CPUID and instruction fetch:
 * eight CPUs in two cells (root cell and one more), one local APIC that logs
 * what is written to it, a control block in variables, 1 MiB of guest memory.
 */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/paging.h>
#include <arch/apic.h>
#include <arch/apic_hw.h>
#include <arch/apic_regs.h>
#include <arch/cpu.h>
#include <arch/ipi.h>
#include <arch/msr.h>
#include <arch/registers.h>
#include <arch/vcpu.h>
#include "../../../../hypervisor/arch/x86/svm/svm.h"

#define CPUS		8
#define MEMORY		0x100000ULL

struct world_write { u64 where, value; };
struct world_write world_log[64];
unsigned int world_log_count;
u64 world_apic[0x40];		/* register file of the physical APIC, whatever its mode */
u64 world_apic_base = XAPIC_BASE | APIC_BASE_EN;
struct vcpu_state world_state = { .cr4 = 0, .efer = EFER_LMA | EFER_LME | EFER_SVME };
struct insn world_insn;
u64 world_pat, world_efer, world_xcr0;
int world_skipped, world_exception = -1, world_accepted;
unsigned int world_cpuid_leaf;
struct { u32 eax, ebx, ecx, edx; } world_cpuid_answer;
u8 world_memory[MEMORY] __aligned(4096);
u64 world_ticks;

static struct per_cpu areas[CPUS];
_Thread_local void *fake_this_cpu = &areas[0];
struct cell root_cell;
static struct cell other_cell;
static struct jailhouse_cell_desc root_desc = { .name = "root" }, other_desc = { .name = "cell" };
static struct jailhouse_system system_storage;
struct jailhouse_system *system_config = &system_storage;
static u32 cell_mask[2];
static u8 xapic[4096] __aligned(4096);

struct per_cpu *per_cpu(unsigned int cpu) { return &areas[cpu]; }

bool cell_owns_cpu(const struct cell *cell, unsigned int cpu)
{
	return cpu < CPUS && (cell_mask[cell != &root_cell] >> cpu & 1);
}

int cell_next_cpu(const struct cell *cell, int after)
{
	for (int cpu = after + 1; cpu < CPUS; cpu++)
		if (cell_owns_cpu(cell, (unsigned int)cpu))
			return cpu;
	return -1;
}

u64 arch_ticks(void) { return world_ticks; }
u64 ticks_from_now(u64 ms) { return world_ticks + ms * 1000; }
bool guest_line_allowed(void) { return true; }

/* --- Hardware --- */

static void record(u64 where, u64 value)
{
	if (world_log_count < ARRAY_SIZE(world_log))
		world_log[world_log_count++] = (struct world_write){ where, value };
}

u64 msr_read(u32 msr)
{
	if (msr == MSR_APIC_BASE)
		return world_apic_base;
	return world_apic[msr - MSR_X2APIC_BASE];
}

void msr_write(u32 msr, u64 value)
{
	record(msr, value);
	if (msr - MSR_X2APIC_BASE < ARRAY_SIZE(world_apic))
		world_apic[msr - MSR_X2APIC_BASE] = value;
}

bool msr_read_safe(u32 msr, u64 *value)
{
	*value = 0x1111;
	return msr != 0x4b564dff;
}

bool msr_write_safe(u32 msr, u64 value)
{
	if (msr == 0x4b564dff)
		return false;
	record(msr, value);
	return true;
}

bool xsetbv_safe(u32 index, u32 lo, u32 hi);
bool xsetbv_safe(u32 index, u32 lo, u32 hi)
{
	(void)index;
	(void)hi;
	world_xcr0 = lo;
	return !(lo & 4) || (lo & 2);	/* AVX needs SSE */
}

struct cpuid cpuid(u32 leaf, u32 sub)
{
	(void)sub;
	world_cpuid_leaf = leaf;
	return (struct cpuid){ world_cpuid_answer.eax, world_cpuid_answer.ebx,
			       world_cpuid_answer.ecx, world_cpuid_answer.edx };
}

static u64 page_read(const void *address, unsigned int size)
{
	(void)size;
	return (u32)world_apic[((const u8 *)address - xapic) >> 4];
}

static void page_write(void *address, unsigned int size, u64 value)
{
	(void)size;
	record((u64)((u8 *)address - xapic), value);
	world_apic[((u8 *)address - xapic) >> 4] = value;
}

extern u64 (*fake_mmio_read)(const void *address, unsigned int size);
extern void (*fake_mmio_write)(void *address, unsigned int size, u64 value);

void *hv_map(hpa_t phys, u64 size, unsigned int attrs)
{
	(void)phys;
	(void)size;
	(void)attrs;
	return xapic;
}

void hv_unmap(void *virt, u64 size) { (void)virt; (void)size; }

/* --- The running guest --- */

void vcpu_get_state(struct vcpu_state *state) { *state = world_state; }
void vcpu_skip_instruction(unsigned int length) { world_skipped += (int)length; }
void vcpu_set_pat(u64 pat) { world_pat = pat; }
bool vcpu_set_efer(u64 efer) { world_efer = efer; return !(efer & (1ULL << 63)); }
void vcpu_accept_interrupts(void)
{
	world_accepted++;
	for (unsigned int n = 0; n < 8; n++)
		world_apic[APIC_REG_IRR0 + n] = 0;
}

void vcpu_inject_exception(unsigned int vector, bool has_error, u32 error)
{
	(void)has_error;
	(void)error;
	world_exception = (int)vector;
}

bool vcpu_decode(struct insn *insn) { *insn = world_insn; return insn->length != 0; }
u64 vcpu_operand(const struct guest_regs *regs, const struct insn *insn)
{
	(void)regs;
	return insn->immediate;
}
unsigned int vcpu_fetched_bytes(u8 bytes[INSN_MAX_LENGTH]) { (void)bytes; return 0; }
enum insn_mode vcpu_insn_mode(const struct vcpu_state *state)
{
	if ((state->efer & EFER_LMA) && (state->cs_attr & 0x200))
		return INSN_64;
	return state->cs_attr & 0x400 ? INSN_32 : INSN_16;
}

u64 page_table_generation;
int world_peeks(void);
static int peeks;
int world_peeks(void) { return peeks; }
void world_other_tables(bool other);
void world_other_tables(bool other)
{
	static u64 root;

	other_cell.stage2.root = other ? &root : NULL;
}

const void *cell_peek(unsigned int slot, gpa_t addr)
{
	(void)slot;
	peeks++;
	return addr.raw < MEMORY ? world_memory + addr.raw : NULL;
}

/* --- For the test --- */

unsigned int world_apic_to_cpu(u32 apic_id);
unsigned int world_apic_to_cpu(u32 apic_id) { return apic_to_cpu(apic_id); }

/* CPUs' APIC ids; mask of the non-root cell's CPUs. */
int world_init(bool x2apic, const u32 *ids, u32 cell_cpus);
int world_init(bool x2apic, const u32 *ids, u32 cell_cpus)
{
	int err;

	fake_mmio_read = page_read;
	fake_mmio_write = page_write;
	world_apic[APIC_REG_VERSION] = 0x50014;
	if (x2apic)
		world_apic_base |= APIC_BASE_EXTD;
	root_cell.config = &root_desc;
	other_cell.config = &other_desc;
	cell_mask[1] = cell_cpus;
	cell_mask[0] = 0xff & ~cell_cpus;
	err = apic_init();
	for (unsigned int n = 0; n < CPUS && !err; n++) {
		areas[n].cpu_id = n;
		areas[n].cell = cell_mask[1] >> n & 1 ? &other_cell : &root_cell;
		world_apic[APIC_REG_ID] = x2apic ? ids[n] : (u64)ids[n] << 24;
		err = apic_cpu_init(&areas[n]);
	}
	apic_update_logical_mask(&root_cell);
	apic_update_logical_mask(&other_cell);
	return err;
}

void world_become(unsigned int cpu);
void world_become(unsigned int cpu)
{
	fake_this_cpu = &areas[cpu];
	world_apic[APIC_REG_ID] = using_x2apic ? areas[cpu].arch.apic_id :
		(u64)areas[cpu].arch.apic_id << 24;
}

void world_set_failed(unsigned int cpu, bool failed);
void world_set_failed(unsigned int cpu, bool failed)
{
	areas[cpu].failed = failed;
}

/* -1: nothing, -2: INIT, else the vector of a SIPI */
int world_next_event(unsigned int cpu);
int world_next_event(unsigned int cpu)
{
	unsigned int vector = 0;

	switch (ipi_next_event(&areas[cpu], &vector)) {
	case IPI_EVENT_INIT:
		return -2;
	case IPI_EVENT_SIPI:
		return (int)vector;
	default:
		return -1;
	}
}

u32 world_stat(unsigned int cpu, unsigned int n);
u32 world_stat(unsigned int cpu, unsigned int n)
{
	return areas[cpu].stats[n];
}

void world_set_apic_mode(u8 mode);
void world_set_apic_mode(u8 mode)
{
	system_storage.platform_info.x86.apic_mode = mode;
}
