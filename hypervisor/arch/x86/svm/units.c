// SPDX-License-Identifier: GPL-2.0-only
/* Units of the AMD image, in the order in which they start (abi.md 2.6). */
#include <core/cell.h>
#include <core/pci.h>
#include <core/printk.h>
#include <core/unit.h>
#include <arch/ioapic.h>
#include <arch/test_device.h>
#include "../vmx/vtd.h"

#ifndef CONFIG_VTD
static int amd_iommu_init(void)
{
	const struct jailhouse_iommu *unit = system_config->platform_info.iommu_units;
	unsigned int n;

	for (n = 0; n < JAILHOUSE_MAX_IOMMU_UNITS && unit[n].base; n++) {
		if (unit[n].type != JAILHOUSE_IOMMU_AMD) {
			printk("ERROR: IOMMU unit %u has type %u, this machine needs %u\n", n,
			       unit[n].type, JAILHOUSE_IOMMU_AMD);
			return trace_error(-EINVAL);
		}
		printk("ERROR: AMD IOMMU @0x%llx: not implemented yet; remove the unit\n",
		       unit[n].base);
		return trace_error(-ENODEV);
	}
	printk("WARNING: no IOMMU configured: devices of a cell can reach all memory by DMA\n");
	return 0;
}

static const struct unit amd_iommu_unit = {
	.name = "AMD IOMMU",
	.init = amd_iommu_init,
};
#endif

const struct unit *const units[] = {
#ifdef CONFIG_VTD
	&vtd_unit,
#else
	&amd_iommu_unit,
#endif
	&ioapic_unit,
#ifdef CONFIG_TEST_DEVICE
	&test_device_unit,
#endif
	&pci_unit,
	NULL
};
