/* SPDX-License-Identifier: GPL-2.0-only */
/* What core/pci*.c asks of x86: raw configuration access and MSI policy. */
#ifndef ARCH_PCI_H
#define ARCH_PCI_H

#include <core/types.h>

struct cell;

/* Raw, serialised against other CPUs; through ports when there is no MMCONFIG. */
u32 arch_pci_read(u16 bdf, u16 reg, unsigned int size);
void arch_pci_write(u16 bdf, u16 reg, u32 value, unsigned int size);

/* See apic_msi_validate(). */
bool arch_msi_validate(const struct cell *cell, u64 *address, u32 *data, bool *disabled);
/* Inject an edge vector that may have been lost while ownership changed. */
void arch_msi_inject(const struct cell *cell, u64 address, u32 data);

/* Ports 0xcf8, 0xcfc-0xcff (arch/x86/pci_ports.c). Handled when true is stored in *handled. */
struct pio_exit;
struct guest_regs;
bool x86_pci_ports(struct guest_regs *regs, const struct pio_exit *io, bool *handled);

#endif
