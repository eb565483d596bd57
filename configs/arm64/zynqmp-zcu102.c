/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Root cell of the ZCU102 (Zynq UltraScale+, UG1085) as QEMU has it: xlnx-zcu102 with
 * virtualization=on, 4 CPUs, 4 GiB; UART 0 is Linux', UART 1 hypervisor's and inmates'.
 * On the board itself more devices want to be listed, and its SMMU is not used.
 *
 * Kernel: mem=2048M kvm-arm.mode=none
 *
 * Reservation: inmates 252 MiB at 0x800000000, hypervisor 4 MiB at 0x80fc00000.
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
	struct jailhouse_irqchip irqchips[2];
} __attribute__((packed)) config = {
	.header = {
		.signature = JAILHOUSE_SYSTEM_SIGNATURE,
		.architecture = JAILHOUSE_ARM64,
		.revision = JAILHOUSE_CONFIG_REVISION,
		.flags = JAILHOUSE_SYS_VIRTUAL_DEBUG_CONSOLE,
		.hypervisor_memory = {
			.phys_start = 0x80fc00000,
			.size = 0x400000,
		},
		/* Its transmitter is switched on; its baud rate is the boot loader's. */
		.debug_console = {
			.address = 0xff010000,
			.size = 0x1000,
			.type = JAILHOUSE_CON_TYPE_XUARTPS,
			.flags = JAILHOUSE_CON_ACCESS_MMIO |
				 JAILHOUSE_CON_REGDIST_4,
			.divider = 1,
		},
		.platform_info = {
			.arm = {
				.maintenance_irq = 25,
				.gicd_base = 0xf9010000,
				.gic_version = 2,
				/*
				 * 4 KiB pages, each repeated over 64 KiB: the pages of
				 * GICC and GICV follow each other where the first one's
				 * repetitions end (UG1085, GIC; Linux looks there too).
				 */
				.gicc_base = 0xf902f000,
				.gich_base = 0xf9040000,
				.gicv_base = 0xf906f000,
			},
		},
		.root_cell = {
			.name = "ZynqMP-ZCU102",
			.cpu_set_size = sizeof(config.cpus),
			.num_memory_regions = ARRAY_SIZE(config.mem_regions),
			.num_irqchips = ARRAY_SIZE(config.irqchips),
		},
	},

	.cpus = { 0xf },

	.mem_regions = {
		/* RAM up to what mem= leaves */ {
			.phys_start = 0x0,
			.virt_start = 0x0,
			.size = 0x80000000,
			.flags = RAM,
		},
		/* RAM of the inmates */ {
			.phys_start = 0x800000000,
			.virt_start = 0x800000000,
			.size = 0x0fc00000,
			.flags = JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE,
		},
		/* UART 0: console of Linux, command channel */ {
			.phys_start = 0xff000000,
			.virt_start = 0xff000000,
			.size = 0x1000,
			.flags = MMIO,
		},
		/* GPIO */ {
			.phys_start = 0xff0a0000,
			.virt_start = 0xff0a0000,
			.size = 0x1000,
			.flags = MMIO,
		},
		/* GEM 3: network */ {
			.phys_start = 0xff0e0000,
			.virt_start = 0xff0e0000,
			.size = 0x1000,
			.flags = MMIO,
		},
		/* SD 1 */ {
			.phys_start = 0xff170000,
			.virt_start = 0xff170000,
			.size = 0x1000,
			.flags = MMIO,
		},
		/* RTC */ {
			.phys_start = 0xffa60000,
			.virt_start = 0xffa60000,
			.size = 0x1000,
			.flags = MMIO,
		},
	},

	.irqchips = {
		/* GIC: all SPIs but 54, of UART 1 */ {
			.address = 0xf9010000,
			.pin_base = 32,
			.pin_bitmap = { 0xffbfffff, 0xffffffff,
					0xffffffff, 0xffffffff },
		},
		/* the same, from 160 on */ {
			.address = 0xf9010000,
			.pin_base = 160,
			.pin_bitmap = { 0xffffffff },
		},
	},
};
