/* SPDX-License-Identifier: GPL-2.0-only */
/* What x86 demands of configurations (core/config.c). */
#ifndef ARCH_CONFIG_H
#define ARCH_CONFIG_H

#include <jailhouse/cell-config.h>
#include <core/types.h>

#define ARCH_CONFIG_ID		JAILHOUSE_X86

/* Linux cannot give up its boot CPU: firmware and legacy interrupts know no other. */
static inline bool arch_cpu_stays_with_root(unsigned int cpu)
{
	return cpu == 0;
}

/* Pins are numbered from 0 in each IOAPIC (abi.md 1.7). */
static inline bool arch_irqchip_valid(const struct jailhouse_irqchip *chip)
{
	return chip->pin_base == 0;
}

/* Only 8250 by ports or memory; the framebuffer type is accepted and ignored. */
static inline bool arch_console_valid(const struct jailhouse_console *con)
{
	return con->type == JAILHOUSE_CON_TYPE_NONE ||
		con->type == JAILHOUSE_CON_TYPE_EFIFB ||
		con->type == JAILHOUSE_CON_TYPE_8250;
}

#define ARCH_PLATFORM_REFUSED	"pm_timer_address collides with other ports"

/*
 * The four bytes of the PM timer are open to every cell: they must not reach
 * past the ports, nor into what is always emulated (bugs.md A30).
 */
static inline bool arch_platform_valid(const struct jailhouse_system *sys)
{
	unsigned int timer = sys->platform_info.x86.pm_timer_address;

	if (timer == 0)
		return true;
	return timer <= 0xfffc &&
		!(timer + 3 >= 0xcf8 && timer <= 0xcff) &&
		!(timer + 3 >= 0x60 && timer <= 0x64) &&
		!(timer + 3 >= 0x80 && timer <= 0x80);
}

#endif
