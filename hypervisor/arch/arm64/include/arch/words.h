/* SPDX-License-Identifier: GPL-2.0-only */
/* Filling memory by words: most of what destroying a cell costs. */
#ifndef ARCH_WORDS_H
#define ARCH_WORDS_H

#include <core/types.h>

static inline void words_fill(u64 *to, u64 pattern, size_t count)
{
	for (; count >= 8; count -= 8, to += 8) {
		to[0] = to[1] = to[2] = to[3] = pattern;
		to[4] = to[5] = to[6] = to[7] = pattern;
	}
	while (count--)
		*to++ = pattern;
}

#endif
