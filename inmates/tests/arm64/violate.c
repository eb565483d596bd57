// SPDX-License-Identifier: GPL-2.0-only
/*
 * One thing that a cell must not get away with, chosen by what=<name>;
 * addr=, value=, size= where it matters.  cpu=1: the cell's second CPU does it,
 * and the first one says ALIVE <n> ten times a second.
 *
 * Output: WHAT <name>, GO; then, if the hypervisor lets the program go on,
 * RESULT survived [<value>] or RESULT exception <class>, DONE violate ok.  Not
 * returning is the point of most of these.
 */
#include "hypercalls.h"

#define GICD_IGROUPR	0x80
#define GICD_ICENABLER	0x180
#define GICD_ICPENDR	0x280
#define GICD_ICACTIVER	0x380
#define GICD_IPRIORITYR	0x400
#define GICD_IROUTER	0x6000
#define GICD_ITARGETSR	0x800

static u64 address, value, result;
static unsigned int size;

static void mem_read(void *arg __maybe_unused)
{
	if (size == 1)
		result = mmio_read8((void *)address);
	else if (size == 2)
		result = mmio_read16((void *)address);
	else if (size == 4)
		result = mmio_read32((void *)address);
	else
		result = mmio_read64((void *)address);
}

static void mem_write(void *arg __maybe_unused)
{
	if (size == 1)
		mmio_write8((void *)address, (u8)value);
	else if (size == 2)
		mmio_write16((void *)address, (u16)value);
	else if (size == 4)
		mmio_write32((void *)address, (u32)value);
	else
		mmio_write64((void *)address, value);
}

/* Two registers and a base that changes: the CPU tells the hypervisor nothing of it. */
static void mem_pair(void *arg __maybe_unused)
{
	u64 one, two, pos = address;

	asm volatile("ldp %0, %1, [%2], #16" : "=&r" (one), "=&r" (two), "+r" (pos) : : "memory");
	result = one;
}

/* What no compiler emits for a device: an atomic addition, here by exclusives */
static void mem_exclusive(void *arg __maybe_unused)
{
	asm volatile("ldxr %w0, [%1]" : "=&r" (result) : "r" (address) : "memory");
}

static void mem_execute(void *arg __maybe_unused)
{
	/* Device memory is not executable: the guest's own tables would end it. */
	map_range(address, 4, MAP_CACHED);
	((void (*)(void))address)();
}

/* Tables of the guest where it has no memory: the walk itself is refused. */
static void page_table(void *arg __maybe_unused)
{
	sysreg_write(ttbr0_el1, address);
	asm volatile("dsb sy\n\ttlbi vmalle1\n\tdsb sy\n\tisb" : : : "memory");
}

static void call_smc(void *arg __maybe_unused)
{
	result = (u64)smc(value, 0, 0, 0);
}

static void call_hvc(void *arg __maybe_unused)
{
	asm volatile("hvc #1" : : : "x0", "x1", "x2", "x3", "memory");
}

/* As x86's: address is another cell's CPU, value the own one. */
static void hypercall_table(void *arg __maybe_unused)
{
	print_hypercalls(value, address);
}

static void actlr(void *arg __maybe_unused)
{
	result = sysreg_read(actlr_el1);
}

static void implementation_defined(void *arg __maybe_unused)
{
	result = sysreg_read(S3_1_C15_C2_0);
}

/* Registers and instructions of EL2 are undefined here. */
static void hcr(void *arg __maybe_unused)
{
	result = sysreg_read(hcr_el2);
}

/* An SPI of this cell to the CPU that value= names (an MPIDR, or a number on GICv2). */
static void route(void *arg __maybe_unused)
{
	char *dist = (char *)comm_region()->arm.gicd_base;

	if (comm_region()->arm.gic_version == 3)
		mmio_write64(dist + GICD_IROUTER + 8 * address, value);
	else
		mmio_write8(dist + GICD_ITARGETSR + address, (u8)(1 << value));
}

/* A thousand of them */
static void call_smc_often(void *arg __maybe_unused)
{
	unsigned int n;

	for (n = 0; n < 1000; n++)
		result = (u64)smc(value, 0, 0, 0);
}

/* All that a cell can do to keep interrupts away, then no way back (bugs.md A10) */
static void __noreturn mask_everything(void *arg __maybe_unused)
{
	char *base;
	unsigned int n;

	gic_init();
	base = gic_private_base();
	mmio_write32(base + GICD_ICENABLER, 0xffffffff);
	mmio_write32(base + GICD_ICPENDR, 0xffffffff);
	mmio_write32(base + GICD_ICACTIVER, 0xffffffff);
	mmio_write32(base + GICD_IGROUPR, 0);
	for (n = 0; n < 32; n += 4)
		mmio_write32(base + GICD_IPRIORITYR + n, 0xffffffff);
	if (gic_version() == 3)
		asm volatile("msr S3_0_C4_C6_0, xzr\n\tmsr S3_0_C12_C12_7, xzr" : : : "memory");
	irq_disable();
	for (;;)
		asm volatile("");
}

/* HPFAR_EL2 holds the distributor's page when the store comes (bugs.md U13). */
static void write_after_gic(void *arg)
{
	mmio_read32((void *)(comm_region()->arm.gicd_base + 4));
	mem_write(arg);
}

/* Cleans and invalidates by set and way: allowed, and harmless to others (bugs.md A46). */
static void set_way(void *arg __maybe_unused)
{
	u64 set;

	for (set = 0; set < 64; set++)
		asm volatile("dc isw, %0" : : "r" (set << 6) : "memory");
}

static void __noreturn wait_for_nothing(void *arg __maybe_unused)
{
	halt();
}

static void __noreturn spin(void *arg __maybe_unused)
{
	for (;;)
		asm volatile("");
}

static void __noreturn set_way_for_ever(void *arg)
{
	for (;;)
		set_way(arg);
}

static const struct {
	const char *name;
	void (*act)(void *arg);
} violations[] = {
	{ "read", mem_read },
	{ "write", mem_write },
	{ "pair", mem_pair },
	{ "exclusive", mem_exclusive },
	{ "page-table", page_table },
	{ "wfi", wait_for_nothing },
	{ "spin", spin },
	{ "execute", mem_execute },
	{ "smc", call_smc },
	{ "hvc", call_hvc },
	{ "hypercall-table", hypercall_table },
	{ "actlr", actlr },
	{ "impdef", implementation_defined },
	{ "hcr", hcr },
	{ "route", route },
	{ "setway", set_way },
	{ "setway-loop", set_way_for_ever },
	{ "smc-storm", call_smc_often },
	{ "mask", mask_everything },
	{ "write-after-gic", write_after_gic },
};

static unsigned int chosen;

static void act(void)
{
	int caught = trap_catch(violations[chosen].act, 0);

	if (caught >= 0)
		printf("RESULT exception 0x%x\n", caught);
	else
		printf("RESULT survived 0x%llx\n", result);
	printf("DONE violate ok\n");
	stop();
}

static void __noreturn watch_other(void)
{
	unsigned int n;
	u64 other;

	if (!smp_other_mpidr(0, &other) || smp_start_cpu(other, act)) {
		printf("DONE violate failed: no second CPU\n");
		comm_set_state(JAILHOUSE_CELL_FAILED);
		halt();
	}
	for (n = 0;; n++) {
		if (n % 100 == 0)
			printf("ALIVE %u\n", n / 100);
		comm_serve();
		delay_us(1000);
	}
}

void inmate_main(void)
{
	char what[16] = "";

	cmdline_find("what", what, sizeof(what));
	address = (u64)cmdline_int("addr", 0x40000000);
	value = (u64)cmdline_int("value", 0);
	size = (unsigned int)cmdline_int("size", 4);
	for (chosen = 0; chosen < ARRAY_SIZE(violations); chosen++)
		if (strcmp(violations[chosen].name, what) == 0)
			break;
	if (chosen == ARRAY_SIZE(violations)) {
		printf("DONE violate failed: what=\"%s\"\n", what);
		comm_set_state(JAILHOUSE_CELL_FAILED);
		halt();
	}
	printf("WHAT %s\nGO\n", what);
	if (cmdline_int("cpu", 0) == 1)
		watch_other();
	act();
}
