// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decoder of the MOV forms that may touch trapped memory.
 *
 * Instruction format, prefixes, ModRM and SIB: SDM 2 chapter 2; the opcodes:
 * SDM 2 "MOV" and "MOVZX", table A-2.  The address of the access comes from the
 * hardware, so addressing forms matter only for the length.
 */
#include <arch/insn.h>

/* How an opcode moves data */
#define MOVE_STORE	0x01	/* register or immediate to memory */
#define MOVE_BYTE	0x02	/* memory operand is one byte */
#define MOVE_WORD	0x04	/* memory operand is two bytes */
#define MOVE_EXTEND	0x08	/* load fills a register of operand size */
#define MOVE_MODRM	0x10
#define MOVE_OFFSET	0x20	/* accumulator and absolute address, no ModRM */
#define MOVE_IMMEDIATE	0x40	/* group 11: only /0 is MOV */

static const struct move {
	u16 opcode;		/* 0x0fxx: two-byte opcode */
	u8 flags;
} moves[] = {
	{ 0x88, MOVE_MODRM | MOVE_STORE | MOVE_BYTE },
	{ 0x89, MOVE_MODRM | MOVE_STORE },
	{ 0x8a, MOVE_MODRM | MOVE_BYTE },
	{ 0x8b, MOVE_MODRM },
	{ 0xa0, MOVE_OFFSET | MOVE_BYTE },
	{ 0xa1, MOVE_OFFSET },
	{ 0xa2, MOVE_OFFSET | MOVE_STORE | MOVE_BYTE },
	{ 0xa3, MOVE_OFFSET | MOVE_STORE },
	{ 0xc6, MOVE_MODRM | MOVE_STORE | MOVE_IMMEDIATE | MOVE_BYTE },
	{ 0xc7, MOVE_MODRM | MOVE_STORE | MOVE_IMMEDIATE },
	{ 0x0fb6, MOVE_MODRM | MOVE_EXTEND | MOVE_BYTE },
	{ 0x0fb7, MOVE_MODRM | MOVE_EXTEND | MOVE_WORD },
};

#define REX_W	0x08
#define REX_R	0x04

struct decoder {
	const u8 *bytes;
	unsigned int pos, available;
	bool exhausted;			/* read past the last byte */
	enum insn_mode mode;
	unsigned int address_size;	/* bytes */
	unsigned int operand_size;	/* of non-byte operands */
	bool operand_prefix;
	u8 rex;				/* 0: none in effect */
};

static u8 next_byte(struct decoder *d)
{
	if (d->pos >= d->available) {
		d->exhausted = true;
		return 0;
	}
	return d->bytes[d->pos++];
}

static u64 next_bytes(struct decoder *d, unsigned int count)
{
	u64 value = 0;
	unsigned int n;

	for (n = 0; n < count; n++)
		value |= (u64)next_byte(d) << (8 * n);
	return value;
}

static unsigned int other_address_size(enum insn_mode mode)
{
	return mode == INSN_32 ? 2 : 4;
}

/* One legacy prefix.  LOCK, REPNE and REP are not prefixes here: no MOV of ours has them. */
static bool take_legacy_prefix(struct decoder *d, u8 byte)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
		return true;	/* segment: the hardware has applied it */
	case 0x66:
		d->operand_prefix = true;
		return true;
	case 0x67:
		d->address_size = other_address_size(d->mode);
		return true;
	default:
		return false;
	}
}

/* Returns the first byte that is no prefix.  Only a REX right before the opcode counts (SDM 2, 2.2.1). */
static u8 take_prefixes(struct decoder *d)
{
	u8 byte;

	for (;;) {
		byte = next_byte(d);
		if (take_legacy_prefix(d, byte))
			d->rex = 0;
		else if (d->mode == INSN_64 && (byte & 0xf0) == 0x40)
			d->rex = byte;
		else
			return byte;
	}
}

static void set_operand_size(struct decoder *d)
{
	bool is_16bit = (d->mode == INSN_16) != d->operand_prefix;

	d->operand_size = is_16bit ? 2 : 4;
	if (d->rex & REX_W)
		d->operand_size = 8;
}

static const struct move *find_move(struct decoder *d, u16 opcode)
{
	unsigned int n;

	if (opcode == 0x0f)
		opcode = 0x0f00 | next_byte(d);
	for (n = 0; n < ARRAY_SIZE(moves); n++)
		if (moves[n].opcode == opcode)
			return &moves[n];
	return NULL;
}

/* SDM 2 table 2-1 */
static void skip_address_16(struct decoder *d, unsigned int mod, unsigned int rm)
{
	if (mod == 1)
		next_bytes(d, 1);
	else if (mod == 2 || rm == 6)
		next_bytes(d, 2);
}

/* SDM 2 tables 2-2 and 2-3; RIP-relative takes as many bytes as disp32 */
static void skip_address(struct decoder *d, unsigned int mod, unsigned int rm)
{
	unsigned int base = rm;

	if (d->address_size == 2) {
		skip_address_16(d, mod, rm);
		return;
	}
	if (rm == 4)
		base = next_byte(d) & 7;
	if (mod == 1)
		next_bytes(d, 1);
	else if (mod == 2 || base == 5)
		next_bytes(d, 4);
}

/* Byte registers 4..7 are AH, CH, DH, BH unless there is a REX prefix. */
static void set_register(struct decoder *d, struct insn *insn, unsigned int reg, bool is_byte)
{
	insn->high_byte = is_byte && !d->rex && reg >= 4;
	insn->reg = insn->high_byte ? reg - 4 : reg;
}

static bool take_modrm(struct decoder *d, const struct move *move, struct insn *insn)
{
	u8 modrm = next_byte(d);
	unsigned int mod = modrm >> 6, reg = modrm >> 3 & 7;

	if (mod == 3)
		return false;	/* register to register: not ours */
	if (move->flags & MOVE_IMMEDIATE) {
		if (reg != 0)
			return false;
	} else {
		if (d->rex & REX_R)
			reg += 8;
		set_register(d, insn, reg, insn->reg_size == 1);
	}
	skip_address(d, mod, modrm & 7);
	return true;
}

/* At most 32 bits in the instruction, sign-extended for 64-bit stores. */
static void take_immediate(struct decoder *d, struct insn *insn)
{
	insn->is_immediate = true;
	insn->immediate = next_bytes(d, MIN(insn->size, 4U));
	if (insn->size == 8)
		insn->immediate = (u64)(s64)(s32)insn->immediate;
}

static void set_sizes(const struct decoder *d, const struct move *move, struct insn *insn)
{
	insn->size = d->operand_size;
	if (move->flags & MOVE_BYTE)
		insn->size = 1;
	else if (move->flags & MOVE_WORD)
		insn->size = 2;
	insn->reg_size = move->flags & MOVE_EXTEND ? d->operand_size : insn->size;
	insn->is_write = move->flags & MOVE_STORE;
}

static bool take_operands(struct decoder *d, const struct move *move, struct insn *insn)
{
	if (move->flags & MOVE_OFFSET)
		next_bytes(d, d->address_size);	/* register stays 0: the accumulator */
	else if (!take_modrm(d, move, insn))
		return false;
	if (move->flags & MOVE_IMMEDIATE)
		take_immediate(d, insn);
	return true;
}

int insn_decode(struct insn *insn, const u8 *bytes, unsigned int available,
		enum insn_mode mode)
{
	struct decoder d = {
		.bytes = bytes,
		.available = MIN(available, INSN_MAX_LENGTH + 0U),
		.mode = mode,
		.address_size = mode == INSN_64 ? 8 : mode == INSN_32 ? 4 : 2,
	};
	const struct move *move;
	u8 opcode;

	*insn = (struct insn){ 0 };
	opcode = take_prefixes(&d);
	set_operand_size(&d);
	move = find_move(&d, opcode);
	if (!move)
		return -EINVAL;
	set_sizes(&d, move, insn);
	if (!take_operands(&d, move, insn) || d.exhausted)
		return -EINVAL;
	insn->length = d.pos;
	return 0;
}
