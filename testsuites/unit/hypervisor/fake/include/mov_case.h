/* SPDX-License-Identifier: GPL-2.0-only */
/* What mov_runner executes natively and mov_check.c emulates. */
#ifndef MOV_CASE_H
#define MOV_CASE_H

#include <stdint.h>

#define MOV_WINDOW_SIZE		0x30000U
#define MOV_WINDOW_BEFORE	0x10000U	/* bytes of the window below its base */

struct mov_case {
	uint8_t code[16];
	uint8_t length;		/* as the generator assembled it */
	uint8_t mode;		/* 16, 32, 64 */
	uint8_t is_write;
	uint8_t data_reg;	/* gets a value that is no address; 0xff: none */
	uint32_t code_offset;	/* place in the code area */
};

enum { MOV_OK, MOV_NO_ACCESS, MOV_OUTSIDE, MOV_SIGNAL };

struct mov_result {
	uint64_t before[16], after[16];	/* registers in ModRM order */
	uint32_t window_offset;		/* of the first byte accessed */
	uint32_t rip_delta;
	uint8_t status;
	uint8_t stray;			/* bytes outside of `memory` changed */
	uint8_t memory[8];		/* afterwards, from window_offset on */
	uint8_t pad[6];
};

/* Contents of the window before each case */
static inline uint8_t mov_pattern(uint32_t offset)
{
	return (uint8_t)(offset * 37 + (offset >> 8) * 11 + 5);
}

#endif
