/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Binary configuration format, revision 14.
 *
 * A file is one fixed header (struct jailhouse_system, or for a cell struct
 * jailhouse_cell_desc) directly followed by arrays in the order of
 * jailhouse_config_size().  Everything is packed and little-endian.
 */
#ifndef JAILHOUSE_CELL_CONFIG_H
#define JAILHOUSE_CELL_CONFIG_H

#include <jailhouse/types.h>
#include <jailhouse/console.h>
#include <jailhouse/pci_defs.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#endif

#define JAILHOUSE_CONFIG_REVISION	14

#define JAILHOUSE_X86			0
#define JAILHOUSE_ARM			1
#define JAILHOUSE_ARM64			2

#define JAILHOUSE_CELL_NAME_MAXLEN	31
#define JAILHOUSE_CELL_DESC_SIGNATURE	"JHCLL"
#define JAILHOUSE_SYSTEM_SIGNATURE	"JHSYS"

/* Cell flags */
#define JAILHOUSE_CELL_PASSIVE_COMMREG			0x00000001
#define JAILHOUSE_CELL_TEST_DEVICE			0x00000002
#define JAILHOUSE_CELL_AARCH32				0x00000004
#define JAILHOUSE_CELL_VIRTUAL_CONSOLE_PERMITTED	0x40000000
#define JAILHOUSE_CELL_VIRTUAL_CONSOLE_ACTIVE		0x80000000

/* System flags */
#define JAILHOUSE_SYS_VIRTUAL_DEBUG_CONSOLE		0x0001

/* Memory region flags */
#define JAILHOUSE_MEM_READ		0x0001
#define JAILHOUSE_MEM_WRITE		0x0002
#define JAILHOUSE_MEM_EXECUTE		0x0004
#define JAILHOUSE_MEM_DMA		0x0008
#define JAILHOUSE_MEM_IO		0x0010
#define JAILHOUSE_MEM_COMM_REGION	0x0020
#define JAILHOUSE_MEM_LOADABLE		0x0040
#define JAILHOUSE_MEM_ROOTSHARED	0x0080
#define JAILHOUSE_MEM_NO_HUGEPAGES	0x0100
#define JAILHOUSE_MEM_IO_UNALIGNED	0x8000
#define JAILHOUSE_MEM_IO_WIDTH_SHIFT	16	/* flag = width in bytes << 16 */
#define JAILHOUSE_MEM_IO_8		(1 << JAILHOUSE_MEM_IO_WIDTH_SHIFT)
#define JAILHOUSE_MEM_IO_16		(2 << JAILHOUSE_MEM_IO_WIDTH_SHIFT)
#define JAILHOUSE_MEM_IO_32		(4 << JAILHOUSE_MEM_IO_WIDTH_SHIFT)
#define JAILHOUSE_MEM_IO_64		(8 << JAILHOUSE_MEM_IO_WIDTH_SHIFT)

#define JAILHOUSE_CACHE_L3_CODE		1
#define JAILHOUSE_CACHE_L3_DATA		2
#define JAILHOUSE_CACHE_L3		3
#define JAILHOUSE_CACHE_ROOTSHARED	0x0001

#define JAILHOUSE_PCI_TYPE_DEVICE	1
#define JAILHOUSE_PCI_TYPE_BRIDGE	2
#define JAILHOUSE_PCI_TYPE_IVSHMEM	3

#define JAILHOUSE_PCI_EXT_CAP		0x8000	/* in a capability record's id */
#define JAILHOUSE_PCICAPS_WRITE		0x0001

#define JAILHOUSE_SHMEM_PROTO_UNDEFINED		0x0000
#define JAILHOUSE_SHMEM_PROTO_VETH		0x0001
#define JAILHOUSE_SHMEM_PROTO_CUSTOM		0x4000
#define JAILHOUSE_SHMEM_PROTO_VIRTIO_FRONT	0x8000
#define JAILHOUSE_SHMEM_PROTO_VIRTIO_BACK	0xc000

#define VIRTIO_DEV_NET			1
#define VIRTIO_DEV_BLOCK		2
#define VIRTIO_DEV_CONSOLE		3

#define JAILHOUSE_IVSHMEM_BAR_MASK_INTX \
	{ 0xfffff000, 0x00000000, 0, 0, 0, 0 }
#define JAILHOUSE_IVSHMEM_BAR_MASK_MSIX \
	{ 0xfffff000, 0xfffff000, 0, 0, 0, 0 }
#define JAILHOUSE_IVSHMEM_BAR_MASK_INTX_64K \
	{ 0xffff0000, 0x00000000, 0, 0, 0, 0 }
#define JAILHOUSE_IVSHMEM_BAR_MASK_MSIX_64K \
	{ 0xffff0000, 0xffff0000, 0, 0, 0, 0 }

/* Four records of a two-peer link in 1 MiB at start, seen by peer dev_id */
#define JAILHOUSE_SHMEM_NET_REGIONS(start, dev_id)			\
	{								\
		.phys_start = (start),					\
		.virt_start = (start),					\
		.size = 0x1000,						\
		.flags = JAILHOUSE_MEM_READ | JAILHOUSE_MEM_ROOTSHARED,	\
	},								\
	{ 0 },								\
	{								\
		.phys_start = (start) + 0x1000,				\
		.virt_start = (start) + 0x1000,				\
		.size = 0x7f000,					\
		.flags = JAILHOUSE_MEM_READ | JAILHOUSE_MEM_ROOTSHARED |\
			((dev_id) == 0 ? JAILHOUSE_MEM_WRITE : 0),	\
	},								\
	{								\
		.phys_start = (start) + 0x80000,			\
		.virt_start = (start) + 0x80000,			\
		.size = 0x7f000,					\
		.flags = JAILHOUSE_MEM_READ | JAILHOUSE_MEM_ROOTSHARED |\
			((dev_id) == 1 ? JAILHOUSE_MEM_WRITE : 0),	\
	}

#define JAILHOUSE_APIC_MODE_AUTO	0
#define JAILHOUSE_APIC_MODE_XAPIC	1
#define JAILHOUSE_APIC_MODE_X2APIC	2

#define JAILHOUSE_MAX_IOMMU_UNITS	8
#define JAILHOUSE_IOMMU_AMD		1
#define JAILHOUSE_IOMMU_INTEL		2
#define JAILHOUSE_IOMMU_SMMUV3		3
#define JAILHOUSE_IOMMU_PVU		4
#define JAILHOUSE_IOMMU_ARM_MMU500	5

#define PIO_RANGE(__base, __length)	\
	{ .base = (__base), .length = (__length) }

#ifndef __ASSEMBLER__

struct jailhouse_cell_desc {
	char signature[5];
	__u8 architecture;
	__u16 revision;

	char name[JAILHOUSE_CELL_NAME_MAXLEN + 1];
	__u32 id;		/* 0 in files, set by the driver */
	__u32 flags;

	__u32 cpu_set_size;	/* bytes */
	__u32 num_memory_regions;
	__u32 num_cache_regions;
	__u32 num_irqchips;
	__u32 num_pio_regions;
	__u32 num_pci_devices;
	__u32 num_pci_caps;
	__u32 num_stream_ids;

	__u32 vpci_irq_base;

	__u64 cpu_reset_address;
	__u64 msg_reply_timeout;	/* loop turns, 0: wait for ever */

	struct jailhouse_console console;
} __attribute__((packed));

struct jailhouse_memory {
	__u64 phys_start;
	__u64 virt_start;
	__u64 size;
	__u64 flags;
} __attribute__((packed));

struct jailhouse_cache {
	__u32 start;
	__u32 size;
	__u8 type;
	__u8 padding;
	__u16 flags;
} __attribute__((packed));

struct jailhouse_irqchip {
	__u64 address;
	__u32 id;
	__u32 pin_base;
	__u32 pin_bitmap[4];
} __attribute__((packed));

struct jailhouse_pio {
	__u16 base;
	__u16 length;
} __attribute__((packed));

struct jailhouse_pci_device {
	__u8 type;
	__u8 iommu;
	__u16 domain;
	__u16 bdf;
	__u32 bar_mask[6];
	__u16 caps_start;
	__u16 num_caps;
	__u8 num_msi_vectors;
	__u8 msi_64bits:1;
	__u8 msi_maskable:1;
	__u16 num_msix_vectors;
	__u16 msix_region_size;
	__u64 msix_address;
	__u32 shmem_regions_start;
	__u8 shmem_dev_id;
	__u8 shmem_peers;
	__u16 shmem_protocol;
} __attribute__((packed));

struct jailhouse_pci_capability {
	__u16 id;
	__u16 start;
	__u16 len;
	__u16 flags;
} __attribute__((packed));

union jailhouse_stream_id {
	__u32 id;
	struct {
		__u16 id;
		__u16 mask_out;
	} __attribute__((packed)) mmu500;
} __attribute__((packed));

struct jailhouse_iommu {
	__u32 type;
	__u64 base;		/* 0: end of the list */
	__u32 size;
	union {
		struct {
			__u16 bdf;
			__u8 base_cap;
			__u8 msi_cap;
			__u32 features;
		} __attribute__((packed)) amd;
		struct {
			__u64 tlb_base;
			__u32 tlb_size;
		} __attribute__((packed)) tipvu;
	};
} __attribute__((packed));

struct jailhouse_system {
	char signature[5];
	__u8 architecture;
	__u16 revision;
	__u32 flags;

	struct jailhouse_memory hypervisor_memory;
	struct jailhouse_console debug_console;
	struct {
		__u64 pci_mmconfig_base;	/* 0: no MMCONFIG */
		__u8 pci_mmconfig_end_bus;
		__u8 pci_is_virtual;
		__u16 pci_domain;
		struct jailhouse_iommu iommu_units[JAILHOUSE_MAX_IOMMU_UNITS];
		union {
			struct {
				__u16 pm_timer_address;
				__u8 apic_mode;
				__u8 padding;
				__u32 vtd_interrupt_limit;
				__u32 tsc_khz;
				__u32 apic_khz;
			} __attribute__((packed)) x86;
			struct {
				__u8 maintenance_irq;
				__u8 gic_version;
				__u8 padding[2];
				__u64 gicd_base;
				__u64 gicc_base;
				__u64 gich_base;
				__u64 gicv_base;
				__u64 gicr_base;
			} __attribute__((packed)) arm;
		} __attribute__((packed));
	} __attribute__((packed)) platform_info;

	struct jailhouse_cell_desc root_cell;
} __attribute__((packed));

/* Accessors of a configuration whose counts have been checked. */

static inline __u64 jailhouse_config_size(const struct jailhouse_cell_desc *c)
{
	/* 64-bit arithmetic on 32-bit counts: cannot overflow. */
	return sizeof(*c) + (__u64)c->cpu_set_size +
		(__u64)c->num_memory_regions *
			sizeof(struct jailhouse_memory) +
		(__u64)c->num_cache_regions * sizeof(struct jailhouse_cache) +
		(__u64)c->num_irqchips * sizeof(struct jailhouse_irqchip) +
		(__u64)c->num_pio_regions * sizeof(struct jailhouse_pio) +
		(__u64)c->num_pci_devices *
			sizeof(struct jailhouse_pci_device) +
		(__u64)c->num_pci_caps *
			sizeof(struct jailhouse_pci_capability) +
		(__u64)c->num_stream_ids * sizeof(union jailhouse_stream_id);
}

static inline __u64
jailhouse_system_config_size(const struct jailhouse_system *s)
{
	return sizeof(*s) - sizeof(s->root_cell) +
		jailhouse_config_size(&s->root_cell);
}

static inline const __u8 *
jailhouse_cell_cpu_set(const struct jailhouse_cell_desc *c)
{
	return (const __u8 *)c + sizeof(*c);
}

static inline const struct jailhouse_memory *
jailhouse_cell_mem_regions(const struct jailhouse_cell_desc *c)
{
	return (const struct jailhouse_memory *)
		(jailhouse_cell_cpu_set(c) + c->cpu_set_size);
}

static inline const struct jailhouse_cache *
jailhouse_cell_cache_regions(const struct jailhouse_cell_desc *c)
{
	return (const struct jailhouse_cache *)
		(jailhouse_cell_mem_regions(c) + c->num_memory_regions);
}

static inline const struct jailhouse_irqchip *
jailhouse_cell_irqchips(const struct jailhouse_cell_desc *c)
{
	return (const struct jailhouse_irqchip *)
		(jailhouse_cell_cache_regions(c) + c->num_cache_regions);
}

static inline const struct jailhouse_pio *
jailhouse_cell_pio(const struct jailhouse_cell_desc *c)
{
	return (const struct jailhouse_pio *)
		(jailhouse_cell_irqchips(c) + c->num_irqchips);
}

static inline const struct jailhouse_pci_device *
jailhouse_cell_pci_devices(const struct jailhouse_cell_desc *c)
{
	return (const struct jailhouse_pci_device *)
		(jailhouse_cell_pio(c) + c->num_pio_regions);
}

static inline const struct jailhouse_pci_capability *
jailhouse_cell_pci_caps(const struct jailhouse_cell_desc *c)
{
	return (const struct jailhouse_pci_capability *)
		(jailhouse_cell_pci_devices(c) + c->num_pci_devices);
}

static inline const union jailhouse_stream_id *
jailhouse_cell_stream_ids(const struct jailhouse_cell_desc *c)
{
	return (const union jailhouse_stream_id *)
		(jailhouse_cell_pci_caps(c) + c->num_pci_caps);
}

#endif /* !__ASSEMBLER__ */
#endif
