/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt remapping: what hardware gets in place of a message that may be sent
 * (apic_msi_validate()).  vmx/vtd_irte.c has it; svm/ leaves every message as it is.
 * What devices send is arch_msi_validate() and arch_msi_inject() (arch/pci.h).
 */
#ifndef ARCH_IRQ_REMAP_H
#define ARCH_IRQ_REMAP_H

#include <arch/apic.h>

/*
 * The redirection entry of an IOAPIC's pin; msi is what it says, NULL: it names an entry of
 * the root cell's own table. false: there is nothing for this pin, it stays masked.
 * ioapic: the configuration's `id`.
 */
bool irq_remap_pin(u32 ioapic, unsigned int pin, const struct msi_message *msi, u64 *entry);

#endif
