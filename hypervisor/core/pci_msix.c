// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSI-X capability and table (PCI 3.0 6.8.2).  The table's pages are trapped
 * and shadowed; the hardware has only those vectors unmasked whose message the
 * owner may send.  What else is in these pages (pending bits) can be read.
 */
#include <arch/io.h>
#include <arch/pci.h>
#include <core/paging.h>
#include <core/pci_device.h>
#include <core/printk.h>

static void *hw_reg(const struct pci_msix *msix, unsigned int vector, unsigned int reg)
{
	return (u8 *)msix->table + vector * MSIX_VECTOR_SIZE + reg * 4;
}

static u32 hw_read(const struct pci_msix *msix, unsigned int vector, unsigned int reg)
{
	return mmio_read32(hw_reg(msix, vector, reg));
}

static void hw_write(const struct pci_msix *msix, unsigned int vector, unsigned int reg, u32 value)
{
	mmio_write32(hw_reg(msix, vector, reg), value);
}

static void write_control(const struct pci_device *device, u16 control)
{
	arch_pci_write(device->info->bdf, device->msix.cap + 2, control, 2);
}

static u64 vector_address(const struct msix_vector *vector)
{
	return (u64)vector->reg[MSIX_ADDRESS_HI] << 32 | vector->reg[MSIX_ADDRESS_LO];
}

static bool vector_active(const struct pci_msix *msix, unsigned int n)
{
	return (msix->control & (MSIX_ENABLE | MSIX_MASK_ALL)) == MSIX_ENABLE &&
		!(msix->shadow[n].reg[MSIX_CONTROL] & MSIX_VECTOR_MASKED);
}

/* A vector must be masked while its message changes (PCI 3.0 6.8.2.9). */
static void write_vector(const struct pci_msix *msix, unsigned int n, u64 address, u32 data)
{
	u32 control = msix->shadow[n].reg[MSIX_CONTROL];

	hw_write(msix, n, MSIX_CONTROL, control | MSIX_VECTOR_MASKED);
	hw_write(msix, n, MSIX_ADDRESS_LO, (u32)address);
	hw_write(msix, n, MSIX_ADDRESS_HI, (u32)(address >> 32));
	hw_write(msix, n, MSIX_DATA, data);
	hw_write(msix, n, MSIX_CONTROL, control);
}

static void mask_vector(const struct pci_msix *msix, unsigned int n)
{
	hw_write(msix, n, MSIX_CONTROL, msix->shadow[n].reg[MSIX_CONTROL] | MSIX_VECTOR_MASKED);
}

/* Give the hardware what the owner wants of vector n, as far as it may. */
static bool program(const struct pci_device *device, unsigned int n)
{
	const struct pci_msix *msix = &device->msix;
	u64 address = vector_address(&msix->shadow[n]);
	u32 data = msix->shadow[n].reg[MSIX_DATA];
	bool deliver = vector_active(msix, n);
	bool allowed = true;

	if (deliver)
		allowed = pci_message_check(device, n, &address, &data, &deliver);
	if (allowed && deliver)
		write_vector(msix, n, address, data);
	else
		mask_vector(msix, n);
	return allowed;
}

static bool program_all(const struct pci_device *device)
{
	unsigned int n;
	bool allowed = true;

	for (n = 0; n < device->msix.num_vectors; n++)
		allowed &= program(device, n);
	return allowed;
}

static void refuse_access(const struct pci_device *device, const struct mmio_access *access)
{
	panic_printk("FATAL: Invalid PCI MSI-X table/PBA access, device %02x:%02x.%x, "
		     "offset: 0x%llx, size: %u, %s, cell \"%s\", CPU %u\n",
		     PCI_BDF_ARGS(device->info->bdf), access->address, access->size,
		     access->is_write ? "write" : "read", cell_name(device->cell),
		     this_cpu()->cpu_id);
}

static bool write_table(struct pci_device *device, const struct mmio_access *access)
{
	unsigned int n = access->address / MSIX_VECTOR_SIZE;
	u32 *shadow = &device->msix.shadow[n].reg[access->address / 4 % 4];
	u32 old = *shadow;

	*shadow = (u32)access->value;
	if (program(device, n))
		return true;
	*shadow = old;	/* a refused write has no effect */
	program(device, n);
	return false;
}

static bool access_table(struct pci_device *device, struct mmio_access *access)
{
	const struct pci_msix *msix = &device->msix;
	bool in_table = access->address < (u64)msix->num_vectors * MSIX_VECTOR_SIZE;
	unsigned int n = access->address / MSIX_VECTOR_SIZE;

	if (access->size != 4 || access->address % 4)
		return false;
	if (access->is_write)
		return in_table && write_table(device, access);
	if (in_table)
		access->value = msix->shadow[n].reg[access->address / 4 % 4];
	else
		access->value = mmio_read32((u8 *)msix->table + access->address);
	return true;
}

static enum mmio_result handle_table(void *arg, struct mmio_access *access)
{
	struct pci_device *device = arg;
	bool ok;

	device_lock(&device->lock);
	ok = access_table(device, access);
	device_unlock(&device->lock);
	if (ok)
		return MMIO_HANDLED;
	refuse_access(device, access);
	return MMIO_ERROR;
}

/* While memory decoding is off the table cannot be read: then it is as after reset. */
static void read_table(struct pci_device *device)
{
	struct pci_msix *msix = &device->msix;
	bool readable = arch_pci_read(device->info->bdf, PCI_CFG_COMMAND, 2) & PCI_CMD_MEMORY;
	unsigned int n, reg;

	for (n = 0; n < msix->num_vectors; n++)
		for (reg = 0; reg < 4; reg++)
			msix->shadow[n].reg[reg] = readable ? hw_read(msix, n, reg) :
				reg == MSIX_CONTROL ? MSIX_VECTOR_MASKED : 0;
}

static u64 table_page_offset(const struct pci_device *device)
{
	return device->info->msix_address & PAGE_OFFS_MASK;
}

static u64 table_map_size(const struct pci_device *device)
{
	return PAGE_ALIGN(table_page_offset(device) + device->info->msix_region_size);
}

/* Where the device says that its table is (PCI 3.0 6.8.2.4); 0: cannot tell. */
static u64 real_table_address(const struct pci_device *device)
{
	u32 where = arch_pci_read(device->info->bdf, device->msix.cap + 4, 4);
	unsigned int n = where & MSIX_BIR_MASK;
	u64 bar;

	if (!device->msix.cap || n >= PCI_NUM_BARS || !device->bar[n])
		return 0;
	bar = device->bar[n] & ~(u32)PCI_BAR_FLAGS;
	if ((device->bar[n] & PCI_BAR_TYPE) == PCI_BAR_64BIT && n + 1 < PCI_NUM_BARS)
		bar |= (u64)device->bar[n + 1] << 32;
	return bar + (where & ~(u32)MSIX_BIR_MASK);
}

/*
 * What is trapped must be the table, and nothing else may be reached under its
 * name.  The root cell is trusted to enable what it has, but is told.
 */
static int check_table_address(const struct pci_device *device)
{
	u64 real = real_table_address(device);

	if (!real || real == device->info->msix_address)
		return 0;
	printk("%s: MSI-X table of device %02x:%02x.%x is at 0x%llx, not at msix_address 0x%llx\n",
	       device->cell == &root_cell ? "WARNING" : "ERROR",
	       PCI_BDF_ARGS(device->info->bdf), real, device->info->msix_address);
	return device->cell == &root_cell ? 0 : trace_error(-EINVAL);
}

int pci_msix_init(struct pci_device *device)
{
	const struct jailhouse_pci_device *info = device->info;
	struct pci_msix *msix = &device->msix;
	u8 *page;
	int err;

	msix->cap = pci_device_find_cap(device, PCI_CAP_ID_MSIX);
	if (msix->cap)
		msix->control = arch_pci_read(info->bdf, msix->cap + 2, 2);
	if (!msix->num_vectors)
		return 0;
	err = check_table_address(device);
	if (err)
		return err;
	page = hv_map(hpa(info->msix_address & PAGE_MASK), table_map_size(device),
		      PG_READ | PG_WRITE | PG_DEVICE);
	if (!page)
		return trace_error(-ENOMEM);
	msix->table = page + table_page_offset(device);
	read_table(device);
	mmio_region_register(device->cell, gpa(info->msix_address), info->msix_region_size,
			     handle_table, device);
	return 0;
}

void pci_msix_exit(struct pci_device *device)
{
	struct pci_msix *msix = &device->msix;

	if (!msix->table)
		return;
	mmio_region_unregister(device->cell, gpa(device->info->msix_address));
	hv_unmap((u8 *)msix->table - table_page_offset(device), table_map_size(device));
	msix->table = NULL;
}

/* Memory decoding is on. */
void pci_msix_reset(struct pci_device *device)
{
	struct pci_msix *msix = &device->msix;
	unsigned int n;

	if (!msix->cap)
		return;
	msix->control &= ~(MSIX_ENABLE | MSIX_MASK_ALL);
	write_control(device, msix->control);
	for (n = 0; n < msix->num_vectors; n++) {
		msix->shadow[n] = (struct msix_vector){ .reg[MSIX_CONTROL] = MSIX_VECTOR_MASKED };
		write_vector(msix, n, 0, 0);
	}
}

/* Masked vectors stay pending in the device: only those that change place are touched. */
void pci_msix_commit(struct pci_device *device)
{
	struct pci_msix *msix = &device->msix;
	unsigned int n;
	u32 old;

	for (n = 0; n < msix->num_vectors; n++) {
		if (!vector_active(msix, n))
			continue;
		old = hw_read(msix, n, MSIX_ADDRESS_LO);
		program(device, n);
		if (hw_read(msix, n, MSIX_ADDRESS_LO) != old)
			arch_msi_inject(device->cell, hw_read(msix, n, MSIX_ADDRESS_LO),
					hw_read(msix, n, MSIX_DATA));
	}
}

void pci_msix_restore(struct pci_device *device)
{
	struct pci_msix *msix = &device->msix;
	unsigned int n;

	for (n = 0; n < msix->num_vectors; n++)
		write_vector(msix, n, vector_address(&msix->shadow[n]),
			     msix->shadow[n].reg[MSIX_DATA]);
}

enum pci_verdict pci_msix_write(struct pci_device *device, u16 dword, u32 value, u32 mask)
{
	struct pci_msix *msix = &device->msix;
	u16 old = msix->control;

	if (!msix->cap || dword != msix->cap)
		return PCI_PASS;	/* table and pending-bit offsets are read-only */
	msix->control = merge_bits(msix->control, value >> 16,
				   mask >> 16 & (MSIX_ENABLE | MSIX_MASK_ALL));
	/* Vectors first: nothing unchecked may leave once the function is enabled. */
	if (program_all(device))
		return PCI_PASS;
	msix->control = old;
	program_all(device);
	return PCI_FATAL;
}
