/* SPDX-License-Identifier: GPL-2.0-only */
/* Bitmaps of unsigned long, as the page pools and CPU sets use them. */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#include <core/types.h>

static inline bool bitmap_test(const unsigned long *map, unsigned long bit)
{
	return (map[bit / BITS_PER_LONG] >> (bit % BITS_PER_LONG)) & 1;
}

static inline void bitmap_set(unsigned long *map, unsigned long bit)
{
	map[bit / BITS_PER_LONG] |= 1UL << (bit % BITS_PER_LONG);
}

static inline void bitmap_clear(unsigned long *map, unsigned long bit)
{
	map[bit / BITS_PER_LONG] &= ~(1UL << (bit % BITS_PER_LONG));
}

/* `count` bits from `first` on */
void bitmap_set_range(unsigned long *map, unsigned long first, unsigned long count);
void bitmap_clear_range(unsigned long *map, unsigned long first, unsigned long count);

/* First bit >= start that is set (or clear); `bits` if none. */
unsigned long bitmap_next_set(const unsigned long *map, unsigned long bits,
			      unsigned long start);
unsigned long bitmap_next_clear(const unsigned long *map, unsigned long bits,
				unsigned long start);
unsigned long bitmap_count(const unsigned long *map, unsigned long bits);

#endif
