// SPDX-License-Identifier: GPL-2.0-only
/*
 * Validation of configurations (design.md 2.5, decisions.md 10 and 11).  First
 * the counts against the size, because everything else follows arrays.
 */
#include <core/config.h>
#include <core/mmio.h>
#include <core/printk.h>
#include <arch/config.h>
#include <lib/string.h>

#define MAX_CONFIG_PAGES	16
#define MAX_CPU_SET_SIZE	4096	/* bytes */
#define PCI_CONFIG_SPACE	4096U
#define PCI_HEADER_SIZE		0x40
#define MSIX_ENTRY_SIZE		16U
#define MAX_MSI_VECTORS		32
#define MAX_MSIX_VECTORS	2048

/* One line that names the field, and the error. */
#define refuse(desc, fmt, ...) ({						\
	printk("Configuration of cell \"%s\" refused: " fmt "\n",		\
	       (desc)->name, ##__VA_ARGS__);					\
	trace_error(-EINVAL);							\
})

struct check {
	const struct jailhouse_cell_desc *desc;
	const struct config_limits *limits;
	bool root;
};

static bool ranges_overlap(u64 a, u64 a_size, u64 b, u64 b_size)
{
	/* No range wraps around (checked before). Empty ones touch nothing. */
	return a_size && b_size && a < b + b_size && b < a + a_size;
}

static bool wraps(u64 start, u64 size)
{
	return size && start + (size - 1) < start;
}

static bool has_flag(const struct jailhouse_memory *mem, u64 flag)
{
	return mem->flags & flag;
}

/* --- Memory ----------------------------------------------------------------- */

static int check_comm_region(const struct check *c, const struct jailhouse_memory *mem,
			     unsigned int n)
{
	if (mem->size != PAGE_SIZE || (mem->virt_start & PAGE_OFFS_MASK))
		return refuse(c->desc, "memory region %u: the communication region is one page", n);
	return 0;
}

static int check_phys(const struct check *c, const struct jailhouse_memory *mem, unsigned int n)
{
	const struct config_limits *l = c->limits;

	if (wraps(mem->phys_start, mem->size) || mem->phys_start + (mem->size - 1) >= l->max_phys)
		return refuse(c->desc, "memory region %u: phys_start 0x%llx, size 0x%llx "
			      "beyond physical addresses", n, mem->phys_start, mem->size);
	if (!mem_is_subpage(mem->virt_start, mem->size) && (mem->phys_start & PAGE_OFFS_MASK))
		return refuse(c->desc, "memory region %u: phys_start 0x%llx is not page-aligned",
			      n, mem->phys_start);
	if (ranges_overlap(mem->phys_start, mem->size, l->hv_start, l->hv_size))
		return refuse(c->desc, "memory region %u: phys_start 0x%llx, size 0x%llx "
			      "overlaps the hypervisor", n, mem->phys_start, mem->size);
	/* Memory is taken from and given back to the root cell by physical address. */
	if (c->root && mem->virt_start != mem->phys_start)
		return refuse(c->desc, "memory region %u: root cell regions must have virt_start "
			      "0x%llx equal to phys_start 0x%llx", n, mem->virt_start,
			      mem->phys_start);
	return 0;
}

static int check_region(const struct check *c, const struct jailhouse_memory *mem,
			unsigned int n)
{
	if (mem->size == 0)
		return 0;
	if (wraps(mem->virt_start, mem->size) ||
	    mem->virt_start + (mem->size - 1) >= c->limits->max_guest_phys)
		return refuse(c->desc, "memory region %u: virt_start 0x%llx, size 0x%llx "
			      "beyond guest-physical addresses", n, mem->virt_start, mem->size);
	if (has_flag(mem, JAILHOUSE_MEM_COMM_REGION))
		return check_comm_region(c, mem, n);
	return check_phys(c, mem, n);
}

static int check_virt_overlap(const struct check *c, unsigned int first)
{
	const struct jailhouse_memory *mem = jailhouse_cell_mem_regions(c->desc);
	const struct jailhouse_memory *a = &mem[first];

	for (unsigned int n = first + 1; n < c->desc->num_memory_regions; n++) {
		if (ranges_overlap(a->virt_start, a->size, mem[n].virt_start, mem[n].size))
			return refuse(c->desc, "memory regions %u and %u overlap at virt_start "
				      "0x%llx", first, n, mem[n].virt_start);
		if (a->size && mem[n].size &&
		    (a->flags & mem[n].flags & JAILHOUSE_MEM_COMM_REGION))
			return refuse(c->desc, "memory regions %u and %u: more than one "
				      "communication region", first, n);
	}
	return 0;
}

static int check_memory(const struct check *c)
{
	const struct jailhouse_memory *mem;
	unsigned int n;
	int err;

	for_each_mem_region(mem, c->desc, n) {
		err = check_region(c, mem, n);
		if (err)
			return err;
	}
	for (n = 0; n < c->desc->num_memory_regions; n++) {
		err = check_virt_overlap(c, n);
		if (err)
			return err;
	}
	return 0;
}

/* --- PCI, interrupts, ports -------------------------------------------------- */

static int check_pci_vectors(const struct check *c, const struct jailhouse_pci_device *dev,
			     unsigned int n)
{
	if (dev->num_msi_vectors > MAX_MSI_VECTORS)
		return refuse(c->desc, "PCI device %u: num_msi_vectors %u", n,
			      dev->num_msi_vectors);
	if (dev->num_msix_vectors > MAX_MSIX_VECTORS)
		return refuse(c->desc, "PCI device %u: num_msix_vectors %u", n,
			      dev->num_msix_vectors);
	if (dev->msix_address == 0)
		return 0;
	if (dev->num_msix_vectors * MSIX_ENTRY_SIZE > dev->msix_region_size)
		return refuse(c->desc, "PCI device %u: msix_region_size 0x%x too small for %u "
			      "vectors", n, dev->msix_region_size, dev->num_msix_vectors);
	if (wraps(dev->msix_address, dev->msix_region_size) ||
	    dev->msix_address + dev->msix_region_size > c->limits->max_phys ||
	    ranges_overlap(dev->msix_address, dev->msix_region_size,
			   c->limits->hv_start, c->limits->hv_size))
		return refuse(c->desc, "PCI device %u: msix_address 0x%llx", n, dev->msix_address);
	return 0;
}

static int check_pci_device(const struct check *c, const struct jailhouse_pci_device *dev,
			    unsigned int n)
{
	switch (dev->type) {
	case JAILHOUSE_PCI_TYPE_DEVICE:
	case JAILHOUSE_PCI_TYPE_BRIDGE:
		break;
	case JAILHOUSE_PCI_TYPE_IVSHMEM:
		/* Root configurations of other people have them: boot.c says that they are skipped. */
		return c->root ? 0 : refuse(c->desc, "PCI device %u: ivshmem: "
					    "not implemented yet", n);
	default:
		return refuse(c->desc, "PCI device %u: type %u", n, dev->type);
	}
	if ((u32)dev->caps_start + dev->num_caps > c->desc->num_pci_caps)
		return refuse(c->desc, "PCI device %u: capabilities %u+%u beyond %u", n,
			      dev->caps_start, dev->num_caps, c->desc->num_pci_caps);
	return check_pci_vectors(c, dev, n);
}

/* A writable record in the header would open BARs and command register. */
static int check_pci_cap(const struct check *c, const struct jailhouse_pci_capability *cap,
			 unsigned int n)
{
	if ((u32)cap->start + cap->len > PCI_CONFIG_SPACE ||
	    ((cap->flags & JAILHOUSE_PCICAPS_WRITE) && cap->start < PCI_HEADER_SIZE))
		return refuse(c->desc, "PCI capability %u: start 0x%x, len 0x%x", n,
			      cap->start, cap->len);
	return 0;
}

static int check_pci(const struct check *c)
{
	int err = 0;

	for (unsigned int n = 0; n < c->desc->num_pci_devices && !err; n++)
		err = check_pci_device(c, &jailhouse_cell_pci_devices(c->desc)[n], n);
	for (unsigned int n = 0; n < c->desc->num_pci_caps && !err; n++)
		err = check_pci_cap(c, &jailhouse_cell_pci_caps(c->desc)[n], n);
	return err;
}

static int check_interrupts_and_ports(const struct check *c)
{
	const struct jailhouse_irqchip *chip = jailhouse_cell_irqchips(c->desc);
	const struct jailhouse_pio *pio = jailhouse_cell_pio(c->desc);
	unsigned int n;

	for (n = 0; n < c->desc->num_irqchips; n++)
		if (!arch_irqchip_valid(&chip[n]))
			return refuse(c->desc, "irqchip %u: pin_base %u", n, chip[n].pin_base);
	for (n = 0; n < c->desc->num_pio_regions; n++)
		if ((u32)pio[n].base + pio[n].length > 0x10000)
			return refuse(c->desc, "PIO region %u: 0x%x+0x%x", n, pio[n].base,
				      pio[n].length);
	return 0;
}

/* --- The whole ---------------------------------------------------------------- */

static int check_name(const struct jailhouse_cell_desc *desc)
{
	size_t len = strnlen(desc->name, sizeof(desc->name));

	if (len < sizeof(desc->name))
		return 0;
	printk("Configuration refused: the name of the cell does not end\n");
	return trace_error(-EINVAL);
}

static int check_cpu_set(const struct jailhouse_cell_desc *desc)
{
	const u8 *set = jailhouse_cell_cpu_set(desc);
	u8 any = 0;

	for (unsigned int n = 0; n < desc->cpu_set_size; n++)
		any |= set[n];
	return any ? 0 : refuse(desc, "the CPU set is empty");
}

/* The counts fit into `size`; afterwards the accessors of cell-config.h are safe. */
static int check_counts(const struct jailhouse_cell_desc *desc, u64 size)
{
	u64 total = jailhouse_config_size(desc);

	if (desc->cpu_set_size > MAX_CPU_SET_SIZE || desc->cpu_set_size % 8)
		return refuse(desc, "cpu_set_size %u", desc->cpu_set_size);
	if (total > size)
		return refuse(desc, "its counts need 0x%llx bytes, it has 0x%llx", total, size);
	return 0;
}

static int check_content(const struct jailhouse_cell_desc *desc,
			 const struct config_limits *limits, bool root)
{
	const struct check c = { desc, limits, root };
	int err = check_cpu_set(desc);

	if (!err)
		err = check_memory(&c);
	if (!err)
		err = check_interrupts_and_ports(&c);
	if (!err)
		err = check_pci(&c);
	return err;
}

static bool has_signature(const char *found, const char *wanted)
{
	return memcmp(found, wanted, 5) == 0;
}

int config_check_cell(const struct jailhouse_cell_desc *desc, u64 size,
		      const struct config_limits *limits, u64 *total)
{
	int err;

	*total = 0;
	if (size < sizeof(*desc) || !has_signature(desc->signature, JAILHOUSE_CELL_DESC_SIGNATURE)) {
		printk("Not a cell configuration\n");
		return trace_error(-EINVAL);
	}
	err = check_name(desc);
	if (err)
		return err;
	if (desc->revision != JAILHOUSE_CONFIG_REVISION)
		return refuse(desc, "revision %u, supported is %u", desc->revision,
			      JAILHOUSE_CONFIG_REVISION);
	if (desc->architecture != ARCH_CONFIG_ID)
		return refuse(desc, "architecture %u", desc->architecture);
	*total = jailhouse_config_size(desc);
	if (*total > MAX_CONFIG_PAGES * PAGE_SIZE) {
		refuse(desc, "larger than %u pages", MAX_CONFIG_PAGES);
		return trace_error(-E2BIG);
	}
	err = check_counts(desc, size);
	return err ? err : check_content(desc, limits, false);
}

/* Fields outside the root cell's descriptor. */
static int check_platform(const struct jailhouse_system *sys, const struct config_limits *limits)
{
	const struct jailhouse_memory *own = &sys->hypervisor_memory;
	u64 window = (sys->platform_info.pci_mmconfig_end_bus + 1ULL) << 20;
	u64 base = sys->platform_info.pci_mmconfig_base;

	if (own->size == 0 || wraps(own->phys_start, own->size) ||
	    ((own->phys_start | own->size) & PAGE_OFFS_MASK) ||
	    own->phys_start + (own->size - 1) >= limits->max_phys ||
	    own->phys_start != limits->hv_start || own->size != limits->hv_size)
		return refuse(&sys->root_cell, "hypervisor_memory 0x%llx, size 0x%llx",
			      own->phys_start, own->size);
	if (base && ((base & PAGE_OFFS_MASK) || wraps(base, window) ||
		     base + (window - 1) >= limits->max_phys))
		return refuse(&sys->root_cell, "pci_mmconfig_base 0x%llx", base);
	if (!arch_console_valid(&sys->debug_console))
		return refuse(&sys->root_cell, "debug_console type %u", sys->debug_console.type);
	if (!arch_platform_valid(sys))
		return refuse(&sys->root_cell, ARCH_PLATFORM_REFUSED);
	return 0;
}

int config_check_system(const struct jailhouse_system *sys, u64 size,
			const struct config_limits *limits)
{
	const u64 fixed = sizeof(*sys) - sizeof(sys->root_cell);
	int err;

	if (size < sizeof(*sys) || !has_signature(sys->signature, JAILHOUSE_SYSTEM_SIGNATURE) ||
	    sys->revision != JAILHOUSE_CONFIG_REVISION || sys->architecture != ARCH_CONFIG_ID) {
		printk("Not a system configuration of this revision and architecture\n");
		return trace_error(-EINVAL);
	}
	err = check_name(&sys->root_cell);
	if (!err)
		err = check_counts(&sys->root_cell, size - fixed);
	if (!err)
		err = check_platform(sys, limits);
	return err ? err : check_content(&sys->root_cell, limits, true);
}

/* Sharing is fine only when both sides say so. */
static bool regions_conflict(const struct jailhouse_memory *a, const struct jailhouse_memory *b)
{
	if (has_flag(a, JAILHOUSE_MEM_COMM_REGION) || has_flag(b, JAILHOUSE_MEM_COMM_REGION) ||
	    (a->flags & b->flags & JAILHOUSE_MEM_ROOTSHARED))
		return false;
	return ranges_overlap(a->phys_start, a->size, b->phys_start, b->size);
}

static int check_against(const struct jailhouse_cell_desc *desc,
			 const struct jailhouse_cell_desc *other)
{
	const struct jailhouse_memory *a, *b;
	unsigned int n, m;

	for_each_mem_region(a, desc, n)
		for_each_mem_region(b, other, m)
			if (regions_conflict(a, b))
				return refuse(desc, "memory region %u overlaps region %u of cell "
					      "\"%s\"", n, m, other->name);
	return 0;
}

int config_check_overlap(const struct jailhouse_cell_desc *desc, const struct cell *others)
{
	int err = 0;

	for (; others && !err; others = others->next)
		err = check_against(desc, others->config);
	return err;
}
