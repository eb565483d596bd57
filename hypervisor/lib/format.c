// SPDX-License-Identifier: GPL-2.0-only
#include <lib/format.h>

struct output {
	format_sink sink;
	void *arg;
};

struct spec {
	unsigned int width;
	unsigned int longs;
	bool zeros;
};

static void put(const struct output *out, char c)
{
	out->sink(out->arg, c);
}

static void pad(const struct output *out, char c, unsigned int len, unsigned int width)
{
	for (; len < width; len++)
		put(out, c);
}

static void put_text(const struct output *out, const char *s, const struct spec *spec)
{
	unsigned int len = 0;

	if (!s)
		s = "(null)";
	while (s[len])
		len++;
	pad(out, ' ', len, spec->width);
	while (*s)
		put(out, *s++);
}

static void put_number(const struct output *out, u64 value, unsigned int base,
		       bool negative, const struct spec *spec)
{
	char digits[20];	/* of 2^64 - 1 in decimal */
	unsigned int len = 0, sign = negative ? 1 : 0;

	do {
		digits[len++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);

	if (!spec->zeros)
		pad(out, ' ', len + sign, spec->width);
	if (negative)
		put(out, '-');
	if (spec->zeros)
		pad(out, '0', len + sign, spec->width);
	while (len)
		put(out, digits[--len]);
}

static void put_pointer(const struct output *out, const void *p)
{
	struct spec full = { .width = 2 * sizeof(p), .zeros = true };

	put(out, '0');
	put(out, 'x');
	put_number(out, (unsigned long)p, 16, false, &full);
}

static const char *parse_spec(const char *fmt, struct spec *spec)
{
	*spec = (struct spec){ 0 };
	if (*fmt == '0') {
		spec->zeros = true;
		fmt++;
	}
	for (; *fmt >= '0' && *fmt <= '9'; fmt++)
		spec->width = spec->width * 10 + (unsigned int)(*fmt - '0');
	for (; *fmt == 'l' || *fmt == 'z'; fmt++)
		spec->longs += *fmt == 'z' ? 2 : 1;
	return fmt;
}

/* Arguments are fetched here and nowhere else: a va_list must not travel by value. */
struct arguments {
	__builtin_va_list list;
};

static u64 next_unsigned(struct arguments *args, const struct spec *spec)
{
	if (spec->longs == 0)
		return __builtin_va_arg(args->list, unsigned int);
	if (spec->longs == 1)
		return __builtin_va_arg(args->list, unsigned long);
	return __builtin_va_arg(args->list, unsigned long long);
}

static s64 next_signed(struct arguments *args, const struct spec *spec)
{
	if (spec->longs == 0)
		return __builtin_va_arg(args->list, int);
	if (spec->longs == 1)
		return __builtin_va_arg(args->list, long);
	return __builtin_va_arg(args->list, long long);
}

/* false: not a conversion that we know. */
static bool convert(const struct output *out, char type, const struct spec *spec,
		    struct arguments *args)
{
	s64 number;

	switch (type) {
	case 'c':
		put(out, (char)__builtin_va_arg(args->list, int));
		return true;
	case 'd':
	case 'i':
		number = next_signed(args, spec);
		put_number(out, number < 0 ? 0 - (u64)number : (u64)number, 10,
			   number < 0, spec);
		return true;
	case 'p':
		put_pointer(out, __builtin_va_arg(args->list, void *));
		return true;
	case 's':
		put_text(out, __builtin_va_arg(args->list, const char *), spec);
		return true;
	case 'u':
		put_number(out, next_unsigned(args, spec), 10, false, spec);
		return true;
	case 'x':
	case 'X':
		put_number(out, next_unsigned(args, spec), 16, false, spec);
		return true;
	default:
		return false;
	}
}

void format_text(format_sink sink, void *arg, const char *fmt, __builtin_va_list list)
{
	const struct output out = { sink, arg };
	struct arguments args;
	struct spec spec;
	const char *start;

	__builtin_va_copy(args.list, list);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(&out, *fmt);
			continue;
		}
		start = fmt;
		fmt = parse_spec(fmt + 1, &spec);
		if (*fmt == '\0')
			break;
		if (convert(&out, *fmt, &spec, &args))
			continue;
		for (start += *fmt == '%'; start <= fmt; start++)
			put(&out, *start);
	}
	__builtin_va_end(args.list);
}
