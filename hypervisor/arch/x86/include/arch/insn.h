/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decoder of the MOV forms that may touch trapped memory (abi.md 10.2; SDM 2
 * chapter 2).  Pure: all it needs comes in, so it runs in host tests as it is.
 */
#ifndef ARCH_INSN_H
#define ARCH_INSN_H

#include <core/types.h>

enum insn_mode { INSN_16, INSN_32, INSN_64 };

#define INSN_MAX_LENGTH	15

/* What an instruction does. */
struct insn {
	unsigned int length;	/* bytes, prefixes included */
	unsigned int size;	/* of the memory access: 1, 2, 4, 8 */
	bool is_write;
	bool is_immediate;	/* store of `immediate`, else of/to register `reg` */
	u64 immediate;		/* sign-extended to size */
	unsigned int reg;	/* 0..15; 4 (SP) is valid as a plain register */
	bool high_byte;		/* AH, CH, DH, BH: reg is 0..3, byte 1 */
	unsigned int reg_size;	/* loads: how much of the register is written: 1, 2, 4, 8 */
};

/*
 * bytes: what the CPU fetched, `available` of them (up to 15).
 * 0; -EINVAL: not a supported form (caller prints the bytes and parks).
 */
int insn_decode(struct insn *insn, const u8 *bytes, unsigned int available,
		enum insn_mode mode);

#endif
