// SPDX-License-Identifier: GPL-2.0-only
/* Units of the Intel image, in the order in which they start (abi.md 2.6). */
#include <core/cell.h>
#include <core/pci.h>
#include <core/unit.h>
#include <arch/ioapic.h>
#include <arch/test_device.h>
#include "cat.h"
#include "vtd.h"

const struct unit *const units[] = {
	&vtd_unit,
	&ioapic_unit,
#ifdef CONFIG_TEST_DEVICE
	&test_device_unit,
#endif
	&cat_unit,
	&pci_unit,
	NULL
};
