/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Root cell of our reference machine with gic-version=3: QEMU virt with
 * virtualization=on,its=off, 4 CPUs, 1 GiB; virtio by MMIO, two PL011
 * (0x09000000 Linux' console, 0x09040000 hypervisor and inmates).
 *
 * Kernel: mem=768M kvm-arm.mode=none
 *
 * Reservation: inmates 252 MiB at 0x70000000, hypervisor 4 MiB at 0x7fc00000.
 */
#include <jailhouse/types.h>
#include <jailhouse/cell-config.h>

#define RAM	(JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE |		\
		 JAILHOUSE_MEM_EXECUTE | JAILHOUSE_MEM_DMA)
#define MMIO	(JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE | JAILHOUSE_MEM_IO)

struct {
	struct jailhouse_system header;
	__u64 cpus[1];
	struct jailhouse_memory mem_regions[7];
	struct jailhouse_irqchip irqchips[1];
} __attribute__((packed)) config = {
	.header = {
		.signature = JAILHOUSE_SYSTEM_SIGNATURE,
		.architecture = JAILHOUSE_ARM64,
		.revision = JAILHOUSE_CONFIG_REVISION,
		.flags = JAILHOUSE_SYS_VIRTUAL_DEBUG_CONSOLE,
		.hypervisor_memory = {
			.phys_start = 0x7fc00000,
			.size = 0x400000,
		},
		.debug_console = {
			.address = 0x09040000,
			.size = 0x1000,
			.type = JAILHOUSE_CON_TYPE_PL011,
			.flags = JAILHOUSE_CON_ACCESS_MMIO |
				 JAILHOUSE_CON_REGDIST_4,
			.divider = 13,
		},
		.platform_info = {
			.arm = {
				.maintenance_irq = 25,
				.gicd_base = 0x08000000,
				.gic_version = 3,
				.gicr_base = 0x080a0000,
			},
		},
		.root_cell = {
			.name = "QEMU-Reference",
			.cpu_set_size = sizeof(config.cpus),
			.num_memory_regions = ARRAY_SIZE(config.mem_regions),
			.num_irqchips = ARRAY_SIZE(config.irqchips),
		},
	},

	.cpus = { 0xf },

	.mem_regions = {
		/* RAM up to what mem= leaves */ {
			.phys_start = 0x40000000,
			.virt_start = 0x40000000,
			.size = 0x30000000,
			.flags = RAM,
		},
		/* RAM of the inmates */ {
			.phys_start = 0x70000000,
			.virt_start = 0x70000000,
			.size = 0x0fc00000,
			.flags = JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE,
		},
		/* first PL011: console of Linux */ {
			.phys_start = 0x09000000,
			.virt_start = 0x09000000,
			.size = 0x1000,
			.flags = MMIO,
		},
		/* RTC */ {
			.phys_start = 0x09010000,
			.virt_start = 0x09010000,
			.size = 0x1000,
			.flags = MMIO,
		},
		/* GPIO: power button */ {
			.phys_start = 0x09030000,
			.virt_start = 0x09030000,
			.size = 0x1000,
			.flags = MMIO,
		},
		/* virtio transports: disk, command channel, network */ {
			.phys_start = 0x0a000000,
			.virt_start = 0x0a000000,
			.size = 0x4000,
			.flags = MMIO,
		},
		/* configuration space of a PCI bus without devices */ {
			.phys_start = 0x4010000000,
			.virt_start = 0x4010000000,
			.size = 0x10000000,
			.flags = MMIO,
		},
	},

	/*
	 * Not listed on purpose: the second PL011 (40), and fw_cfg at 0x09020000,
	 * which can write to any memory by DMA.
	 */
	.irqchips = {
		/* GIC: PL011 33, RTC 34, PCI 35-38, GPIO 39, virtio 48-79 */ {
			.address = 0x08000000,
			.pin_base = 32,
			.pin_bitmap = { 0xffff00fe, 0x0000ffff },
		},
	},
};
