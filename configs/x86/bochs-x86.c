/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Root cell of the Bochs machine: i440FX, 2 CPUs, 1 GiB, no IOMMU, no MMCONFIG,
 * no MSI, a network card that interrupts by INTx; four serial ports (0x3f8
 * hypervisor and inmates, 0x2f8 Linux console, 0x3e8 command channel, 0x2e8
 * inmates).
 *
 * Kernel: memmap=82M$0x3a000000
 *
 * Reservation: hypervisor 6 MiB at 0x3a000000, inmates 74 MiB at 0x3a600000,
 * shared memory 2 MiB at 0x3f000000.
 */
#include <jailhouse/types.h>
#include <jailhouse/cell-config.h>

#define RAM	(JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE |		\
		 JAILHOUSE_MEM_EXECUTE | JAILHOUSE_MEM_DMA)
#define MMIO	(JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE)

struct {
	struct jailhouse_system header;
	__u64 cpus[1];
	struct jailhouse_memory mem_regions[7];
	struct jailhouse_irqchip irqchips[1];
	struct jailhouse_pio pio_regions[23];
	struct jailhouse_pci_device pci_devices[6];
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
			.x86 = {
				.pm_timer_address = 0xb008,
				.apic_mode = JAILHOUSE_APIC_MODE_XAPIC,
				/* .tsc_khz, .apic_khz: the driver finds out */
			},
		},
		.root_cell = {
			.name = "Bochs",
			.cpu_set_size = sizeof(config.cpus),
			.num_memory_regions = ARRAY_SIZE(config.mem_regions),
			.num_irqchips = ARRAY_SIZE(config.irqchips),
			.num_pio_regions = ARRAY_SIZE(config.pio_regions),
			.num_pci_devices = ARRAY_SIZE(config.pci_devices),
		},
	},

	.cpus = { 0x3 },

	.mem_regions = {
		/* RAM below the legacy hole */ {
			.phys_start = 0x0,
			.virt_start = 0x0,
			.size = 0xa0000,
			.flags = RAM,
		},
		/* VGA */ {
			.phys_start = 0xa0000,
			.virt_start = 0xa0000,
			.size = 0x20000,
			.flags = MMIO,
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
		/* HPET */ {
			.phys_start = 0xfed00000,
			.virt_start = 0xfed00000,
			.size = 0x1000,
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
	 * Not listed on purpose: 0x3f8 and 0x2e8 (consoles of hypervisor and
	 * inmates), 0xb2 (SMI), 0x8900 (Bochs' shutdown port).
	 */
	.pio_regions = {
		/* DMA controllers */
		PIO_RANGE(0x0, 0x10),
		PIO_RANGE(0xc0, 0x20),
		/* interrupt controllers, trigger modes, PIT, NMI status */
		PIO_RANGE(0x20, 2),
		PIO_RANGE(0xa0, 2),
		PIO_RANGE(0x4d0, 2),
		PIO_RANGE(0x40, 4),
		PIO_RANGE(0x61, 1),
		/* keyboard controller */
		PIO_RANGE(0x60, 1),
		PIO_RANGE(0x64, 1),
		/* RTC */
		PIO_RANGE(0x70, 8),
		/* IDE */
		PIO_RANGE(0x170, 8),
		PIO_RANGE(0x1f0, 8),
		PIO_RANGE(0x376, 1),
		PIO_RANGE(0x3f6, 1),
		PIO_RANGE(0xc000, 0x10),
		/* serial: Linux console, command channel */
		PIO_RANGE(0x2f8, 8),
		PIO_RANGE(0x3e8, 8),
		/* VGA */
		PIO_RANGE(0x3b0, 0x30),
		/* reset: a root cell that can switch the machine off may reboot it */
		PIO_RANGE(0xcf9, 1),
		/* ACPI power management */
		PIO_RANGE(0xb000, 0x40),
		/* SMBus */
		PIO_RANGE(0xb100, 0x10),
		/* UHCI */
		PIO_RANGE(0xc020, 0x20),
		/* NE2000 */
		PIO_RANGE(0xc040, 0x20),
	},

	.pci_devices = {
		/* host bridge */ {
			.type = JAILHOUSE_PCI_TYPE_DEVICE,
			.bdf = 0x0000,
		},
		/* ISA bridge */ {
			.type = JAILHOUSE_PCI_TYPE_DEVICE,
			.bdf = 0x0008,
		},
		/* IDE */ {
			.type = JAILHOUSE_PCI_TYPE_DEVICE,
			.bdf = 0x0009,
			.bar_mask = { 0, 0, 0, 0, 0xfffffff0, 0 },
		},
		/* UHCI */ {
			.type = JAILHOUSE_PCI_TYPE_DEVICE,
			.bdf = 0x000a,
			.bar_mask = { 0, 0, 0, 0, 0xffffffe0, 0 },
		},
		/* ACPI, SMBus */ {
			.type = JAILHOUSE_PCI_TYPE_DEVICE,
			.bdf = 0x000b,
		},
		/* NE2000 */ {
			.type = JAILHOUSE_PCI_TYPE_DEVICE,
			.bdf = 0x0010,
			.bar_mask = { 0xffffffe0, 0, 0, 0, 0, 0 },
		},
	},
};
