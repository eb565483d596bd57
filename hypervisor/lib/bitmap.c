// SPDX-License-Identifier: GPL-2.0-only
#include <lib/bitmap.h>

/* `invert` is ~0 to look for clear bits. */
static unsigned long next(const unsigned long *map, unsigned long bits,
			  unsigned long start, unsigned long invert)
{
	while (start < bits) {
		unsigned long word = map[start / BITS_PER_LONG] ^ invert;

		word &= ~0UL << (start % BITS_PER_LONG);
		start -= start % BITS_PER_LONG;
		if (word) {
			start += __builtin_ctzl(word);
			break;
		}
		start += BITS_PER_LONG;
	}
	return MIN(start, bits);
}

unsigned long bitmap_next_set(const unsigned long *map, unsigned long bits,
			      unsigned long start)
{
	return next(map, bits, start, 0);
}

unsigned long bitmap_next_clear(const unsigned long *map, unsigned long bits,
				unsigned long start)
{
	return next(map, bits, start, ~0UL);
}

unsigned long bitmap_count(const unsigned long *map, unsigned long bits)
{
	unsigned long count = 0;

	for (unsigned long bit = next(map, bits, 0, 0); bit < bits;
	     bit = next(map, bits, bit + 1, 0))
		count++;
	return count;
}
