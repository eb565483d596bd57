/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI configuration space moderation, MSI and MSI-X (core/pci*.c).
 * Architectures bring raw access and decide what an MSI may target (arch/pci.h).
 */
#ifndef CORE_PCI_H
#define CORE_PCI_H

#include <core/cell.h>
#include <core/unit.h>

extern const struct unit pci_unit;

enum pci_verdict {
	PCI_FATAL,		/* refuse: the CPU is parked */
	PCI_DONE,		/* emulated: value is set / ignored */
	PCI_PASS,		/* perform on hardware */
};

/* Moderate an access of the calling CPU's cell (abi.md 9.2). */
enum pci_verdict pci_moderate_read(struct cell *cell, u16 bdf, u16 reg,
				   unsigned int size, u32 *value);
enum pci_verdict pci_moderate_write(struct cell *cell, u16 bdf, u16 reg,
				    unsigned int size, u32 *value);

/* Whole access: moderation, hardware, line on refusal. false: park. */
bool pci_config_access(struct cell *cell, u16 bdf, u16 reg, unsigned int size,
		       bool is_write, u32 *value);

#endif
