/* SPDX-License-Identifier: GPL-2.0-only */
/* The few string functions that are needed. */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include <core/types.h>

#ifdef JAILHOUSE_HOST_BUILD
/* libc is in the same process. */
#define memcpy	hv_memcpy
#define memmove	hv_memmove
#define memset	hv_memset
#define memcmp	hv_memcmp
#define strcmp	hv_strcmp
#define strlen	hv_strlen
#define strnlen	hv_strnlen
#endif

void *memcpy(void *dest, const void *src, size_t size);
void *memmove(void *dest, const void *src, size_t size);
void *memset(void *dest, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
int strcmp(const char *a, const char *b);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);

#endif
