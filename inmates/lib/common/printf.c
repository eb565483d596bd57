/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include <inmate.h>

struct output {
	char *buf;
	unsigned long size, pos;
};

struct format {
	unsigned int width;
	bool zero, left;
	int longs;
};

static void emit(struct output *out, char c)
{
	if (out->pos + 1 < out->size)
		out->buf[out->pos] = c;
	out->pos++;
}

static void emit_field(struct output *out, const struct format *f,
		       bool negative, const char *text, unsigned long len)
{
	unsigned long total = len + negative;
	unsigned long pad = f->width > total ? f->width - total : 0;

	if (!f->left && !f->zero)
		for (; pad; pad--)
			emit(out, ' ');
	if (negative)
		emit(out, '-');
	if (f->zero)
		for (; pad; pad--)
			emit(out, '0');
	while (len--)
		emit(out, *text++);
	for (; pad; pad--)
		emit(out, ' ');
}

static void emit_number(struct output *out, const struct format *f, u64 value,
			unsigned int base, bool negative)
{
	char digits[24], *p = digits + sizeof(digits);

	do {
		*--p = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	emit_field(out, f, negative, p, digits + sizeof(digits) - p);
}

static u64 next_unsigned(va_list *args, int longs)
{
	if (longs >= 2)
		return va_arg(*args, unsigned long long);
	if (longs == 1)
		return va_arg(*args, unsigned long);
	return va_arg(*args, unsigned int);
}

static s64 next_signed(va_list *args, int longs)
{
	if (longs >= 2)
		return va_arg(*args, long long);
	if (longs == 1)
		return va_arg(*args, long);
	return va_arg(*args, int);
}

static const char *parse_flags(const char *fmt, struct format *f)
{
	*f = (struct format){ 0 };
	for (;; fmt++) {
		if (*fmt == '0')
			f->zero = true;
		else if (*fmt == '-')
			f->left = true;
		else
			break;
	}
	for (; *fmt >= '0' && *fmt <= '9'; fmt++)
		f->width = f->width * 10 + *fmt - '0';
	for (; *fmt == 'l'; fmt++)
		f->longs++;
	if (f->left)
		f->zero = false;
	return fmt;
}

static void emit_conversion(struct output *out, char conversion,
			    struct format *f, va_list *args)
{
	const char *text;
	s64 value;
	char c;

	switch (conversion) {
	case 'd':
	case 'i':
		value = next_signed(args, f->longs);
		emit_number(out, f, value < 0 ? -(u64)value : (u64)value, 10,
			    value < 0);
		break;
	case 'u':
		emit_number(out, f, next_unsigned(args, f->longs), 10, false);
		break;
	case 'x':
		emit_number(out, f, next_unsigned(args, f->longs), 16, false);
		break;
	case 'p':
		f->zero = true;
		f->width = 2 * sizeof(void *);
		emit(out, '0');
		emit(out, 'x');
		emit_number(out, f, (unsigned long)va_arg(*args, void *), 16,
			    false);
		break;
	case 's':
		text = va_arg(*args, const char *);
		f->zero = false;
		emit_field(out, f, false, text, strlen(text));
		break;
	case 'c':
		c = va_arg(*args, int);
		f->zero = false;
		emit_field(out, f, false, &c, 1);
		break;
	default:
		emit(out, conversion);
		break;
	}
}

int vsnprintf(char *buf, unsigned long size, const char *fmt, va_list args)
{
	struct output out = { .buf = buf, .size = size };
	struct format f;
	va_list copy;

	va_copy(copy, args);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			emit(&out, *fmt);
			continue;
		}
		fmt = parse_flags(fmt + 1, &f);
		if (!*fmt)
			break;
		emit_conversion(&out, *fmt, &f, &copy);
	}
	va_end(copy);
	if (size)
		buf[out.pos < size ? out.pos : size - 1] = 0;
	return out.pos;
}

int snprintf(char *buf, unsigned long size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}

void printf(const char *fmt, ...)
{
	char line[320];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	console_puts(line);
}
