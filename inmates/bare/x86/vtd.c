// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor's VT-d code (vmx/vtd*.c) with QEMU's model of the hardware, which
 * nobody here wrote: QEMU's device for teaching ("edu") asks for memory.  It copies
 * between its buffer and an address on the bus, and takes a tenth of a second for it.
 * It also sends an MSI when told.  With irq=1 that is what is looked at.
 */
#include <inmate.h>
#include "vtd_world.h"

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8
#define EDU_RAISE	0x60
#define EDU_ACKNOWLEDGE	0x64
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

#define MSI_VECTOR	0x50
#define PIN_VECTOR	0x60
/* APIC ids are 0 and 1; which of them runs this program is a matter of luck. */
#define OWN_CPU		(0xfee00000U | apic_id() << 12)
#define OTHER_CPU	(OWN_CPU ^ 1 << 12)
/* A message that names an entry (VT-d 5.1.2.2) */
#define ENTRY(index)	(0xfee00010U | (index) << 5)
#define LIMIT		32

/* The second serial port: it wants an interrupt when it has nothing to send. */
#define COM2		0x2f8
#define COM2_PIN	3
#define COM2_IER	(COM2 + 1)
#define  COM2_IDLE	2
#define COM2_IIR	(COM2 + 2)
#define COM2_MCR	(COM2 + 4)
#define  COM2_OUT2	8

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

/* --- Interrupts --------------------------------------------------------------------- */

static volatile unsigned int came, last_vector;

static void note_vector(struct trap_frame *frame)
{
	came++;
	last_vector = frame->vector;
}

static void tell_vectors(const char *what)
{
	irq_enable();
	delay_us(2000);
	irq_disable();
	if (came)
		printf("%s: vector 0x%x%s\n", what, last_vector, came > 1 ? " and more" : "");
	else
		printf("%s: nothing\n", what);
	came = 0;
	tell_faults();
}

static void set_message(u32 address, u32 data)
{
	unsigned int cap = pci_find_cap(edu_bdf, PCI_CAP_MSI);

	pci_write(edu_bdf, cap + 4, address, 4);
	pci_write(edu_bdf, cap + 8, 0, 4);
	pci_write(edu_bdf, cap + 12, data, 2);
	pci_write(edu_bdf, cap + 2, pci_read(edu_bdf, cap + 2, 2) | 1, 2);
}

static void send(const char *what, u32 address, u32 data)
{
	set_message(address, data);
	mmio_write32(edu + EDU_RAISE, 1);
	mmio_write32(edu + EDU_ACKNOWLEDGE, 1);
	tell_vectors(what);
}

/* As the hypervisor gives it to the device. */
static void send_checked(const char *what, unsigned int cell, u32 cpu, u32 vector)
{
	u64 address = cpu;
	u32 data = vector;

	if (world_message(cell, &address, &data))
		send(what, (u32)address, data);
	else
		printf("%s: refused\n", what);
}

static void fire_pin(const char *what)
{
	port_out8(COM2_IER, 0);
	port_in8(COM2_IIR);
	port_out8(COM2_IER, COM2_IDLE);
	tell_vectors(what);
}

static void interrupts_of_root(void)
{
	fire_pin("pin");
	send_checked("message", 0, OWN_CPU, MSI_VECTOR);
	send_checked("another vector", 0, OWN_CPU, MSI_VECTOR + 1);
	send_checked("another cell's CPU", 0, OTHER_CPU, MSI_VECTOR);
	send("an entry of the IOAPIC", ENTRY(COM2_PIN), 0);
	send("an entry of nobody", ENTRY(LIMIT - 1), 0);
	send("no entry", ENTRY(LIMIT), 0);
	send("no entry, but a message", OWN_CPU, MSI_VECTOR + 2);
}

static void interrupts(void)
{
	ioapic_set_pin(COM2_PIN, PIN_VECTOR, 0);
	fire_pin("pin");
	send("message", OWN_CPU, MSI_VECTOR);
	printf("enable: %d\n", world_enable(edu_bdf, LIMIT));
	tell_vectors("what might have been lost");
	interrupts_of_root();
	send_checked("message", 0, OWN_CPU, MSI_VECTOR);
	printf("create: %d\n", world_create(edu_bdf));
	send("the entry of before", ENTRY(24), 0);
	send_checked("the root cell's CPU", 1, OWN_CPU, MSI_VECTOR);
	printf("destroy: %d\n", world_destroy());
	send_checked("message", 0, OWN_CPU, MSI_VECTOR);
	world_disable();
	printf("disable\n");
	tell_vectors("what might have been lost");
	fire_pin("pin");
	send("message", OWN_CPU, MSI_VECTOR);
}

static void interrupts_init(void)
{
	ioapic_init();
	port_out8(COM2_MCR, COM2_OUT2);
	for (unsigned int n = 0; n < 3; n++)
		trap_set_handler(MSI_VECTOR + n, note_vector);
	trap_set_handler(PIN_VECTOR, note_vector);
}

/* --- Memory -------------------------------------------------------------------------- */

static void root_only(void)
{
	printf("enable: %d\n", world_enable(edu_bdf, 0));
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

static void memory(void)
{
	printf("no remapping\n");
	try_write(SOURCE, NO_DMA, NO_DMA);
	root_only();
	with_cell();
	world_disable();
	printf("disable\n");
	try_write(SOURCE, NO_DMA, NO_DMA);
	printf("enable without the device: %d\n", world_enable(0, 0));
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
	interrupts_init();
	if (cmdline_flag("xapic", false))
		world_use_xapic();
	world_run(cmdline_flag("irq", false) ? interrupts : memory, apic_id(), !apic_id());
	printf("END\n");
	halt();
}
