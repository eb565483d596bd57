// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine for the device code: four cells (0 is the root cell), eight CPUs
 * with APIC id = CPU, PCI functions on bus 0, one IOAPIC, MSI-X tables.  What
 * reaches the hardware is logged.
 */
#include <stdlib.h>
#include <core/mmio.h>
#include <core/page_pool.h>
#include <core/paging.h>
#include <core/pci.h>
#include <core/percpu.h>
#include <arch/apic.h>
#include <arch/apic_hw.h>
#include <arch/io.h>
#include <arch/ioapic.h>
#include <arch/pio.h>
#include <arch/vcpu.h>

#define NUM_CELLS	4
#define NUM_FUNCTIONS	256	/* bus 0 */
#define MMCONFIG_BASE	0xb0000000ULL
#define IOAPIC_BASE	0xfec00000ULL
#define NUM_PINS	24
#define REMOTE_IRR	0x4000
#define LEVEL		0x8000

struct cell root_cell;
static struct cell other_cells[NUM_CELLS - 1];
static u32 cell_cpus[NUM_CELLS];
static struct jailhouse_system system_storage;
struct jailhouse_system *system_config = &system_storage;
bool using_x2apic;

u8 world_config_space[NUM_FUNCTIONS][4096];
u64 world_pins[NUM_PINS];
u32 world_msix_table[1024];
int world_pages, world_mappings;	/* in use */
int world_page_limit = 1000;

struct world_write { u64 where; u32 size, value; };
struct world_write world_log[512];
unsigned int world_log_count;
struct { u32 icr, destination; } world_sent[16];
unsigned int world_sent_count, world_skipped;

static u32 ioapic_index;
static u8 mmconfig[1 << 20], ioapic_page[4096];
static u32 port_address;

#ifdef WORLD_VTD
extern const struct unit vtd_unit;
const struct unit *const units[] = { &vtd_unit, &ioapic_unit, &pci_unit, NULL };
#else
const struct unit *const units[] = { &ioapic_unit, &pci_unit, NULL };
#endif

/* In front of these two, in a world that has one; and where its registers are. */
const struct unit *world_iommu;
void *(*world_map_unit)(u64 phys);
bool (*world_is_unit)(const void *address);
u64 (*world_unit_read)(const void *address, unsigned int size);
void (*world_unit_write)(void *address, unsigned int size, u64 value);

static struct cell *cell_number(unsigned int n)
{
	return n ? &other_cells[n - 1] : &root_cell;
}

static unsigned int number_of(const struct cell *cell)
{
	return cell == &root_cell ? 0 : (unsigned int)(cell - other_cells) + 1;
}

static void record(u64 where, u32 size, u32 value)
{
	if (world_log_count < ARRAY_SIZE(world_log))
		world_log[world_log_count++] = (struct world_write){ where, size, value };
}

/* --- What the code under test asks of the rest of the hypervisor --- */

bool cell_owns_cpu(const struct cell *cell, unsigned int cpu)
{
	return cpu < 8 && (cell_cpus[number_of(cell)] >> cpu & 1);
}

void *cell_block_take(struct cell *cell, u64 bytes)
{
	(void)cell;
	(void)bytes;
	return NULL;
}

u16 cpu_of_apic_id[MAX_APIC_ID + 1] = { 1, 2, 3, 4, 5, 6, 7, 8 };

void apic_hw_send(u32 icr_lo, u32 destination)
{
	if (world_sent_count < ARRAY_SIZE(world_sent)) {
		world_sent[world_sent_count].icr = icr_lo;
		world_sent[world_sent_count++].destination = destination;
	}
}

void vcpu_skip_instruction(unsigned int length)
{
	world_skipped += length;
}

struct page_pool mem_pool, remap_pool;

void *page_alloc(struct page_pool *pool, unsigned int num)
{
	(void)pool;
	if (world_pages + (int)num > world_page_limit)
		return NULL;
	world_pages += (int)num;
	return __builtin_memset(aligned_alloc(4096, num * 4096), 0, num * 4096);
}

void page_free(struct page_pool *pool, void *first, unsigned int num)
{
	(void)pool;
	if (first)
		world_pages -= num;
	free(first);
}

void *hv_map(hpa_t phys, u64 size, unsigned int attrs)
{
	(void)size;
	(void)attrs;
	world_mappings++;
	if (world_map_unit && world_map_unit(phys.raw))
		return world_map_unit(phys.raw);
	if (phys.raw == MMCONFIG_BASE)
		return mmconfig;
	if (phys.raw == IOAPIC_BASE)
		return ioapic_page;
	return world_msix_table;
}

void hv_unmap(void *virt, u64 size)
{
	(void)virt;
	(void)size;
	world_mappings--;
}

/* --- Hardware --- */

static u32 config_read(u32 where, u32 size)
{
	u32 value = ~0U;

	if (where < sizeof(world_config_space))
		__builtin_memcpy(&value, &world_config_space[0][0] + where, size);
	return size == 4 ? value : value & ((1U << 8 * size) - 1);
}

static void config_write(u32 where, u32 size, u32 value)
{
	record(where, size, value);
	if (where < sizeof(world_config_space))
		__builtin_memcpy(&world_config_space[0][0] + where, &value, size);
}

static void pin_write(unsigned int index, u32 value)
{
	u64 *entry = &world_pins[(index - 0x10) / 2];

	record(1ULL << 32 | index, 4, value);
	if (index & 1) {
		*entry = (u32)*entry | (u64)value << 32;
		return;
	}
	*entry = (*entry & (~0xffffffffULL | REMOTE_IRR)) | (value & ~0x5000U);
	if (!(value & LEVEL))
		*entry &= ~(u64)REMOTE_IRR;
}

static u64 hw_read(const void *address, unsigned int size)
{
	const u8 *a = address;
	u64 value = 0;

	if (world_is_unit && world_is_unit(address))
		return world_unit_read(address, size);
	if (a >= mmconfig && a < mmconfig + sizeof(mmconfig))
		return config_read(a - mmconfig, size);
	if (a == ioapic_page)
		return ioapic_index;
	if (a == ioapic_page + 0x10) {
		if (ioapic_index >= 0x10 && ioapic_index < 0x10 + 2 * NUM_PINS)
			return (u32)(world_pins[(ioapic_index - 0x10) / 2] >>
				     (ioapic_index & 1 ? 32 : 0));
		return ioapic_index == 1 ? 0x20 | (NUM_PINS - 1) << 16 : 0;
	}
	__builtin_memcpy(&value, address, size);
	return value;
}

static void hw_write(void *address, unsigned int size, u64 value)
{
	u8 *a = address;

	if (world_is_unit && world_is_unit(address)) {
		world_unit_write(address, size, value);
	} else if (a >= mmconfig && a < mmconfig + sizeof(mmconfig)) {
		config_write(a - mmconfig, size, (u32)value);
	} else if (a == ioapic_page) {
		ioapic_index = (u32)value;
	} else if (a == ioapic_page + 0x10) {
		if (ioapic_index >= 0x10 && ioapic_index < 0x10 + 2 * NUM_PINS)
			pin_write(ioapic_index, (u32)value);
	} else if (a == ioapic_page + 0x40) {
		record(1ULL << 32 | 0x1000, 4, (u32)value);
	} else {
		record(2ULL << 32 | (a - (u8 *)world_msix_table), size, (u32)value);
		__builtin_memcpy(address, &value, size);
	}
}

static u32 port_read(u16 port, unsigned int size)
{
	if (port >= 0xcfc && port <= 0xcff && (port_address & 0x80000000))
		return config_read((port_address >> 8 & 0xffff) << 12 | (port_address & 0xfc) | (port & 3),
				   size);
	return port == 0x64 ? 0x1c : ~0U;
}

static void port_write(u16 port, unsigned int size, u32 value)
{
	if (port == 0xcf8 && size == 4)
		port_address = value;
	else if (port >= 0xcfc && port <= 0xcff)
		config_write((port_address >> 8 & 0xffff) << 12 | (port_address & 0xfc) | (port & 3),
			     size, value);
	else
		record(3ULL << 32 | port, size, value);
}

/* --- Steering --- */

void world_init(bool with_mmconfig, u16 pm_timer);
void world_init(bool with_mmconfig, u16 pm_timer)
{
	fake_mmio_read = hw_read;
	fake_mmio_write = hw_write;
	fake_port_read = port_read;
	fake_port_write = port_write;
	system_storage.platform_info.pci_mmconfig_base = with_mmconfig ? MMCONFIG_BASE : 0;
	system_storage.platform_info.x86.pm_timer_address = pm_timer;
	pci_unit.init();
}

/* What the root cell still has of the CPUs is its own business: root_mask. */
void world_cpus(unsigned int n, u32 mask);
void world_cpus(unsigned int n, u32 mask)
{
	cell_cpus[n] = mask;
	cell_number(n)->arch.xapic_logical_mask = mask;
}

int world_cell_init(unsigned int n, const void *config, unsigned int size);
int world_cell_init(unsigned int n, const void *config, unsigned int size)
{
	struct cell *cell = cell_number(n);
	int err;

	if (!n && world_iommu && world_iommu->init())
		return -EIO;
	cell->config = malloc(size);	/* the sanitizer knows its end */
	__builtin_memcpy(cell->config, config, size);
	err = pio_cell_init(cell);
	if (!err)
		err = mmio_cell_init(cell);
	if (!err && world_iommu)
		err = world_iommu->cell_init(cell);
	if (!err) {
		err = ioapic_unit.cell_init(cell);
		if (err && world_iommu)
			world_iommu->cell_exit(cell);
	}
	if (!err) {
		err = pci_unit.cell_init(cell);
		if (err)
			ioapic_unit.cell_exit(cell);
		if (err && world_iommu)
			world_iommu->cell_exit(cell);
	}
	if (err) {
		mmio_cell_exit(cell);
		pio_cell_exit(cell);
		free(cell->config);
		cell->config = NULL;
	} else if (n) {
		cell->next = root_cell.next;
		root_cell.next = cell;
	}
	return err;
}

void world_cell_exit(unsigned int n);
void world_cell_exit(unsigned int n)
{
	struct cell *cell = cell_number(n), **link;

	pci_unit.cell_exit(cell);
	ioapic_unit.cell_exit(cell);
	if (world_iommu)
		world_iommu->cell_exit(cell);
	mmio_cell_exit(cell);
	pio_cell_exit(cell);
	for (link = &root_cell.next; n && *link; link = &(*link)->next)
		if (*link == cell) {
			*link = cell->next;
			break;
		}
	free(cell->config);
	cell->config = NULL;
}

void world_cell_reset(unsigned int n);
void world_cell_reset(unsigned int n)
{
	ioapic_unit.cell_reset(cell_number(n));
	pci_unit.cell_reset(cell_number(n));
}

void world_commit(int n);
void world_commit(int n)
{
	if (world_iommu)
		world_iommu->config_commit(n < 0 ? NULL : cell_number(n));
	ioapic_unit.config_commit(n < 0 ? NULL : cell_number(n));
	pci_unit.config_commit(n < 0 ? NULL : cell_number(n));
}

void world_shutdown(void);
void world_shutdown(void)
{
	pci_unit.shutdown();
	ioapic_unit.shutdown();
	if (world_iommu)
		world_iommu->shutdown();
}

int world_mmio(unsigned int n, u64 address, unsigned int size, bool is_write, u64 *value);
int world_mmio(unsigned int n, u64 address, unsigned int size, bool is_write, u64 *value)
{
	struct mmio_access access = { address, *value, size, is_write };
	enum mmio_result result;

	this_cpu()->cell = cell_number(n);
	result = mmio_dispatch(&access);
	*value = access.value;
	return result;
}

const u8 *world_bitmap(unsigned int n);
const u8 *world_bitmap(unsigned int n)
{
	return cell_number(n)->arch.io_bitmap;
}

/* As the hardware would: direct unless a bit of the bitmap traps it. 2: direct. */
int world_pio(unsigned int n, u16 port, unsigned int size, bool in, bool rep, u64 *rax);
int world_pio(unsigned int n, u16 port, unsigned int size, bool in, bool rep, u64 *rax)
{
	const struct pio_exit io = { port, size, in, rep };
	const u8 *bitmap = cell_number(n)->arch.io_bitmap;
	struct guest_regs regs = { .rax = *rax };
	bool trapped = false, ok;
	unsigned int p;

	for (p = port; p < port + size; p++)
		trapped |= bitmap[p / 8] >> (p % 8) & 1;
	if (!trapped)
		return 2;
	this_cpu()->cell = cell_number(n);
	ok = x86_handle_pio(&regs, &io);
	*rax = regs.rax;
	return ok;
}
