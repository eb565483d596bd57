/* SPDX-License-Identifier: GPL-2.0-only */
/* Filling memory by words: most of what destroying a cell costs. */
#ifndef ARCH_WORDS_H
#define ARCH_WORDS_H

#include <core/types.h>

#ifdef JAILHOUSE_HOST_BUILD
/* The sanitizer does not see what assembly writes. */
static inline void words_fill(u64 *to, u64 pattern, size_t count)
{
	while (count--)
		*to++ = pattern;
}
#else
/* Whole cache lines at a time on hardware (fast strings), one instruction a word elsewhere. */
static inline void words_fill(u64 *to, u64 pattern, size_t count)
{
	asm volatile("rep stosq" : "+D" (to), "+c" (count) : "a" (pattern) : "memory");
}
#endif

#endif
