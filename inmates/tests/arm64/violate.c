// SPDX-License-Identifier: GPL-2.0-only
/*
 * One thing that a cell must not get away with, chosen by what=<name>;
 * addr=, value= where it matters.
 *
 * Output: WHAT <name>, GO; then, if the hypervisor lets the program go on,
 * RESULT survived [<value>] or RESULT exception <class>, DONE violate ok.  Not
 * returning is the point of most of these.
 */
#include <inmate.h>

#define GICD_IROUTER	0x6000
#define GICD_ITARGETSR	0x800

static u64 address, value, result;

static void mem_read(void *arg __maybe_unused)
{
	result = mmio_read32((void *)address);
}

static void mem_write(void *arg __maybe_unused)
{
	mmio_write32((void *)address, (u32)value);
}

static void mem_execute(void *arg __maybe_unused)
{
	((void (*)(void))address)();
}

static void call_smc(void *arg __maybe_unused)
{
	result = (u64)smc(value, 0, 0, 0);
}

static void call_hvc(void *arg __maybe_unused)
{
	asm volatile("hvc #1" : : : "x0", "x1", "x2", "x3", "memory");
}

static void actlr(void *arg __maybe_unused)
{
	result = sysreg_read(actlr_el1);
}

static void implementation_defined(void *arg __maybe_unused)
{
	result = sysreg_read(S3_1_C15_C2_0);
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

/* Cleans and invalidates by set and way: allowed, and harmless to others (bugs.md A46). */
static void set_way(void *arg __maybe_unused)
{
	u64 set;

	for (set = 0; set < 64; set++)
		asm volatile("dc isw, %0" : : "r" (set << 6) : "memory");
}

static const struct {
	const char *name;
	void (*act)(void *arg);
} violations[] = {
	{ "read", mem_read },
	{ "write", mem_write },
	{ "execute", mem_execute },
	{ "smc", call_smc },
	{ "hvc", call_hvc },
	{ "actlr", actlr },
	{ "impdef", implementation_defined },
	{ "route", route },
	{ "setway", set_way },
};

void inmate_main(void)
{
	char what[16] = "";
	unsigned int n;
	int caught;

	cmdline_find("what", what, sizeof(what));
	address = (u64)cmdline_int("addr", 0x40000000);
	value = (u64)cmdline_int("value", 0);
	for (n = 0; n < ARRAY_SIZE(violations); n++)
		if (strcmp(violations[n].name, what) == 0)
			break;
	if (n == ARRAY_SIZE(violations)) {
		printf("DONE violate failed: what=\"%s\"\n", what);
		comm_set_state(JAILHOUSE_CELL_FAILED);
		halt();
	}
	printf("WHAT %s\nGO\n", what);
	caught = trap_catch(violations[n].act, 0);
	if (caught >= 0)
		printf("RESULT exception 0x%x\n", caught);
	else
		printf("RESULT survived 0x%llx\n", result);
	printf("DONE violate ok\n");
	stop();
}
