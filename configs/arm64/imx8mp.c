/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Root cell of the i.MX 8M Plus EVK as QEMU has it: imx8mp-evk, 4 CPUs, 4 GiB; UART 2 is
 * Linux' console, UART 3 the command channel, UART 4 hypervisor's and inmates'.
 *
 * Kernel: mem=2048M kvm-arm.mode=none
 *
 * Reservation: inmates 252 MiB at 0xc0000000, hypervisor 4 MiB at 0xcfc00000.
 */
#include <jailhouse/types.h>
#include <jailhouse/cell-config.h>

#define RAM	(JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE |		\
		 JAILHOUSE_MEM_EXECUTE | JAILHOUSE_MEM_DMA)
#define MMIO	(JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE | JAILHOUSE_MEM_IO)

struct {
	struct jailhouse_system header;
	__u64 cpus[1];
	struct jailhouse_memory mem_regions[6];
	struct jailhouse_irqchip irqchips[2];
} __attribute__((packed)) config = {
	.header = {
		.signature = JAILHOUSE_SYSTEM_SIGNATURE,
		.architecture = JAILHOUSE_ARM64,
		.revision = JAILHOUSE_CONFIG_REVISION,
		.flags = JAILHOUSE_SYS_VIRTUAL_DEBUG_CONSOLE,
		.hypervisor_memory = {
			.phys_start = 0xcfc00000,
			.size = 0x400000,
		},
		/* It is switched on; its baud rate is the boot loader's. */
		.debug_console = {
			.address = 0x30a60000,
			.size = 0x1000,
			.type = JAILHOUSE_CON_TYPE_IMX,
			.flags = JAILHOUSE_CON_ACCESS_MMIO |
				 JAILHOUSE_CON_REGDIST_4,
			.divider = 1,
		},
		.platform_info = {
			.arm = {
				.maintenance_irq = 25,
				.gicd_base = 0x38800000,
				.gic_version = 3,
				.gicr_base = 0x38880000,
			},
		},
		.root_cell = {
			.name = "imx8mp",
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
			.size = 0x80000000,
			.flags = RAM,
		},
		/* RAM of the inmates */ {
			.phys_start = 0xc0000000,
			.virt_start = 0xc0000000,
			.size = 0x0fc00000,
			.flags = JAILHOUSE_MEM_READ | JAILHOUSE_MEM_WRITE,
		},
		/* AIPS 1 to 3, up to UART 4 */ {
			.phys_start = 0x30000000,
			.virt_start = 0x30000000,
			.size = 0x00a60000,
			.flags = MMIO,
		},
		/* AIPS 3 behind UART 4 (USDHC, FEC), AIPS 5 */ {
			.phys_start = 0x30a70000,
			.virt_start = 0x30a70000,
			.size = 0x00590000,
			.flags = MMIO,
		},
		/* AIPS 4 */ {
			.phys_start = 0x32c00000,
			.virt_start = 0x32c00000,
			.size = 0x00400000,
			.flags = MMIO,
		},
		/* USB */ {
			.phys_start = 0x38100000,
			.virt_start = 0x38100000,
			.size = 0x00200000,
			.flags = MMIO,
		},
	},

	.irqchips = {
		/* GIC: all SPIs but 61, of UART 4 */ {
			.address = 0x38800000,
			.pin_base = 32,
			.pin_bitmap = { 0xdfffffff, 0xffffffff,
					0xffffffff, 0xffffffff },
		},
		/* the same, from 160 on */ {
			.address = 0x38800000,
			.pin_base = 160,
			.pin_bitmap = { 0xffffffff },
		},
	},
};
