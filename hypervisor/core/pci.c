// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who owns which PCI function, and what may be done in configuration space.
 * Cells reach it through MMCONFIG (here) or through what the architecture has.
 */
#include <arch/pci.h>
#include <core/mmio.h>
#include <core/page_pool.h>
#include <core/pci.h>
#include <core/pci_device.h>
#include <core/percpu.h>
#include <core/printk.h>

bool pci_handed_over;

static u64 mmconfig_base(void)
{
	return system_config->platform_info.pci_mmconfig_base;
}

static u64 mmconfig_size(void)
{
	return (system_config->platform_info.pci_mmconfig_end_bus + 1ULL) << 20;
}

static bool is_virtual(const struct jailhouse_pci_device *info)
{
	return info->type == JAILHOUSE_PCI_TYPE_IVSHMEM;
}

struct pci_device *pci_device_find(const struct cell *cell, u16 bdf)
{
	struct pci_device *device = cell->pci_devices;
	unsigned int n;

	if (!device)
		return NULL;
	for (n = 0; n < cell->config->num_pci_devices; n++, device++)
		if (device->cell && device->info->bdf == bdf)
			return device;
	return NULL;
}

/* --- Capabilities according to the configuration --- */

static const struct jailhouse_pci_capability *
device_caps(const struct pci_device *device)
{
	return jailhouse_cell_pci_caps(device->cell->config) + device->info->caps_start;
}

const struct jailhouse_pci_capability *
pci_device_cap_at(const struct pci_device *device, u16 reg, unsigned int size)
{
	const struct jailhouse_pci_capability *cap = device_caps(device);
	unsigned int n;

	for (n = 0; n < device->info->num_caps; n++, cap++)
		if (reg >= cap->start && reg + size <= (unsigned int)cap->start + cap->len)
			return cap;
	return NULL;
}

u16 pci_device_find_cap(const struct pci_device *device, u16 id)
{
	const struct jailhouse_pci_capability *cap = device_caps(device);
	unsigned int n;

	for (n = 0; n < device->info->num_caps; n++, cap++)
		if (cap->id == id && cap->start >= PCI_CFG_HEADER_END && !(cap->start & 3))
			return cap->start;
	return 0;
}

/* --- Moderation --- */

/* Bits of a dword that `size` bytes at reg cover */
static u32 access_mask(u16 reg, unsigned int size)
{
	u32 bits = size == 4 ? ~0U : (1U << (8 * size)) - 1;

	return bits << (8 * (reg & 3));
}

static enum pci_verdict read_dword(struct pci_device *device, u16 dword, u32 *value)
{
	if (dword < PCI_CFG_HEADER_END)
		return pci_header_read(device, dword, value);
	return pci_msi_read(device, dword, value);
}

enum pci_verdict pci_moderate_read(struct cell *cell, u16 bdf, u16 reg,
				   unsigned int size, u32 *value)
{
	struct pci_device *device = pci_device_find(cell, bdf);
	enum pci_verdict verdict = PCI_DONE;

	*value = ~0U;
	if (device)
		verdict = read_dword(device, reg & ~3, value);
	if (verdict == PCI_DONE)
		*value = (*value & access_mask(reg, size)) >> (8 * (reg & 3));
	return verdict;
}

static enum pci_verdict write_cap(struct pci_device *device, u16 reg, unsigned int size,
				  u32 value, u32 mask)
{
	const struct jailhouse_pci_capability *cap = pci_device_cap_at(device, reg, size);
	enum pci_verdict verdict;

	if (!cap || !(cap->flags & JAILHOUSE_PCICAPS_WRITE))
		return PCI_FATAL;
	verdict = pci_msi_write(device, reg & ~3, value, mask);
	if (verdict == PCI_PASS)
		verdict = pci_msix_write(device, reg & ~3, value, mask);
	return verdict;
}

enum pci_verdict pci_moderate_write(struct cell *cell, u16 bdf, u16 reg,
				    unsigned int size, u32 *value)
{
	struct pci_device *device = pci_device_find(cell, bdf);
	u32 dword_value = *value << (8 * (reg & 3));
	u32 mask = access_mask(reg, size);

	if (!device)
		return PCI_FATAL;
	if (reg < PCI_CFG_HEADER_END)
		return pci_header_write(device, reg & ~3, dword_value, mask);
	return write_cap(device, reg, size, dword_value, mask);
}

static void refuse_access(struct cell *cell, const char *path, u16 bdf, u16 reg,
			  unsigned int size, bool is_write)
{
	panic_printk("FATAL: Invalid PCI %s %s, device %02x:%02x.%x, reg: 0x%x, size: %u, "
		     "cell \"%s\", CPU %u: ", path, is_write ? "write" : "read",
		     PCI_BDF_ARGS(bdf), reg, size, cell_name(cell), this_cpu()->cpu_id);
	if (!pci_device_find(cell, bdf))
		panic_printk("no .pci_devices entry\n");
	else if (reg < PCI_CFG_HEADER_END)
		panic_printk("header field is read-only\n");
	else
		panic_printk("no .pci_caps entry with JAILHOUSE_PCICAPS_WRITE, or bad MSI target\n");
}

/* PCI 3.0 3.2.2.3.4: an access names one dword, by byte enables. */
static bool access_fits(u16 reg, unsigned int size)
{
	return (size == 1 || size == 2 || size == 4) && (reg & 3) + size <= 4 &&
		reg + size <= PCI_CONFIG_SPACE_SIZE;
}

static bool perform_read(struct cell *cell, u16 bdf, u16 reg, unsigned int size, u32 *value)
{
	if (pci_moderate_read(cell, bdf, reg, size, value) == PCI_PASS)
		*value = arch_pci_read(bdf, reg, size);
	return true;
}

static bool perform_write(struct cell *cell, u16 bdf, u16 reg, unsigned int size, u32 *value)
{
	enum pci_verdict verdict = pci_moderate_write(cell, bdf, reg, size, value);

	if (verdict == PCI_PASS)
		arch_pci_write(bdf, reg, *value, size);
	return verdict != PCI_FATAL;
}

bool pci_config_access(struct cell *cell, const char *path, u16 bdf, u16 reg,
		       unsigned int size, bool is_write, u32 *value)
{
	struct pci_device *device = pci_device_find(cell, bdf);
	bool ok = false;

	if (device)
		device_lock(&device->lock);
	if (access_fits(reg, size))
		ok = is_write ? perform_write(cell, bdf, reg, size, value) :
			perform_read(cell, bdf, reg, size, value);
	if (device)
		device_unlock(&device->lock);
	if (!ok)
		refuse_access(cell, path, bdf, reg, size, is_write);
	return ok;
}

/* Base specification of PCI Express 7.2.2: bus, device, function, register from bit 20 down */
static enum mmio_result handle_mmconfig(void *arg, struct mmio_access *access)
{
	u32 value = (u32)access->value;

	if (!pci_config_access(arg, "MMCONFIG", access->address >> 12, access->address & 0xfff,
			       access->size, access->is_write, &value))
		return MMIO_ERROR;
	access->value = value;
	return MMIO_HANDLED;
}

/* --- MSI --- */

bool pci_message_check(const struct pci_device *device, unsigned int vector, u64 *address,
		       u32 *data, bool *deliver)
{
	bool disabled = false;

	*deliver = false;
	if (arch_msi_validate(device, vector, address, data, &disabled)) {
		*deliver = !disabled;
		return true;
	}
	if (device->cell != &root_cell)
		return false;
	printk("WARNING: MSI of device %02x:%02x.%x targets a CPU outside of cell \"%s\", "
	       "address: 0x%llx, data: 0x%x; kept off\n", PCI_BDF_ARGS(device->info->bdf),
	       cell_name(device->cell), *address, *data);
	return true;
}

/* --- Ownership --- */

/* The cell's CPUs don't run.  Ends with bus mastering off: no DMA into foreign memory. */
static void device_reset(struct pci_device *device)
{
	u16 bdf = device->info->bdf;
	u32 command;

	if (device->info->type != JAILHOUSE_PCI_TYPE_DEVICE)
		return;
	command = arch_pci_read(bdf, PCI_CFG_COMMAND, 2);
	arch_pci_write(bdf, PCI_CFG_COMMAND, command | PCI_CMD_MEMORY, 2);
	pci_msi_reset(device);
	pci_msix_reset(device);
	arch_pci_write(bdf, PCI_CFG_COMMAND, PCI_CMD_INTX_DISABLE, 2);
	pci_header_init(device);
}

static int device_take(struct pci_device *device, struct cell *cell)
{
	int err;

	printk("Adding PCI device %02x:%02x.%x to cell \"%s\"\n",
	       PCI_BDF_ARGS(device->info->bdf), cell_name(cell));
	device->cell = cell;
	pci_header_init(device);
	pci_msi_init(device);
	err = pci_msix_init(device);
	if (err) {
		device->cell = NULL;
		return err;
	}
	if (cell != &root_cell)
		device_reset(device);
	return 0;
}

static void device_release(struct pci_device *device)
{
	printk("Removing PCI device %02x:%02x.%x from cell \"%s\"\n",
	       PCI_BDF_ARGS(device->info->bdf), cell_name(device->cell));
	device_reset(device);
	pci_msix_exit(device);
	device->cell = NULL;
}

static void device_return(const struct jailhouse_pci_device *info)
{
	struct pci_device *device = root_cell.pci_devices;
	unsigned int n;

	for (n = 0; device && n < root_cell.config->num_pci_devices; n++, device++)
		if (!is_virtual(device->info) && device->info->bdf == info->bdf &&
		    device->info->domain == info->domain && device_take(device, &root_cell))
			printk("WARNING: Failed to re-assign PCI device to root cell\n");
}

static bool taken_by_other_cell(u16 bdf)
{
	const struct cell *cell;

	for_each_non_root_cell(cell)
		if (pci_device_find(cell, bdf))
			return true;
	return false;
}

static int device_attach(struct pci_device *device, struct cell *cell)
{
	struct pci_device *root_device;
	u16 bdf = device->info->bdf;
	int err;

	if (is_virtual(device->info)) {
		if (cell != &root_cell)	/* boot.c reports those of the root cell */
			printk("Virtual PCI device %02x:%02x.%x of cell \"%s\": not implemented yet\n",
			       PCI_BDF_ARGS(bdf), cell_name(cell));
		return 0;
	}
	if (pci_device_find(cell, bdf) || taken_by_other_cell(bdf))
		return trace_error(-EBUSY);
	if (cell != &root_cell) {
		root_device = pci_device_find(&root_cell, bdf);
		if (root_device)
			device_release(root_device);
	}
	err = device_take(device, cell);
	if (err && cell != &root_cell)
		device_return(device->info);
	return err;
}

/* --- Unit --- */

static bool has_msix_table(const struct jailhouse_pci_device *info)
{
	return !is_virtual(info) && info->msix_address && info->num_msix_vectors;
}

/* The table must lie in the region that is trapped. */
static int check_msix(const struct jailhouse_pci_device *info)
{
	if (has_msix_table(info) &&
	    (u32)info->num_msix_vectors * MSIX_VECTOR_SIZE > info->msix_region_size)
		return trace_error(-EINVAL);
	return 0;
}

/* Devices, then the shadows of all MSI-X tables in one piece */
static int alloc_devices(struct cell *cell)
{
	const struct jailhouse_pci_device *info = jailhouse_cell_pci_devices(cell->config);
	unsigned int count = cell->config->num_pci_devices, n;
	u64 size = (u64)count * sizeof(struct pci_device);
	struct msix_vector *shadow;

	for (n = 0; n < count; n++)
		size += has_msix_table(&info[n]) ? info[n].num_msix_vectors * MSIX_VECTOR_SIZE : 0;
	cell->pci_devices = cell_block_take(cell, size);
	if (!cell->pci_devices) {
		cell->pci_pages = PAGES(size);
		cell->pci_devices = page_alloc(&mem_pool, cell->pci_pages);
	}
	if (!cell->pci_devices)
		return trace_error(-ENOMEM);

	shadow = (struct msix_vector *)(cell->pci_devices + count);
	for (n = 0; n < count; n++) {
		cell->pci_devices[n].info = &info[n];
		if (!has_msix_table(&info[n]))
			continue;
		cell->pci_devices[n].msix.num_vectors = info[n].num_msix_vectors;
		cell->pci_devices[n].msix.shadow = shadow;
		shadow += info[n].num_msix_vectors;
	}
	return 0;
}

static int attach_devices(struct cell *cell)
{
	unsigned int n;
	int err = 0;

	for (n = 0; !err && n < cell->config->num_pci_devices; n++) {
		err = check_msix(cell->pci_devices[n].info);
		if (!err)
			err = device_attach(&cell->pci_devices[n], cell);
	}
	return err;
}

/* For the root cell only the shadows go away: the hardware stays as it is. */
static void detach_devices(struct cell *cell)
{
	struct pci_device *device = cell->pci_devices;
	unsigned int n;

	for (n = 0; n < cell->config->num_pci_devices; n++, device++) {
		if (!device->cell)
			continue;
		if (cell == &root_cell) {
			pci_msix_exit(device);
			continue;
		}
		device_release(device);
		device_return(device->info);
	}
	if (cell->pci_pages)
		page_free(&mem_pool, cell->pci_devices, cell->pci_pages);
	cell->pci_pages = 0;
	cell->pci_devices = NULL;
}

static void pci_cell_exit(struct cell *cell)
{
	if (cell->pci_devices)
		detach_devices(cell);
	if (mmconfig_base())
		mmio_region_unregister(cell, gpa(mmconfig_base()));
}

static int pci_cell_init(struct cell *cell)
{
	int err = 0;

	pci_handed_over |= cell != &root_cell;
	if (mmconfig_base())
		mmio_region_register(cell, gpa(mmconfig_base()), mmconfig_size(),
				     handle_mmconfig, cell);
	if (cell->config->num_pci_devices)
		err = alloc_devices(cell);
	if (!err && cell->pci_devices)
		err = attach_devices(cell);
	if (err)
		pci_cell_exit(cell);
	return err;
}

static unsigned int pci_mmio_regions(const struct cell *cell)
{
	const struct jailhouse_pci_device *info = jailhouse_cell_pci_devices(cell->config);
	unsigned int count = mmconfig_base() ? 1 : 0, n;

	for (n = 0; n < cell->config->num_pci_devices; n++)
		count += has_msix_table(&info[n]);
	return count;
}

typedef void (*device_action)(struct pci_device *device);

static void for_owned_devices(const struct cell *cell, device_action action)
{
	unsigned int n;

	if (!cell->pci_devices)
		return;
	for (n = 0; n < cell->config->num_pci_devices; n++)
		if (cell->pci_devices[n].cell)
			action(&cell->pci_devices[n]);
}

static void pci_cell_reset(struct cell *cell)
{
	for_owned_devices(cell, device_reset);
}

static void device_commit(struct pci_device *device)
{
	pci_msi_commit(device);
	pci_msix_commit(device);
}

/* Root CPUs suspended.  Until CPUs have changed hands, everything stays as Linux has it. */
static void pci_config_commit(struct cell *changed)
{
	if (!pci_handed_over)
		return;
	for_owned_devices(&root_cell, device_commit);
	if (changed && changed != &root_cell)
		for_owned_devices(changed, device_commit);
}

static void device_restore(struct pci_device *device)
{
	pci_msi_restore(device);
	pci_msix_restore(device);
}

static void pci_shutdown(void)
{
	for_owned_devices(&root_cell, device_restore);
}

const struct unit pci_unit = {
	.name = "PCI",
	.init = arch_pci_init,
	.shutdown = pci_shutdown,
	.mmio_regions = pci_mmio_regions,
	.cell_init = pci_cell_init,
	.cell_exit = pci_cell_exit,
	.cell_reset = pci_cell_reset,
	.config_commit = pci_config_commit,
};
