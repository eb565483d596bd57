/* SPDX-License-Identifier: GPL-2.0-only */
/* Offsets that world.S needs; exits.c ties them to the structures. */
#ifndef SVM_OFFSETS_H
#define SVM_OFFSETS_H

#define VMCB_RSP	0x5d8
#define VMCB_RAX	0x5f8
#define SVM_REGS_RAX	0x78	/* in struct guest_regs */
#define SVM_REGS_SIZE	0x80

#endif
