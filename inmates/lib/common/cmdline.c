/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Words separated by blanks: name=value or name. */
#include <inmate.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Never looks beyond the buffer, whether or not somebody terminated it. */
static unsigned long cmdline_length(void)
{
	unsigned long n = 0;

	while (n < cmdline_size && cmdline[n])
		n++;
	return n;
}

static bool word_matches(unsigned long pos, unsigned long end,
			 const char *name, unsigned long *value_pos)
{
	unsigned long len = strlen(name);

	if (end - pos < len || memcmp(cmdline + pos, name, len) != 0)
		return false;
	pos += len;
	if (pos == end)
		*value_pos = end;
	else if (cmdline[pos] == '=')
		*value_pos = pos + 1;
	else
		return false;
	return true;
}

bool cmdline_find(const char *name, char *value, unsigned long size)
{
	unsigned long length = cmdline_length();
	unsigned long pos = 0, end, from, n;

	while (pos < length) {
		while (pos < length && is_blank(cmdline[pos]))
			pos++;
		for (end = pos; end < length && !is_blank(cmdline[end]); end++)
			;
		if (end > pos && word_matches(pos, end, name, &from)) {
			n = end - from;
			if (n > size - 1)
				n = size - 1;
			memcpy(value, cmdline + from, n);
			value[n] = 0;
			return true;
		}
		pos = end;
	}
	return false;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

bool parse_int(const char *text, s64 *value)
{
	bool negative = *text == '-';
	u64 sum = 0;
	int base = 10;

	if (*text == '-' || *text == '+')
		text++;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	if (!*text)
		return false;
	for (; *text; text++) {
		if (digit_value(*text) >= base)
			return false;
		sum = sum * base + digit_value(*text);
	}
	*value = negative ? -sum : sum;
	return true;
}

s64 cmdline_int(const char *name, s64 absent)
{
	char text[32];
	s64 value;

	if (!cmdline_find(name, text, sizeof(text)) || !parse_int(text, &value))
		return absent;
	return value;
}

bool cmdline_flag(const char *name, bool absent)
{
	char text[8];

	if (!cmdline_find(name, text, sizeof(text)))
		return absent;
	if (!*text || strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
		return true;
	if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
		return false;
	return absent;
}
