// SPDX-License-Identifier: GPL-2.0-only
/* The units of an x86 machine, in the order of their set-up (abi.md 2.6). */
#include <core/pci.h>
#include <core/unit.h>
#include <arch/ioapic.h>
#include <arch/test_device.h>

const struct unit *const units[] = {
	&ioapic_unit,
	TEST_DEVICE_UNIT
	&pci_unit,
	NULL
};
