/* SPDX-License-Identifier: GPL-2.0-only */
/* Constants shared by C and assembly; static assertions tie them to the structures. */
#ifndef ARCH_ASM_OFFSETS_H
#define ARCH_ASM_OFFSETS_H

#define PERCPU_SIZE	0x8000	/* control blocks, data and at least 8 KiB of stack */
#define PERCPU_SHIFT	15
#define PERCPU_MIN_STACK 0x2000
#define PERCPU_CONTROL_BLOCK 0x1000	/* the vendor's, one page */

/*
 * First address of the half that Linux leaves to hypervisors (Linux,
 * Documentation/arch/x86/x86_64/mm.rst): the stub's page, in module text, is
 * in another slot of the root table.
 */
#define HV_LINK_ADDRESS	0xffff800000000000

/* Selectors of the hypervisor's own GDT */
#define HV_CS		0x08
#define HV_DS		0x10

#endif
