/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Root cell of our reference machine: QEMU q35 without IOMMU, 4 CPUs, 1 GiB,
 * e1000e at 02.0, intel-hda at 1b.0, four serial ports (0x3f8 hypervisor and
 * inmates, 0x2f8 Linux console, 0x2e8 command channel, 0x3e8 inmates).
 *
 * Kernel: memmap=82M$0x3a000000 intel_iommu=off amd_iommu=off
 *
 * Reservation: hypervisor 6 MiB at 0x3a000000, inmates 74 MiB at 0x3a600000,
 * shared memory 2 MiB at 0x3f000000.  BARs move when devices are added.
 */
#include <jailhouse/types.h>
#include <jailhouse/cell-config.h>

#define RAM	(JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE |		\
		 JAILHOUSE_MEM_EXECUTE | JAILHOUSE_MEM_DMA)
#define MMIO	(JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE)

struct {
	struct jailhouse_system header;
	__u64 cpus[1];
	struct jailhouse_memory mem_regions[12];
	struct jailhouse_irqchip irqchips[1];
	struct jailhouse_pio pio_regions[13];
	struct jailhouse_pci_device pci_devices[6];
	struct jailhouse_pci_capability pci_caps[11];
} __attribute__((packed)) config = {
	.header = {
		.signature = JAILHOUSE_SYSTEM_SIGNATURE,
		.architecture = JAILHOUSE_X86,
		.revision = JAILHOUSE_CONFIG_REVISION,
		.flags = JAILHOUSE_SYS_VIRTUAL_DEBUG_CONSOLE,
		.hypervisor_memory = {
			.phys_start = 0x3a000000,
			.size = 0x600000,
		},
		.debug_console = {
			.address = 0x3f8,
			.type = JAILHOUSE_CON_TYPE_8250,
			.flags = JAILHOUSE_CON_ACCESS_PIO |
				 JAILHOUSE_CON_REGDIST_1,
			.divider = 1,
		},
		.platform_info = {
			.pci_mmconfig_base = 0xb0000000,
			.pci_mmconfig_end_bus = 0xff,
#ifdef QEMU_X86_VTD
			.iommu_units = {
				{
					.type = JAILHOUSE_IOMMU_INTEL,
					.base = 0xfed90000,
					.size = 0x1000,
				},
			},
#endif
			.x86 = {
#ifdef QEMU_X86_VTD
				.vtd_interrupt_limit = 256,
#endif
				.pm_timer_address = 0x608,
				.apic_mode = JAILHOUSE_APIC_MODE_AUTO,
				/* .tsc_khz: the driver asks Linux */
				.apic_khz = 1000000,
			},
		},
		.root_cell = {
#ifdef QEMU_X86_VTD
			.name = "QEMU-VT-d",
#else
			.name = "QEMU-Reference",
#endif
			.cpu_set_size = sizeof(config.cpus),
			.num_memory_regions = ARRAY_SIZE(config.mem_regions),
			.num_irqchips = ARRAY_SIZE(config.irqchips),
			.num_pio_regions = ARRAY_SIZE(config.pio_regions),
			.num_pci_devices = ARRAY_SIZE(config.pci_devices),
			.num_pci_caps = ARRAY_SIZE(config.pci_caps),
		},
	},

	.cpus = { 0xf },

	.mem_regions = {
		/* RAM below the legacy hole */ {
			.phys_start = 0x0,
			.virt_start = 0x0,
			.size = 0xa0000,
			.flags = RAM,
		},
		/* firmware */ {
			.phys_start = 0xc0000,
			.virt_start = 0xc0000,
			.size = 0x40000,
			.flags = JAILHOUSE_MEM_READ,
		},
		/* RAM up to what memmap= reserves */ {
			.phys_start = 0x100000,
			.virt_start = 0x100000,
			.size = 0x39f00000,
			.flags = RAM,
		},
		/* RAM of the inmates */ {
			.phys_start = 0x3a600000,
			.virt_start = 0x3a600000,
			.size = 0x4a00000,
			.flags = JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE,
		},
		/* RAM above, ACPI tables */ {
			.phys_start = 0x3f200000,
			.virt_start = 0x3f200000,
			.size = 0xe00000,
			.flags = RAM,
		},
		/* e1000e 02.0: registers */ {
			.phys_start = 0xfeba0000,
			.virt_start = 0xfeba0000,
			.size = 0x20000,
			.flags = MMIO,
		},
		/* e1000e 02.0: flash */ {
			.phys_start = 0xfebc0000,
			.virt_start = 0xfebc0000,
			.size = 0x20000,
			.flags = MMIO,
		},
		/* e1000e 02.0: MSI-X pending bits, behind the table page */ {
			.phys_start = 0xfebe1000,
			.virt_start = 0xfebe1000,
			.size = 0x3000,
			.flags = MMIO,
		},
		/* Intel HDA 1b.0 */ {
			.phys_start = 0xfebe4000,
			.virt_start = 0xfebe4000,
			.size = 0x4000,
			.flags = MMIO,
		},
		/* AHCI 1f.2 */ {
			.phys_start = 0xfebe8000,
			.virt_start = 0xfebe8000,
			.size = 0x1000,
			.flags = MMIO,
		},
		/* HPET */ {
			.phys_start = 0xfed00000,
			.virt_start = 0xfed00000,
			.size = 0x1000,
			.flags = MMIO,
		},
		/* chipset registers (RCBA), TCO watchdog */ {
			.phys_start = 0xfed1c000,
			.virt_start = 0xfed1c000,
			.size = 0x4000,
			.flags = MMIO,
		},
	},

	.irqchips = {
		/* IOAPIC */ {
			.address = 0xfec00000,
			.id = 0xff00,
			.pin_bitmap = { 0x00ffffff },
		},
	},

	/*
	 * Not listed on purpose: 0x3f8 and 0x3e8 (consoles of hypervisor and
	 * inmates), 0x510 (fw_cfg can write to any memory by DMA), 0xb2 (SMI).
	 */
	.pio_regions = {
		/* interrupt controllers, PIT, NMI status */
		PIO_RANGE(0x20, 2),
		PIO_RANGE(0x40, 4),
		PIO_RANGE(0x61, 1),
		PIO_RANGE(0xa0, 2),
		/* keyboard controller */
		PIO_RANGE(0x60, 1),
		PIO_RANGE(0x64, 1),
		/* RTC */
		PIO_RANGE(0x70, 8),
		/* serial: command channel, console of Linux */
		PIO_RANGE(0x2e8, 8),
		PIO_RANGE(0x2f8, 8),
		/* reset: a root cell that can switch the machine off may reboot it */
		PIO_RANGE(0xcf9, 1),
		/* ACPI power management, TCO watchdog */
		PIO_RANGE(0x600, 0x80),
		/* SMBus */
		PIO_RANGE(0x700, 0x40),
		/* I/O BARs */
		PIO_RANGE(0xc040, 0x40),
	},

	.pci_devices = {
		/* host bridge */ {
			.type = JAILHOUSE_PCI_TYPE_DEVICE,
			.bdf = 0x0000,
		},
		/* network, e1000e */ {
			.type = JAILHOUSE_PCI_TYPE_DEVICE,
			.bdf = 0x0010,
			.bar_mask = {
				0xfffe0000, 0xfffe0000, 0xffffffe0,
				0xffffc000, 0, 0,
			},
			.caps_start = 0,
			.num_caps = 6,
			.num_msi_vectors = 1,
			.msi_64bits = 1,
			.num_msix_vectors = 5,
			.msix_region_size = 0x1000,
			.msix_address = 0xfebe0000,
		},
		/* audio, Intel HDA */ {
			.type = JAILHOUSE_PCI_TYPE_DEVICE,
			.bdf = 0x00d8,
			.bar_mask = { 0xffffc000, 0, 0, 0, 0, 0 },
			.caps_start = 6,
			.num_caps = 1,
			.num_msi_vectors = 1,
			.msi_64bits = 1,
		},
		/* ISA bridge, ICH9 LPC */ {
			.type = JAILHOUSE_PCI_TYPE_DEVICE,
			.bdf = 0x00f8,
		},
		/* disk, AHCI */ {
			.type = JAILHOUSE_PCI_TYPE_DEVICE,
			.bdf = 0x00fa,
			.bar_mask = { 0, 0, 0, 0, 0xffffffe0, 0xfffff000 },
			.caps_start = 7,
			.num_caps = 3,
			.num_msi_vectors = 1,
			.msi_64bits = 1,
		},
		/* SMBus */ {
			.type = JAILHOUSE_PCI_TYPE_DEVICE,
			.bdf = 0x00fb,
			.bar_mask = { 0, 0, 0, 0, 0xffffffc0, 0 },
			.caps_start = 10,
			.num_caps = 1,
		},
	},

	.pci_caps = {
		/* 02.0 e1000e */ {
			.id = PCI_CAP_ID_MSIX,
			.start = 0xa0,
			.len = 12,
			.flags = JAILHOUSE_PCICAPS_WRITE,
		},
		{
			.id = PCI_CAP_ID_PM,
			.start = 0xc8,
			.len = 8,
			.flags = JAILHOUSE_PCICAPS_WRITE,
		},
		{
			.id = PCI_CAP_ID_MSI,
			.start = 0xd0,
			.len = 14,
			.flags = JAILHOUSE_PCICAPS_WRITE,
		},
		{
			.id = PCI_CAP_ID_EXP,
			.start = 0xe0,
			.len = 20,
			.flags = JAILHOUSE_PCICAPS_WRITE,
		},
		{
			.id = PCI_EXT_CAP_ID_ERR | JAILHOUSE_PCI_EXT_CAP,
			.start = 0x100,
			.len = 0x48,
			.flags = JAILHOUSE_PCICAPS_WRITE,
		},
		{
			.id = PCI_EXT_CAP_ID_DSN | JAILHOUSE_PCI_EXT_CAP,
			.start = 0x140,
			.len = 12,
		},
		/* 1b.0 Intel HDA */ {
			.id = PCI_CAP_ID_MSI,
			.start = 0x60,
			.len = 14,
			.flags = JAILHOUSE_PCICAPS_WRITE,
		},
		/* 1f.2 AHCI */ {
			.id = PCI_CAP_ID_MSI,
			.start = 0x80,
			.len = 14,
			.flags = JAILHOUSE_PCICAPS_WRITE,
		},
		/* port control and status */ {
			.id = 0,
			.start = 0x92,
			.len = 2,
			.flags = JAILHOUSE_PCICAPS_WRITE,
		},
		{
			.id = PCI_CAP_ID_SATA,
			.start = 0xa8,
			.len = 8,
		},
		/* 1f.3 SMBus: host configuration */ {
			.id = 0,
			.start = 0x40,
			.len = 1,
			.flags = JAILHOUSE_PCICAPS_WRITE,
		},
	},
};
