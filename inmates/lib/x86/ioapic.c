/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <inmate.h>

#define IOAPIC_INDEX		((void *)IOAPIC_BASE)
#define IOAPIC_DATA		((void *)(IOAPIC_BASE + 0x10))
#define IOAPIC_REDIR(pin)	(0x10 + 2 * (pin))

void ioapic_init(void)
{
	map_range(IOAPIC_BASE, PAGE_SIZE, MAP_UNCACHED);
}

u32 ioapic_read(unsigned int reg)
{
	mmio_write32(IOAPIC_INDEX, reg);
	return mmio_read32(IOAPIC_DATA);
}

void ioapic_write(unsigned int reg, u32 value)
{
	mmio_write32(IOAPIC_INDEX, reg);
	mmio_write32(IOAPIC_DATA, value);
}

void ioapic_set_pin(unsigned int pin, unsigned int vector, u32 flags)
{
	/* Destination before the half that unmasks. */
	ioapic_write(IOAPIC_REDIR(pin) + 1, apic_id() << 24);
	ioapic_write(IOAPIC_REDIR(pin), vector | flags);
}
