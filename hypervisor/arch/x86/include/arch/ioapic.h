/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_IOAPIC_H
#define ARCH_IOAPIC_H

#include <core/unit.h>

extern const struct unit ioapic_unit;

/* As pci_handed_over */
extern bool ioapic_handed_over;
/* The root cell's pins, until the next commit or the unit's shutdown: no request stays on its way. */
void ioapic_silence(void);

#endif
