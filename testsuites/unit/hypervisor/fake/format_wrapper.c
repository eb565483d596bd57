// SPDX-License-Identifier: GPL-2.0-only
/* format_text() into a buffer. */
#include <stdarg.h>
#include <lib/format.h>

struct buffer {
	char *text;
	size_t size, used;
};

static void collect(void *arg, char c)
{
	struct buffer *b = arg;

	if (b->used + 1 < b->size)
		b->text[b->used++] = c;
}

int format_to(char *out, size_t size, const char *fmt, ...);
int format_to(char *out, size_t size, const char *fmt, ...)
{
	struct buffer b = { out, size, 0 };
	va_list args;

	va_start(args, fmt);
	format_text(collect, &b, fmt, args);
	va_end(args);
	out[b.used] = 0;
	return (int)b.used;
}
