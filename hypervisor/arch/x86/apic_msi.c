// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device or an IOAPIC pin may send to local APICs without interrupt
 * remapping (decisions.md 9; message format: SDM 3, 11.11).
 */
#include <core/cell.h>
#include <core/percpu.h>
#include <arch/apic.h>
#include <arch/apic_hw.h>
#include <arch/apic_regs.h>

#define MSI_WINDOW(address)	((address) >> 20 == 0xfee)
#define MSI_RESERVED		0xff0		/* other remapping formats, extended destination */
#define MSI_LOGICAL		0x004
#define MSI_DESTINATION_SHIFT	12
#define MSI_DESTINATION_MASK	(0xffULL << MSI_DESTINATION_SHIFT)
#define MSI_DELIVERY_MODE(data)	((data) >> 8 & 7)
#define MSI_VECTOR(data)	((data) & 0xff)

#define FIRST_VECTOR		16	/* below: illegal, nothing is delivered (SDM 3, 11.5.2) */
#define BROADCAST		0xff

/* x2APIC: logical ids follow from physical ones; eight bits reach ids 0-7 of cluster 0. */
static u32 x2apic_logical_mask(const struct cell *cell)
{
	unsigned int id, cpu;
	u32 mask = 0;

	for (id = 0; id < 8; id++) {
		cpu = apic_to_cpu(id);
		if (cpu != APIC_INVALID_CPU && cell_owns_cpu(cell, cpu))
			mask |= 1 << id;
	}
	return mask;
}

static u32 logical_mask(const struct cell *cell)
{
	return using_x2apic ? x2apic_logical_mask(cell) : cell->arch.xapic_logical_mask;
}

/* Linux may name CPUs that have left its cell: these bits go.  Others get no such help. */
static bool validate_logical(const struct cell *cell, struct msi_message *msi, bool *disabled)
{
	u32 destination = msi->address >> MSI_DESTINATION_SHIFT & 0xff;
	u32 allowed = destination & logical_mask(cell);

	if (allowed != destination && cell != &root_cell)
		return false;
	*disabled = !allowed;
	msi->address &= ~MSI_DESTINATION_MASK;
	msi->address |= (u64)allowed << MSI_DESTINATION_SHIFT;
	return true;
}

static bool validate_physical(const struct cell *cell, const struct msi_message *msi)
{
	u32 destination = msi->address >> MSI_DESTINATION_SHIFT & 0xff;
	unsigned int cpu;

	if (destination == BROADCAST)
		return false;
	cpu = apic_to_cpu(destination);
	return cpu != APIC_INVALID_CPU && cell_owns_cpu(cell, cpu);
}

bool apic_msi_validate(const struct cell *cell, struct msi_message *msi, bool *disabled)
{
	*disabled = !MSI_WINDOW(msi->address);
	if (*disabled)
		return true;
	if (MSI_DELIVERY_MODE(msi->data) > DELIVERY_LOWEST ||
	    (msi->address & MSI_RESERVED))
		return false;
	*disabled = MSI_VECTOR(msi->data) < FIRST_VECTOR;
	if (*disabled)
		return true;
	if (msi->address & MSI_LOGICAL)
		return validate_logical(cell, msi, disabled);
	return validate_physical(cell, msi);
}

void apic_msi_send(const struct msi_message *msi)
{
	apic_hw_send(ICR_ASSERT | DELIVERY_FIXED << 8 | MSI_VECTOR(msi->data) |
		     (msi->address & MSI_LOGICAL ? ICR_LOGICAL : 0),
		     msi->address >> MSI_DESTINATION_SHIFT & 0xff);
}
