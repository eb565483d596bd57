// SPDX-License-Identifier: GPL-2.0-only
/*
 * String functions.  The compiler may call the mem* ones on its own, and must
 * not turn a loop in here into a call of itself: hence the word loops with a
 * barrier-free but opaque form (-fno-builtin is set for this file).
 */
#include <arch/words.h>
#include <lib/string.h>

/* Words when both ends allow it: what is copied here is mostly whole pages. */
static bool word_aligned(const void *a, const void *b, size_t size)
{
	return (((unsigned long)a | (unsigned long)b | size) & 7) == 0;
}

void *memcpy(void *dest, const void *src, size_t size)
{
	const u8 *from = src;
	u8 *to = dest;

	if (word_aligned(dest, src, size)) {
		u64 __attribute__((may_alias)) *to64 = dest;
		const u64 __attribute__((may_alias)) *from64 = src;

		for (; size >= 32; size -= 32, to64 += 4, from64 += 4) {
			to64[0] = from64[0];
			to64[1] = from64[1];
			to64[2] = from64[2];
			to64[3] = from64[3];
		}
		for (size_t n = 0; n < size / 8; n++)
			to64[n] = from64[n];
		return dest;
	}
	while (size--)
		*to++ = *from++;
	return dest;
}

void *memmove(void *dest, const void *src, size_t size)
{
	const u8 *from = src;
	u8 *to = dest;

	if (to <= from || to >= from + size)
		return memcpy(dest, src, size);
	while (size--)
		to[size] = from[size];
	return dest;
}

void *memset(void *dest, int value, size_t size)
{
	u64 pattern = (u8)value * 0x0101010101010101ULL;
	u8 *to = dest;

	if (word_aligned(dest, NULL, size)) {
		words_fill(dest, pattern, size / 8);
		return dest;
	}
	while (size--)
		*to++ = (u8)value;
	return dest;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const u8 *p = a, *q = b;

	for (; size; size--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (u8)*a - (u8)*b;
}

size_t strlen(const char *s)
{
	size_t len = 0;

	while (s[len])
		len++;
	return len;
}

size_t strnlen(const char *s, size_t max)
{
	size_t len = 0;

	while (len < max && s[len])
		len++;
	return len;
}
