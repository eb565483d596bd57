// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOAPICs (82093AA data sheet, chapter 3; ICH9 13.5 for EOI).  Pins belong to
 * cells, the registers are emulated: each cell has an index register and sees
 * its own redirection entries only.
 *
 * An entry lives twice: as its owner wrote it, and in the hardware, which has
 * it unmasked only while it targets the owner's CPUs.  That also makes both
 * orders of writing the halves of an entry work.  The root cell's entries are
 * kept while another cell has the pin.
 */
#include <core/cell.h>
#include <core/device_lock.h>
#include <core/mmio.h>
#include <core/page_pool.h>
#include <core/paging.h>
#include <core/percpu.h>
#include <core/printk.h>
#include <core/unit.h>
#include <arch/apic.h>
#include <arch/io.h>
#include <arch/ioapic.h>
#include <arch/irq_remap.h>

#define REG_INDEX		0x00
#define REG_DATA		0x10
#define REG_EOI			0x40

#define INDEX_VERSION		0x01
#define INDEX_ENTRIES		0x10
#define VERSION_LAST_ENTRY(v)	((v) >> 16 & 0xff)

#define MAX_PINS		120

#define ENTRY_VECTOR		0x00000000000000ffULL
#define ENTRY_DELIVERY_MODE	0x0000000000000700ULL
#define ENTRY_LOGICAL		0x0000000000000800ULL
#define ENTRY_STATUS		0x0000000000005000ULL	/* delivery status, remote IRR: read-only */
#define ENTRY_MASKED		0x0000000000010000ULL
#define ENTRY_REMAPPABLE	0x0001000000000000ULL	/* see irq_remap.h */
#define ENTRY_DESTINATION(e)	((e) >> 56)

#define MSI_BASE		0xfee00000ULL
#define MSI_LOGICAL		0x4
#define MSI_DESTINATION_SHIFT	12

/* One chip; as many as the root cell lists. */
struct phys_ioapic {
	struct device_lock lock;	/* index and data belong together; entries */
	void *regs;			/* NULL: unused slot */
	u64 address;
	u32 id;				/* as the root cell's configuration says */
	unsigned int num_pins;
	u32 cell_pins[4];		/* pins that non-root cells have */
	u64 *root_entries;		/* as the root cell wrote them */
	u64 *cell_entries;		/* as the other owner of the pin wrote them */
};

/* A cell's view of a chip */
struct cell_ioapic {
	const struct jailhouse_irqchip *info;
	struct phys_ioapic *phys;
	struct cell *cell;
	u32 index;
	u32 pins[4];			/* pins that it would have if it were alone */
};

static struct phys_ioapic chips[MAX_IOAPICS];
bool ioapic_handed_over;

static bool pin_test(const u32 *bitmap, unsigned int pin)
{
	return bitmap[pin / 32] >> (pin % 32) & 1;
}

static bool is_root(const struct cell_ioapic *ioapic)
{
	return ioapic->cell == &root_cell;
}

static bool owns_pin(const struct cell_ioapic *ioapic, unsigned int pin)
{
	if (pin >= ioapic->phys->num_pins || !pin_test(ioapic->pins, pin))
		return false;
	return !is_root(ioapic) || !pin_test(ioapic->phys->cell_pins, pin);
}

static u64 *owner_entry(const struct cell_ioapic *ioapic, unsigned int pin)
{
	struct phys_ioapic *phys = ioapic->phys;

	return is_root(ioapic) ? &phys->root_entries[pin] : &phys->cell_entries[pin];
}

/* --- Hardware; phys->lock is held --- */

static u32 hw_read(struct phys_ioapic *phys, u32 index)
{
	mmio_write32((u8 *)phys->regs + REG_INDEX, index);
	return mmio_read32((u8 *)phys->regs + REG_DATA);
}

static void hw_write(struct phys_ioapic *phys, u32 index, u32 value)
{
	mmio_write32((u8 *)phys->regs + REG_INDEX, index);
	mmio_write32((u8 *)phys->regs + REG_DATA, value);
}

static u64 hw_entry_read(struct phys_ioapic *phys, unsigned int pin)
{
	return hw_read(phys, INDEX_ENTRIES + 2 * pin) |
		(u64)hw_read(phys, INDEX_ENTRIES + 2 * pin + 1) << 32;
}

/*
 * Only what changes is written: masking an edge-triggered pin on the way would
 * lose edges.  A pin that becomes unmasked gets its destination first, one that
 * becomes masked last.
 */
static void hw_entry_write(struct phys_ioapic *phys, unsigned int pin, u64 entry)
{
	u64 change = (hw_entry_read(phys, pin) ^ entry) & ~ENTRY_STATUS;
	u32 low = INDEX_ENTRIES + 2 * pin;

	if ((entry & ENTRY_MASKED) && (u32)change)
		hw_write(phys, low, (u32)entry);
	if (change >> 32)
		hw_write(phys, low + 1, (u32)(entry >> 32));
	if (!(entry & ENTRY_MASKED) && (u32)change)
		hw_write(phys, low, (u32)entry);
}

/* --- Policy --- */

/* An entry is judged as the message that the pin would send; logical masks may get trimmed. */
static bool entry_deliverable(const struct cell_ioapic *ioapic, unsigned int pin, u64 *entry)
{
	struct msi_message msi = {
		.address = MSI_BASE | ENTRY_DESTINATION(*entry) << MSI_DESTINATION_SHIFT |
			(*entry & ENTRY_LOGICAL ? MSI_LOGICAL : 0),
		.data = (u32)(*entry & (ENTRY_VECTOR | ENTRY_DELIVERY_MODE)),
	};
	bool disabled;

	if (is_root(ioapic) && (*entry & ENTRY_REMAPPABLE))
		return irq_remap_pin(ioapic->phys->id, pin, NULL, entry);
	if (!apic_msi_validate(ioapic->cell, &msi, &disabled) || disabled)
		return false;
	*entry &= ~(0xffULL << 56);
	*entry |= (msi.address >> MSI_DESTINATION_SHIFT & 0xff) << 56;
	return irq_remap_pin(ioapic->phys->id, pin, &msi, entry);
}

/* Returns false when the entry has to stay masked although its owner wants it. */
static bool pin_sync(const struct cell_ioapic *ioapic, unsigned int pin)
{
	u64 entry = *owner_entry(ioapic, pin);
	bool ok = (entry & ENTRY_MASKED) || entry_deliverable(ioapic, pin, &entry);

	if (!ok)
		entry |= ENTRY_MASKED;
	hw_entry_write(ioapic->phys, pin, entry);
	return ok;
}

/* Masked and edge-triggered: that clears a stale remote IRR, too. */
static void pin_silence(struct phys_ioapic *phys, unsigned int pin)
{
	hw_entry_write(phys, pin, ENTRY_MASKED);
}

typedef void (*pin_action)(struct cell_ioapic *ioapic, unsigned int pin);

static void for_owned_pins(struct cell_ioapic *ioapic, pin_action action)
{
	unsigned int pin;

	device_lock(&ioapic->phys->lock);
	for (pin = 0; pin < ioapic->phys->num_pins; pin++)
		if (owns_pin(ioapic, pin))
			action(ioapic, pin);
	device_unlock(&ioapic->phys->lock);
}

/* --- Emulation --- */

/* Entry registers of foreign pins read 0 and ignore writes. */
static u32 entry_read(struct cell_ioapic *ioapic, unsigned int pin, bool high)
{
	u64 entry;

	if (!owns_pin(ioapic, pin))
		return 0;
	entry = *owner_entry(ioapic, pin) |
		(hw_entry_read(ioapic->phys, pin) & ENTRY_STATUS);
	return high ? (u32)(entry >> 32) : (u32)entry;
}

static void entry_write(struct cell_ioapic *ioapic, unsigned int pin, bool high, u32 value)
{
	u64 *entry;

	if (!owns_pin(ioapic, pin))
		return;
	entry = owner_entry(ioapic, pin);
	if (high)
		*entry = (*entry & 0xffffffffULL) | (u64)value << 32;
	else
		*entry = (*entry & ~0xffffffffULL) | (value & ~(u32)ENTRY_STATUS);
	if (!pin_sync(ioapic, pin))
		printk("WARNING: IOAPIC pin %u targets a CPU outside of cell \"%s\", "
		       "entry: 0x%016llx; kept masked\n", pin, cell_name(ioapic->cell), *entry);
}

static bool is_entry(const struct cell_ioapic *ioapic)
{
	return ioapic->index >= INDEX_ENTRIES &&
		(ioapic->index - INDEX_ENTRIES) / 2 < ioapic->phys->num_pins;
}

static bool data_access(struct cell_ioapic *ioapic, struct mmio_access *access)
{
	unsigned int pin = (ioapic->index - INDEX_ENTRIES) / 2;
	bool high = ioapic->index & 1;

	if (is_entry(ioapic) && access->is_write)
		entry_write(ioapic, pin, high, (u32)access->value);
	else if (is_entry(ioapic))
		access->value = entry_read(ioapic, pin, high);
	else if (access->is_write)
		return false;
	else
		access->value = hw_read(ioapic->phys, ioapic->index & 0xff);
	return true;
}

static bool eoi_write(struct cell_ioapic *ioapic, const struct mmio_access *access)
{
	unsigned int pin;

	for (pin = 0; pin < ioapic->phys->num_pins; pin++)
		if (owns_pin(ioapic, pin)) {
			mmio_write32((u8 *)ioapic->phys->regs + REG_EOI, (u32)access->value);
			return true;
		}
	return false;
}

static bool register_access(struct cell_ioapic *ioapic, struct mmio_access *access)
{
	if (access->size != 4)
		return false;
	if (access->address == REG_DATA)
		return data_access(ioapic, access);
	if (access->address == REG_EOI && access->is_write)
		return eoi_write(ioapic, access);
	if (access->address != REG_INDEX)
		return false;
	if (access->is_write)
		ioapic->index = access->value & 0xff;
	else
		access->value = ioapic->index;
	return true;
}

static enum mmio_result handle_ioapic(void *arg, struct mmio_access *access)
{
	struct cell_ioapic *ioapic = arg;
	bool ok;

	device_lock(&ioapic->phys->lock);
	ok = register_access(ioapic, access);
	device_unlock(&ioapic->phys->lock);
	if (ok)
		return MMIO_HANDLED;
	panic_printk("FATAL: Invalid IOAPIC %s, reg: %llx, index: %x, size: %u, cell \"%s\", CPU %u\n",
		     access->is_write ? "write" : "read", access->address, ioapic->index,
		     access->size, cell_name(ioapic->cell), this_cpu()->cpu_id);
	return MMIO_ERROR;
}

/* --- Chips --- */

static struct phys_ioapic *chip_find(u64 address)
{
	struct phys_ioapic *phys;

	for (phys = chips; phys < chips + MAX_IOAPICS; phys++)
		if (phys->regs && phys->address == address)
			return phys;
	return NULL;
}

static struct phys_ioapic *chip_free_slot(void)
{
	struct phys_ioapic *phys;

	for (phys = chips; phys < chips + MAX_IOAPICS; phys++)
		if (!phys->regs)
			return phys;
	return NULL;
}

static void chip_exit(struct phys_ioapic *phys)
{
	if (phys->regs)
		hv_unmap((u8 *)phys->regs - (phys->address & PAGE_OFFS_MASK), PAGE_SIZE);
	page_free(&mem_pool, phys->root_entries, 1);
	*phys = (struct phys_ioapic){ 0 };
}

/* The hardware's entries are the root cell's. */
static void chip_read_entries(struct phys_ioapic *phys)
{
	unsigned int pin;

	phys->num_pins = MIN(VERSION_LAST_ENTRY(hw_read(phys, INDEX_VERSION)) + 1, MAX_PINS + 0U);
	for (pin = 0; pin < phys->num_pins; pin++) {
		phys->root_entries[pin] = hw_entry_read(phys, pin) & ~ENTRY_STATUS;
		phys->cell_entries[pin] = ENTRY_MASKED;
	}
}

static struct phys_ioapic *chip_init(u64 address, u32 id)
{
	struct phys_ioapic *phys = chip_free_slot();
	u8 *page;

	_Static_assert(2 * MAX_PINS * sizeof(u64) <= PAGE_SIZE, "entries of a chip");
	if (!phys)
		return NULL;
	phys->address = address;
	phys->id = id;
	phys->root_entries = page_alloc(&mem_pool, 1);
	page = hv_map(hpa(address & PAGE_MASK), PAGE_SIZE, PG_READ | PG_WRITE | PG_DEVICE);
	if (page)
		phys->regs = page + (address & PAGE_OFFS_MASK);
	if (!page || !phys->root_entries) {
		chip_exit(phys);
		return NULL;
	}
	phys->cell_entries = phys->root_entries + MAX_PINS;
	chip_read_entries(phys);
	return phys;
}

/* --- Cells --- */

static u64 region_size(u64 address)
{
	return PAGE_SIZE - (address & PAGE_OFFS_MASK);
}

static bool pins_taken(const struct cell_ioapic *ioapic)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(ioapic->pins); n++)
		if (ioapic->pins[n] & ioapic->phys->cell_pins[n])
			return true;
	return false;
}

static void pin_take(struct cell_ioapic *ioapic, unsigned int pin)
{
	ioapic->phys->cell_pins[pin / 32] |= 1U << (pin % 32);
	ioapic->phys->cell_entries[pin] = ENTRY_MASKED;
	pin_silence(ioapic->phys, pin);
}

static struct cell_ioapic *root_view(const struct phys_ioapic *phys)
{
	unsigned int n;

	for (n = 0; n < root_cell.arch.num_ioapics; n++)
		if (root_cell.arch.ioapics[n].phys == phys)
			return &root_cell.arch.ioapics[n];
	return NULL;
}

/* Back to what the root cell last wrote, if the pin was its own. */
static void pin_give_back(struct cell_ioapic *ioapic, unsigned int pin)
{
	struct cell_ioapic *root = root_view(ioapic->phys);

	pin_silence(ioapic->phys, pin);
	ioapic->phys->cell_pins[pin / 32] &= ~(1U << (pin % 32));
	if (root && owns_pin(root, pin))
		pin_sync(root, pin);
}

static void pin_reset(struct cell_ioapic *ioapic, unsigned int pin)
{
	*owner_entry(ioapic, pin) = ENTRY_MASKED;
	pin_silence(ioapic->phys, pin);
}

static void pin_commit(struct cell_ioapic *ioapic, unsigned int pin)
{
	pin_sync(ioapic, pin);
}

static void pin_restore(struct cell_ioapic *ioapic, unsigned int pin)
{
	hw_entry_write(ioapic->phys, pin, *owner_entry(ioapic, pin));
}

static int view_find_chip(struct cell_ioapic *ioapic)
{
	u64 address = ioapic->info->address;

	ioapic->phys = chip_find(address);
	if (is_root(ioapic)) {
		if (ioapic->phys)
			return trace_error(-EINVAL);	/* listed twice */
		ioapic->phys = chip_init(address, ioapic->info->id);
		return ioapic->phys ? 0 : trace_error(-ENOMEM);
	}
	return ioapic->phys ? 0 : trace_error(-EINVAL);
}

static bool listed_twice(const struct cell_ioapic *ioapic)
{
	const struct cell_ioapic *first = ioapic->cell->arch.ioapics;

	for (; first < ioapic; first++)
		if (first->info->address == ioapic->info->address)
			return true;
	return false;
}

/* Counts the view only when it needs undoing. */
static int view_init(struct cell *cell, const struct jailhouse_irqchip *info)
{
	struct cell_ioapic *ioapic = &cell->arch.ioapics[cell->arch.num_ioapics];
	int err;

	*ioapic = (struct cell_ioapic){ .info = info, .cell = cell };
	if (info->pin_base != 0 || listed_twice(ioapic))
		return trace_error(-EINVAL);
	err = view_find_chip(ioapic);
	if (err)
		return err;
	__builtin_memcpy(ioapic->pins, info->pin_bitmap, sizeof(ioapic->pins));
	if (!is_root(ioapic) && pins_taken(ioapic))
		return trace_error(-EBUSY);
	if (!is_root(ioapic))
		for_owned_pins(ioapic, pin_take);
	mmio_region_register(cell, gpa(info->address), region_size(info->address),
			     handle_ioapic, ioapic);
	cell->arch.num_ioapics++;
	return 0;
}

static void view_exit(struct cell_ioapic *ioapic)
{
	mmio_region_unregister(ioapic->cell, gpa(ioapic->info->address));
	if (is_root(ioapic))
		chip_exit(ioapic->phys);
	else
		for_owned_pins(ioapic, pin_give_back);
}

static void ioapic_cell_exit(struct cell *cell)
{
	while (cell->arch.num_ioapics > 0) {
		cell->arch.num_ioapics--;
		view_exit(&cell->arch.ioapics[cell->arch.num_ioapics]);
	}
	if (cell->arch.ioapic_pages)
		page_free(&mem_pool, cell->arch.ioapics, cell->arch.ioapic_pages);
	cell->arch.ioapic_pages = 0;
	cell->arch.ioapics = NULL;
}

static int alloc_views(struct cell *cell)
{
	u64 size = (u64)cell->config->num_irqchips * sizeof(struct cell_ioapic);

	cell->arch.ioapics = cell_block_take(cell, size);
	if (!cell->arch.ioapics) {
		cell->arch.ioapic_pages = PAGES(size);
		cell->arch.ioapics = page_alloc(&mem_pool, cell->arch.ioapic_pages);
	}
	return cell->arch.ioapics ? 0 : trace_error(-ENOMEM);
}

static int ioapic_cell_init(struct cell *cell)
{
	const struct jailhouse_irqchip *info = jailhouse_cell_irqchips(cell->config);
	unsigned int n;
	int err = 0;

	ioapic_handed_over |= cell != &root_cell;
	if (!cell->config->num_irqchips)
		return 0;
	if (cell->config->num_irqchips > MAX_IOAPICS)
		return trace_error(-ERANGE);
	err = alloc_views(cell);
	for (n = 0; !err && n < cell->config->num_irqchips; n++)
		err = view_init(cell, &info[n]);
	if (err)
		ioapic_cell_exit(cell);
	return err;
}

static void for_views(struct cell *cell, pin_action action)
{
	unsigned int n;

	for (n = 0; n < cell->arch.num_ioapics; n++)
		for_owned_pins(&cell->arch.ioapics[n], action);
}

static void ioapic_cell_reset(struct cell *cell)
{
	unsigned int n;

	for (n = 0; n < cell->arch.num_ioapics; n++)
		cell->arch.ioapics[n].index = 0;
	for_views(cell, pin_reset);
}

/* Until CPUs have changed hands, everything stays as Linux has it. */
static void ioapic_config_commit(struct cell *changed)
{
	(void)changed;	/* pins of other cells are checked when written */
	if (ioapic_handed_over)
		for_views(&root_cell, pin_commit);
}

static void pin_mask(struct cell_ioapic *ioapic, unsigned int pin)
{
	pin_silence(ioapic->phys, pin);
}

void ioapic_silence(void)
{
	for_views(&root_cell, pin_mask);
}

static void ioapic_shutdown(void)
{
	for_views(&root_cell, pin_restore);
}

static unsigned int ioapic_mmio_regions(const struct cell *cell)
{
	return cell->config->num_irqchips;
}

const struct unit ioapic_unit = {
	.name = "IOAPIC",
	.shutdown = ioapic_shutdown,
	.mmio_regions = ioapic_mmio_regions,
	.cell_init = ioapic_cell_init,
	.cell_exit = ioapic_cell_exit,
	.cell_reset = ioapic_cell_reset,
	.config_commit = ioapic_config_commit,
};
