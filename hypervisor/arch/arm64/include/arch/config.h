/* SPDX-License-Identifier: GPL-2.0-only */
/* What arm64 demands of configurations (abi.md 1.7, 1.12). */
#ifndef ARCH_CONFIG_H
#define ARCH_CONFIG_H

#include <jailhouse/cell-config.h>
#include <core/types.h>

#define ARCH_CONFIG_ID		JAILHOUSE_ARM64

static inline bool arch_cpu_stays_with_root(unsigned int cpu)
{
	(void)cpu;
	return false;
}

static inline bool arch_irqchip_valid(const struct jailhouse_irqchip *chip)
{
	return chip->pin_base % 32 == 0 && chip->pin_base <= 1024 - 128;
}

static inline bool arch_console_valid(const struct jailhouse_console *con)
{
	return con->type == JAILHOUSE_CON_TYPE_NONE ||
		(con->type >= JAILHOUSE_CON_TYPE_8250 && con->type <= JAILHOUSE_CON_TYPE_SCIF &&
		 (con->flags & JAILHOUSE_CON_ACCESS_MMIO));
}

#define ARCH_PLATFORM_REFUSED	".gic_version is not 2 or 3"

static inline bool arch_platform_valid(const struct jailhouse_system *sys)
{
	unsigned int version = sys->platform_info.arm.gic_version;

	return version == 2 || version == 3;
}

#endif
