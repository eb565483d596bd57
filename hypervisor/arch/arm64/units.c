// SPDX-License-Identifier: GPL-2.0-only
/* Units of the ARM64 image, in the order in which they start (abi.md 2.6). */
#include <core/cell.h>
#include <core/pci.h>
#include <core/printk.h>
#include <core/unit.h>
#include <arch/irqchip.h>

/* The units of one type: none is fine, one is refused as long as there is no code for it. */
static int refuse_type(u32 type, const char *name)
{
	const struct jailhouse_iommu *unit = system_config->platform_info.iommu_units;

	for (unsigned int n = 0; n < JAILHOUSE_MAX_IOMMU_UNITS && unit[n].base; n++) {
		if (unit[n].type != type)
			continue;
		printk("ERROR: %s @0x%llx: not implemented yet; remove the unit\n", name,
		       unit[n].base);
		return trace_error(-ENODEV);
	}
	return 0;
}

static int check_types(void)
{
	const struct jailhouse_iommu *unit = system_config->platform_info.iommu_units;

	for (unsigned int n = 0; n < JAILHOUSE_MAX_IOMMU_UNITS && unit[n].base; n++)
		if (unit[n].type != JAILHOUSE_IOMMU_SMMUV3 &&
		    unit[n].type != JAILHOUSE_IOMMU_ARM_MMU500 &&
		    unit[n].type != JAILHOUSE_IOMMU_PVU) {
			printk("ERROR: IOMMU unit %u has type %u, which is not one of ARM\n", n,
			       unit[n].type);
			return trace_error(-EINVAL);
		}
	if (!unit[0].base)
		printk("WARNING: no IOMMU configured: devices of a cell can reach all memory by DMA\n");
	return 0;
}

static int smmuv3_init(void)
{
	int err = check_types();

	return err ? err : refuse_type(JAILHOUSE_IOMMU_SMMUV3, "ARM SMMU v3");
}

static int smmu_init(void)
{
	return refuse_type(JAILHOUSE_IOMMU_ARM_MMU500, "ARM MMU500");
}

static int pvu_init(void)
{
	return refuse_type(JAILHOUSE_IOMMU_PVU, "PVU IOMMU");
}

static const struct unit smmuv3_unit = { .name = "ARM SMMU v3", .init = smmuv3_init };
static const struct unit smmu_unit = { .name = "ARM SMMU", .init = smmu_init };
static const struct unit pvu_unit = { .name = "PVU IOMMU", .init = pvu_init };

const struct unit *const units[] = {
	&irqchip_unit,
	&smmuv3_unit,
	&smmu_unit,
	&pvu_unit,
	&pci_unit,
	NULL
};
