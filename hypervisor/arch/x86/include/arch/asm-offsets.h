/* SPDX-License-Identifier: GPL-2.0-only */
/* Constants shared by C and assembly; static assertions tie them to the structures. */
#ifndef ARCH_ASM_OFFSETS_H
#define ARCH_ASM_OFFSETS_H

#define PERCPU_SIZE	0x8000	/* control blocks, data and at least 8 KiB of stack */

#endif
