/* SPDX-License-Identifier: GPL-2.0-only */
/* What core/pci*.c asks of x86: raw configuration access and MSI policy. */
#ifndef ARCH_PCI_H
#define ARCH_PCI_H

#include <core/types.h>

struct cell;
struct pci_device;

/* Raw, serialised against other CPUs; through ports when there is no MMCONFIG. */
u32 arch_pci_read(u16 bdf, u16 reg, unsigned int size);
void arch_pci_write(u16 bdf, u16 reg, u32 value, unsigned int size);

/*
 * See apic_msi_validate(); the device's n-th message becomes what the hardware has to send for it.
 */
bool arch_msi_validate(const struct pci_device *device, unsigned int n, u64 *address, u32 *data,
		       bool *disabled);
/* Inject an edge vector that may have been lost while ownership changed. */
void arch_msi_inject(const struct cell *cell, u64 address, u32 data);

/* The MMCONFIG window, if the system configuration has one. */
int arch_pci_init(void);

#endif
