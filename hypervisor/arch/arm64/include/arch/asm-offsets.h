/* SPDX-License-Identifier: GPL-2.0-only */
/* Constants shared by C and assembly; static assertions tie them to the structures. */
#ifndef ARCH_ASM_OFFSETS_H
#define ARCH_ASM_OFFSETS_H

#define PERCPU_SIZE	0x4000	/* data, and at least 8 KiB of stack at the top */
#define PERCPU_SHIFT	14
#define PERCPU_MIN_STACK 0x2000

/* Upper half of the 48 bits that EL2 translates: physical addresses are below. */
#define HV_LINK_ADDRESS	0x800000000000

/* struct guest_regs, at the top of the stack */
#define GUEST_REGS_SIZE	0x100

/* struct arch_handover */
#define HANDOVER_X18	0x00
#define HANDOVER_SCTLR	0x70
#define HANDOVER_TCR	0x78
#define HANDOVER_MAIR	0x80
#define HANDOVER_TTBR0	0x88
#define HANDOVER_VBAR	0x90

/* MAIR_EL2: attribute 0 is normal memory, write-back; 1 is device, nGnRE (DDI 0487, D19.2.104) */
#define HV_MAIR		0x04ff
/* TCR_EL2: 48 bits, 4 KiB pages, tables write-back and inner shareable; RES1 bits 31, 23. PS is added. */
#define HV_TCR		0x80803510
/* SCTLR_EL2: RES1 bits, MMU, caches, stack alignment */
#define HV_SCTLR	0x30c5183d

#endif
