/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_IOAPIC_H
#define ARCH_IOAPIC_H

#include <core/unit.h>

extern const struct unit ioapic_unit;

#endif
