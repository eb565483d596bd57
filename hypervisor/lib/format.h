/* SPDX-License-Identifier: GPL-2.0-only */
/* Formatted text without a buffer: characters go to a sink one by one. */
#ifndef LIB_FORMAT_H
#define LIB_FORMAT_H

#include <core/types.h>

typedef void (*format_sink)(void *arg, char c);

/* %c %d %i %p %s %u %x %X %%, with l, ll, z, width and 0. Anything else is copied as it is. */
void format_text(format_sink sink, void *arg, const char *fmt, __builtin_va_list args);

#endif
