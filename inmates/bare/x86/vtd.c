// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor's VT-d code (vmx/vtd*.c) with QEMU's model of the hardware, which
 * nobody here wrote: QEMU's device for teaching ("edu") asks for memory.  It copies
 * between its buffer and an address on the bus, and takes a tenth of a second for it.
 */
#include <inmate.h>
#include "vtd_world.h"

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8
#define EDU_SOURCE	0x80
#define EDU_TARGET	0x88
#define EDU_COUNT	0x90
#define EDU_COMMAND	0x98
#define  EDU_START	1
#define  EDU_TO_MEMORY	2
#define EDU_BUFFER	0x40000

#define SIZE		64
/* A page that the device always may read, and what it then has. */
#define SOURCE		(PLAIN + 0x10000)
/* A page that it always may write */
#define MIRROR		(PLAIN + 0x20000)

static u8 *edu;
static u16 edu_bdf;
static volatile unsigned int nmis;
static u32 last_token;

static void count_nmi(struct trap_frame *frame __maybe_unused)
{
	nmis++;
}

static void edu_copy(u64 from, u64 to, u64 command)
{
	mmio_write64(edu + EDU_SOURCE, from);
	mmio_write64(edu + EDU_TARGET, to);
	mmio_write64(edu + EDU_COUNT, SIZE);
	mmio_write64(edu + EDU_COMMAND, EDU_START | command);
	while (mmio_read64(edu + EDU_COMMAND) & EDU_START)
		cpu_relax();
}

static void fill(u64 address, u32 token)
{
	for (unsigned int n = 0; n < SIZE / 4; n++)
		((volatile u32 *)address)[n] = token + n;
}

static bool holds(u64 address, u32 token)
{
	for (unsigned int n = 0; n < SIZE / 4; n++)
		if (((volatile u32 *)address)[n] != token + n)
			return false;
	return true;
}

static void tell_faults(void)
{
	if (nmis)
		printf("%u NMI\n", nmis);
	nmis = 0;
	world_report_faults();
}

/* The device gets something new into its buffer: nobody may know of that address. */
static void load(u64 address, u64 ram)
{
	last_token += 0x1000;
	fill(ram, last_token);
	edu_copy(address, EDU_BUFFER, 0);
}

/* Writes at an address on the bus, which is `ram` if it is anything. */
static void try_write(u64 source, u64 address, u64 ram)
{
	load(source, source == SEEN ? TAKEN : source);
	fill(ram, 0);
	edu_copy(EDU_BUFFER, address, EDU_TO_MEMORY);
	printf("write 0x%llx: %s 0x%llx\n", address,
	       holds(ram, last_token) ? "reaches" : holds(ram, 0) ? "leaves" : "spoils", ram);
	tell_faults();
}

static void try_read(u64 address, u64 ram, u64 mirror, u64 mirror_ram)
{
	load(address, ram);
	edu_copy(EDU_BUFFER, mirror, EDU_TO_MEMORY);
	printf("read 0x%llx: %s 0x%llx\n", address,
	       holds(mirror_ram, last_token) ? "gets" : "does not get", ram);
	tell_faults();
}

static void root_only(void)
{
	printf("enable: %d\n", world_enable(edu_bdf));
	try_write(SOURCE, PLAIN, PLAIN);
	try_write(SOURCE, READ_ONLY, READ_ONLY);
	try_read(READ_ONLY, READ_ONLY, MIRROR, MIRROR);
	try_write(SOURCE, NO_DMA, NO_DMA);
	try_read(NO_DMA, NO_DMA, MIRROR, MIRROR);
	try_write(SOURCE, TAKEN, TAKEN);
}

static void with_cell(void)
{
	unsigned long pages = world_pages();

	printf("create: %d\n", world_create(edu_bdf));
	try_write(SEEN, SEEN + 0x1000, TAKEN + 0x1000);
	try_write(SEEN, TAKEN, TAKEN + 0x2000);
	try_read(PLAIN, PLAIN, SEEN, TAKEN);
	printf("destroy: %d\n", world_destroy());
	printf("%lu pages more\n", world_pages() - pages);
	try_write(SOURCE, SEEN, TAKEN);
	try_write(SOURCE, TAKEN, TAKEN);
}

static void program(void)
{
	printf("no remapping\n");
	try_write(SOURCE, NO_DMA, NO_DMA);
	root_only();
	with_cell();
	world_disable();
	printf("disable\n");
	try_write(SOURCE, NO_DMA, NO_DMA);
	printf("enable without the device: %d\n", world_enable(0));
	try_read(PLAIN, PLAIN, MIRROR, MIRROR);
	world_disable();
}

void inmate_main(void)
{
	int bdf = pci_find_device(EDU_VENDOR, EDU_DEVICE, 0);

	if (bdf < 0) {
		printf("no device\n");
		halt();
	}
	edu_bdf = (u16)bdf;
	edu = (u8 *)pci_bar(edu_bdf, 0);
	map_range((unsigned long)edu, MIB, MAP_UNCACHED);
	map_range(UNIT_BASE, UNIT_SIZE, MAP_UNCACHED);
	map_range(POOL, END_OF_RAM - POOL, MAP_CACHED);
	pci_write(edu_bdf, PCI_CFG_COMMAND, PCI_CMD_MEMORY | PCI_CMD_MASTER, 2);
	trap_set_handler(VECTOR_NMI, count_nmi);
	apic_init();
	world_run(program);
	printf("END\n");
	halt();
}
