// SPDX-License-Identifier: GPL-2.0-only
/*
 * A64 loads and stores of general registers with pre- and post-index, and of
 * pairs.  All others that may touch device memory come with a valid syndrome
 * (Arm DDI 0487, D19.2.37, ISV).
 */
#include <arch/insn.h>

#define FIELD(word, low, bits)	((word) >> (low) & ((1U << (bits)) - 1))

static s64 sign_extended(u32 value, unsigned int bits)
{
	return (s64)((u64)value << (64 - bits)) >> (64 - bits);
}

/* size 111 0 00 opc 0 imm9 index Rn Rt; index 01: post, 11: pre */
static bool decode_single(u32 word, struct insn *insn)
{
	unsigned int opc = FIELD(word, 22, 2);

	insn->size = 1U << FIELD(word, 30, 2);
	/* 10: sign-extended to 64 bits, 11: to 32; not for sizes that have no more bits */
	if ((opc == 2 && insn->size == 8) || (opc == 3 && insn->size >= 4))
		return false;
	insn->count = 1;
	insn->is_write = opc == 0;
	insn->sign_extend = opc >= 2;
	insn->wide = opc == 2 || insn->size == 8;
	insn->writeback = true;
	insn->post_index = FIELD(word, 10, 2) == 1;
	insn->offset = sign_extended(FIELD(word, 12, 9), 9);
	insn->reg[0] = FIELD(word, 0, 5);
	return true;
}

/* opc 101 0 0 index L imm7 Rt2 Rn Rt; index 00: no allocation, 01: post, 10: offset, 11: pre */
static bool decode_pair(u32 word, struct insn *insn)
{
	unsigned int opc = FIELD(word, 30, 2), index = FIELD(word, 23, 2);

	insn->is_write = !FIELD(word, 22, 1);
	if (opc == 3 || (opc == 1 && (insn->is_write || index == 0)))
		return false;
	insn->size = opc == 2 ? 8 : 4;
	insn->count = 2;
	insn->sign_extend = opc == 1;
	insn->wide = opc != 0;
	insn->writeback = index & 1;
	insn->post_index = index == 1;
	insn->offset = sign_extended(FIELD(word, 15, 7), 7) * insn->size;
	insn->reg[0] = FIELD(word, 0, 5);
	insn->reg[1] = FIELD(word, 10, 5);
	return true;
}

bool insn_decode(u32 word, struct insn *insn)
{
	*insn = (struct insn){ .base = FIELD(word, 5, 5) };
	if ((word & 0x3f200400) == 0x38000400)
		return decode_single(word, insn);
	if ((word & 0x3e000000) == 0x28000000)
		return decode_pair(word, insn);
	return false;
}
