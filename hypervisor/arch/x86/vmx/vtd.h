/* SPDX-License-Identifier: GPL-2.0-only */
/* DMA remapping: each device reaches the memory of its cell that is marked for DMA, no other. */
#ifndef VMX_VTD_H
#define VMX_VTD_H

#include <core/paging.h>
#include <core/unit.h>

struct jailhouse_pci_device;

extern const struct unit vtd_unit;

/* Has a requester id of its own: no device of ivshmem. */
bool vtd_is_physical(const struct jailhouse_pci_device *dev);

/* After a change of ownership: the root cell's first CPU gets faults, as NMIs. */
void vtd_target_faults(void);
/* After an NMI: prints what the units have recorded, on the CPU that gets their events. */
void vtd_report_faults(void);

/* Second-level tables; what all units can do is in `cap`. */
extern struct page_format vtd_page_format;
void vtd_format_init(unsigned int levels, u64 cap);

#endif
