/* SPDX-License-Identifier: GPL-2.0-only */
/* Loads and stores for which the CPU gives no syndrome: with write-back, and of pairs. */
#ifndef ARCH_INSN_H
#define ARCH_INSN_H

#include <core/types.h>

struct insn {
	unsigned int size;	/* bytes of one access */
	unsigned int count;	/* 1, or 2 for a pair */
	unsigned int reg[2];	/* 31: zero register */
	unsigned int base;	/* 31: stack pointer */
	bool is_write;
	bool sign_extend;
	bool wide;		/* the register is 64 bits */
	bool writeback;
	bool post_index;	/* the access is at the old value of base */
	s64 offset;
};

/* False: none of these. A64 only (Arm DDI 0487, C4.1.94). */
bool insn_decode(u32 word, struct insn *insn);

#endif
