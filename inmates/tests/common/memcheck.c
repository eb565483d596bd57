// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contents of a cell's memory.
 *
 *	mode=fill	writes words derived from key=<n> and their addresses
 *	mode=verify	are they still there?
 *	mode=scan	counts words that are not zero, and that are of key's
 *	mode=crc	CRC-32 of regions=<address>:<size>,...
 *	start=, size=	what the first three work on (4 MiB at 2 MiB)
 *
 * Output: FILLED|VERIFIED|SCANNED ..., CRC <address> <size> <crc>, and
 * DONE memcheck ok|failed (verify: words differ; scan: something of the key).
 */
#include "report.h"

CMDLINE_BUFFER(1024);

static u64 key;

static u64 word_at(unsigned long address)
{
	u64 x = key ^ address;

	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	return x;
}

static bool fill(unsigned long start, unsigned long size)
{
	unsigned long pos;

	for (pos = start; pos < start + size; pos += 8)
		*(u64 *)pos = word_at(pos);
	printf("FILLED %lx %lx key %llx\n", start, size, key);
	return true;
}

static bool verify(unsigned long start, unsigned long size)
{
	unsigned long pos, wrong = 0;

	for (pos = start; pos < start + size; pos += 8)
		wrong += *(u64 *)pos != word_at(pos);
	printf("VERIFIED %lx %lx key %llx wrong %lu\n", start, size, key,
	       wrong);
	return wrong == 0;
}

static bool scan(unsigned long start, unsigned long size)
{
	unsigned long pos, nonzero = 0, matching = 0;

	for (pos = start; pos < start + size; pos += 8) {
		nonzero += *(u64 *)pos != 0;
		matching += *(u64 *)pos == word_at(pos);
	}
	printf("SCANNED %lx %lx key %llx nonzero %lu matching %lu\n", start,
	       size, key, nonzero, matching);
	return matching == 0;
}

static char *cut(char *text, char separator)
{
	for (; *text && *text != separator; text++)
		;
	if (!*text)
		return text;
	*text = 0;
	return text + 1;
}

static bool crc_regions(void)
{
	static char regions[900];
	char *text = regions, *next, *size_text;
	s64 address, size;

	if (!cmdline_find("regions", regions, sizeof(regions)))
		return false;
	for (; *text; text = next) {
		next = cut(text, ',');
		size_text = cut(text, ':');
		if (!parse_int(text, &address) || !parse_int(size_text, &size))
			return false;
		map_range(address, size, MAP_CACHED);
		printf("CRC %llx %llx %08x\n", (u64)address, (u64)size,
		       crc32(0, (void *)(unsigned long)address, size));
	}
	return true;
}

void inmate_main(void)
{
	unsigned long start = cmdline_int("start", 0x200000);
	unsigned long size = cmdline_int("size", 0x400000);
	char mode[8] = "fill";
	bool ok = false;

	key = cmdline_int("key", 0x5ec2e7);
	cmdline_find("mode", mode, sizeof(mode));
	if (strcmp(mode, "crc") == 0) {
		ok = crc_regions();
	} else {
		map_range(start, size, MAP_CACHED);
		if (strcmp(mode, "fill") == 0)
			ok = fill(start, size);
		else if (strcmp(mode, "verify") == 0)
			ok = verify(start, size);
		else if (strcmp(mode, "scan") == 0)
			ok = scan(start, size);
	}
	report_done("memcheck", ok);
}
