/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI configuration space moderation, MSI and MSI-X (core/pci*.c).
 * Architectures bring raw access and decide what an MSI may target (arch/pci.h).
 */
#ifndef CORE_PCI_H
#define CORE_PCI_H

#include <core/cell.h>
#include <core/unit.h>

#define PCI_BUS(bdf)	((bdf) >> 8)
#define PCI_SLOT(bdf)	((bdf) >> 3 & 0x1f)
#define PCI_FUNC(bdf)	((bdf) & 7)
/* Arguments of "%02x:%02x.%x" */
#define PCI_BDF_ARGS(bdf)	PCI_BUS(bdf), PCI_SLOT(bdf), PCI_FUNC(bdf)

#define PCI_CONFIG_SPACE_SIZE	0x1000

extern const struct unit pci_unit;

/*
 * Every commit gives the hardware its messages: there was a non-root cell, or messages
 * of the root cell are not what Linux left in the devices.
 */
extern bool pci_handed_over;

enum pci_verdict {
	PCI_FATAL,		/* refuse: the CPU is parked */
	PCI_DONE,		/* emulated: value is set / ignored */
	PCI_PASS,		/* perform on hardware */
};

/*
 * Moderate an access of the calling CPU's cell (abi.md 9.2).  The access lies
 * within one dword.
 */
enum pci_verdict pci_moderate_read(struct cell *cell, u16 bdf, u16 reg,
				   unsigned int size, u32 *value);
enum pci_verdict pci_moderate_write(struct cell *cell, u16 bdf, u16 reg,
				    unsigned int size, u32 *value);

/*
 * Whole access of any size and alignment: moderation, hardware, line on
 * refusal ("Invalid PCI <path> ...").  false: park.
 */
bool pci_config_access(struct cell *cell, const char *path, u16 bdf, u16 reg,
		       unsigned int size, bool is_write, u32 *value);

#endif
