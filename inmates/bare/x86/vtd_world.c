// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the hypervisor's VT-d code needs around it, on a machine without VMX: a root
 * cell and another one, a page pool, an identity map.  Hardware is the real one.
 */
#include <stdarg.h>
#include <core/cell.h>
#include <core/cpu.h>
#include <core/mmio.h>
#include <core/page_pool.h>
#include <core/pci_device.h>
#include <core/percpu.h>
#include <core/printk.h>
#include <core/unit.h>
#include <arch/apic.h>
#include <arch/apic_hw.h>
#include <arch/cpu.h>
#include <arch/ioapic.h>
#include <arch/pci.h>
#include <arch/vcpu.h>
#include "../../../hypervisor/arch/x86/vmx/vtd.h"
#include "vtd_world.h"

#define POOL_PAGES	256
#define IOAPIC		0xfec00000
#define IOAPIC_ID	0xff00	/* requester id in QEMU's q35 */
#define X2APIC_ICR	0x830
#define RAM		(JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE)

/* --- Surroundings ------------------------------------------------------------------ */

static struct jailhouse_system system_storage = {
	.platform_info.iommu_units = {
		{
			.type = JAILHOUSE_IOMMU_INTEL,
			.base = UNIT_BASE,
			.size = UNIT_SIZE,
		},
	},
};
struct jailhouse_system *system_config = &system_storage;
struct cell root_cell;
static struct cell other_cell;

static u8 cpu_area[PERCPU_SIZE] __aligned(PERCPU_SIZE);
static unsigned long pool_bitmap[POOL_PAGES / BITS_PER_LONG];

struct per_cpu *per_cpu(unsigned int cpu)
{
	(void)cpu;
	return (struct per_cpu *)cpu_area;
}

int cell_next_cpu(const struct cell *cell, int after)
{
	return cell == &root_cell && after < 0 ? 0 : -1;
}

hpa_t virt_to_hpa(const void *virt)
{
	return hpa((unsigned long)virt);
}

void *hpa_to_virt(hpa_t phys)
{
	return (void *)phys.raw;
}

/* The program has mapped it, uncached. */
void *hv_map(hpa_t phys, u64 size, unsigned int attrs)
{
	(void)size;
	(void)attrs;
	return (void *)phys.raw;
}

void hv_unmap(void *virt, u64 size)
{
	(void)virt;
	(void)size;
}

bool guest_line_allowed(void)
{
	return true;
}

bool cell_owns_cpu(const struct cell *cell, unsigned int cpu)
{
	return cpu == (cell == &root_cell ? 0 : 1);
}

bool using_x2apic = true;
u16 cpu_of_apic_id[MAX_APIC_ID + 1];
bool pci_handed_over;

void apic_hw_send(u32 icr_lo, u32 dest)
{
	msr_write(X2APIC_ICR, (u64)dest << 32 | icr_lo);
}

/* No guest, nobody to trap. */
void mmio_region_register(struct cell *cell, gpa_t start, u64 size, mmio_handler handler, void *arg)
{
	(void)cell;
	(void)start;
	(void)size;
	(void)handler;
	(void)arg;
}

/* Linux uses nothing here. */
void *cell_map_temp(const struct cell *cell, gpa_t addr, unsigned int pages, unsigned int attrs)
{
	(void)cell;
	(void)addr;
	(void)pages;
	(void)attrs;
	return NULL;
}

void mmio_region_unregister(struct cell *cell, gpa_t start)
{
	(void)cell;
	(void)start;
}

void *cell_block_take(struct cell *cell, u64 bytes)
{
	(void)cell;
	(void)bytes;
	return NULL;
}

void console_puts(const char *text);
int vsnprintf(char *buf, unsigned long size, const char *fmt, va_list args);

static void say(const char *fmt, va_list args)
{
	char text[200];

	vsnprintf(text, sizeof(text), fmt, args);
	console_puts(text);
}

void printk(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
}

void panic_printk(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
}

void __noreturn arch_panic_stop(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

/* --- Cells ---------------------------------------------------------------------------- */

struct world_config {
	struct jailhouse_cell_desc desc;
	struct jailhouse_memory mem[4];
	struct jailhouse_irqchip chip[1];
	struct jailhouse_pci_device pci[1];
} __packed;

#define DESC(number)							\
	{								\
		.name = "world",					\
		.id = (number),						\
		.num_memory_regions = 4,				\
		.num_irqchips = 1,					\
		.num_pci_devices = 1,					\
	}
#define REGION(physical, virtual, access)				\
	{								\
		.phys_start = (physical),				\
		.virt_start = (virtual),				\
		.size = 2 * MIB,					\
		.flags = (access),					\
	}

static struct world_config root_config = {
	.desc = DESC(0),
	.mem = {
		REGION(PLAIN, PLAIN, RAM | JAILHOUSE_MEM_DMA),
		REGION(READ_ONLY, READ_ONLY, JAILHOUSE_MEM_READ | JAILHOUSE_MEM_DMA),
		REGION(NO_DMA, NO_DMA, RAM),
		REGION(TAKEN, TAKEN, RAM | JAILHOUSE_MEM_DMA),
	},
	.chip = {
		{ .address = IOAPIC, .id = IOAPIC_ID, .pin_bitmap = { 0xffffff } },
	},
};
static struct world_config other_config = {
	.desc = DESC(1),
	.mem = { REGION(TAKEN, SEEN, RAM | JAILHOUSE_MEM_DMA) },
	.chip = { { .address = IOAPIC, .id = IOAPIC_ID } },
};

static void set_device(struct world_config *config, u16 bdf)
{
	config->pci[0].type = JAILHOUSE_PCI_TYPE_DEVICE;
	config->pci[0].bdf = bdf;
	config->pci[0].num_msi_vectors = 1;
}

int world_enable(u16 bdf, unsigned int interrupt_limit)
{
	int err;

	mem_pool = (struct page_pool){
		.base = (void *)POOL, .pages = POOL_PAGES, .bitmap = pool_bitmap, .zero = true,
	};
	__builtin_memset(pool_bitmap, 0, sizeof(pool_bitmap));
	__builtin_memset(mem_pool.base, 0, POOL_PAGES * PAGE_SIZE);
	root_cell = (struct cell){ .config = &root_config.desc };
	set_device(&root_config, bdf);
	system_config->platform_info.x86.vtd_interrupt_limit = interrupt_limit;
	err = vtd_unit.init();
	if (!err)
		err = vtd_unit.cell_init(&root_cell);
	if (!err)
		err = ioapic_unit.cell_init(&root_cell);
	for (unsigned int n = 0; !err && n < ARRAY_SIZE(root_config.mem); n++)
		err = vtd_unit.map_region(&root_cell, &root_config.mem[n]);
	if (!err)
		vtd_unit.config_commit(NULL);
	return err;
}

/* As core/cell_manage.c does. */
int world_create(u16 bdf)
{
	int err;

	other_cell = (struct cell){ .config = &other_config.desc };
	set_device(&other_config, bdf);
	err = vtd_unit.cell_init(&other_cell);
	if (!err)
		err = vtd_unit.unmap_region(&root_cell, &root_config.mem[3]);
	if (!err)
		err = vtd_unit.map_region(&other_cell, &other_config.mem[0]);
	if (!err)
		vtd_unit.config_commit(&other_cell);
	return err;
}

int world_destroy(void)
{
	int err = vtd_unit.unmap_region(&other_cell, &other_config.mem[0]);

	if (!err)
		err = vtd_unit.map_region(&root_cell, &root_config.mem[3]);
	vtd_unit.cell_exit(&other_cell);
	if (!err)
		vtd_unit.config_commit(&other_cell);
	return err;
}

void world_disable(void)
{
	ioapic_unit.shutdown();
	vtd_unit.shutdown();
	/* A hypervisor ends here; this one begins again with the same variables. */
	ioapic_unit.cell_exit(&root_cell);
}

void world_report_faults(void)
{
	vtd_report_faults();
}

bool world_message(unsigned int cell, u64 *address, u32 *data)
{
	const struct pci_device device = {
		.info = cell ? other_config.pci : root_config.pci,
		.cell = cell ? &other_cell : &root_cell,
	};
	bool disabled;

	return arch_msi_validate(&device, 0, address, data, &disabled) && !disabled;
}

void world_use_xapic(void)
{
	using_x2apic = false;
}

unsigned long world_pages(void)
{
	return mem_pool.used;
}

/* The per-CPU area is found by the stack pointer; cpu_id is 0. */
void world_run(void (*fn)(void), u32 apic_id, u32 other_apic_id)
{
	per_cpu(0)->arch.apic_id = apic_id;
	cpu_of_apic_id[apic_id] = 1;
	cpu_of_apic_id[other_apic_id] = 2;
	asm volatile("mov %%rsp, %%rbx; mov %0, %%rsp; call *%1; mov %%rbx, %%rsp"
		     : : "r" (cpu_area + sizeof(cpu_area)), "r" (fn)
		     : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
		       "cc", "memory");
}
