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

/* Bits of the first word of a range, and how many these are. */
static unsigned long range_mask(unsigned long first, unsigned long count, unsigned long *taken)
{
	unsigned long shift = first % BITS_PER_LONG;

	*taken = MIN(count, BITS_PER_LONG - shift);
	return ~0UL >> (BITS_PER_LONG - *taken) << shift;
}

void bitmap_set_range(unsigned long *map, unsigned long first, unsigned long count)
{
	unsigned long taken;

	for (; count; first += taken, count -= taken)
		map[first / BITS_PER_LONG] |= range_mask(first, count, &taken);
}

void bitmap_clear_range(unsigned long *map, unsigned long first, unsigned long count)
{
	unsigned long taken;

	for (; count; first += taken, count -= taken)
		map[first / BITS_PER_LONG] &= ~range_mask(first, count, &taken);
}

unsigned long bitmap_count(const unsigned long *map, unsigned long bits)
{
	unsigned long count = 0;

	for (unsigned long bit = next(map, bits, 0, 0); bit < bits;
	     bit = next(map, bits, bit + 1, 0))
		count++;
	return count;
}
