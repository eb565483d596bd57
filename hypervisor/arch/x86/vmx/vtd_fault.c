// SPDX-License-Identifier: GPL-2.0-only
/* What units refused to translate, as a line on the console. */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/pci.h>
#include <core/percpu.h>
#include <core/printk.h>
#include <arch/vcpu.h>
#include "vtd.h"
#include "vtd_hw.h"

static unsigned int reporter;		/* CPU that gets faults */

/* One root CPU has them, whatever it is doing. */
void vtd_target_faults(void)
{
	int cpu = cell_next_cpu(&root_cell, -1);

	if (cpu < 0)
		return;
	reporter = (unsigned int)cpu;
	for (unsigned int n = 0; n < vtd_num_units; n++)
		vtd_hw_fault_target(&vtd_units[n], per_cpu(reporter)->arch.apic_id);
}

static void print_fault(unsigned int n, const struct vtd_fault *fault)
{
	printk("VT-d fault event reported by IOMMU %u:\n", n);
	printk(" Source Identifier (bus:dev.func): %02x:%02x.%x\n", PCI_BDF_ARGS(fault->source));
	printk(" Fault Reason: 0x%x Fault Info: %llx Type %u\n", fault->reason, fault->info,
	       fault->type);
}

/* A device that never stops is not heard until something changes. */
static void report_unit(unsigned int n)
{
	struct vtd_fault fault;

	while (vtd_hw_next_fault(&vtd_units[n], &fault)) {
		if (!guest_line_allowed()) {
			vtd_hw_fault_mask(&vtd_units[n]);
			return;
		}
		print_fault(n, &fault);
	}
}

void vtd_report_faults(void)
{
	if (!vtd_num_units || this_cpu()->cpu_id != reporter)
		return;
	for (unsigned int n = 0; n < vtd_num_units; n++)
		report_unit(n);
}
