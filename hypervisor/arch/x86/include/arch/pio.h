/* SPDX-License-Identifier: GPL-2.0-only */
/* Port policy: what is direct, emulated, refused (arch/x86/pio.c; abi.md 1.8, 10.3). */
#ifndef ARCH_PIO_H
#define ARCH_PIO_H

#include <core/cell.h>
#include <arch/vcpu.h>

#define PIO_BITMAP_PAGES	3	/* SVM I/O permission map: 64 Ki ports and what lies behind 0xffff */

/*
 * Allocate and fill cell->arch.io_bitmap; a non-root cell's ports are taken from
 * the root cell.  exit gives them back and is fine after a failed or missing init.
 * Root CPUs suspended.
 */
int pio_cell_init(struct cell *cell);
void pio_cell_exit(struct cell *cell);

enum pio_result {
	PIO_ERROR,		/* refused, and the line is printed */
	PIO_UNHANDLED,		/* not ours: the general line */
	PIO_HANDLED,
};

/* What an IN leaves in the accumulator. */
void pio_set_result(struct guest_regs *regs, unsigned int size, u32 value);

/* Ports 0xcf8 and 0xcfc-0xcff (arch/x86/pci_ports.c) */
enum pio_result pio_handle_pci(struct guest_regs *regs, const struct pio_exit *io);

#endif
