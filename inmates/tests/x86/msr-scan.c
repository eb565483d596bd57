// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens to each MSR: range=<first>-<last>[,<first>-<last>...], or a
 * single number in place of a range.  write: writes back what was read, or
 * value=<x>.  all: a line for each, else runs of the same outcome are one line.
 *
 * Output: READ|WRITE <first>-<last> ok|gp, then DONE msr-scan ok.  A fatal one
 * ends the program: NEXT <msr> is printed before each access with careful.
 */
#include "report.h"

CMDLINE_BUFFER(1024);

enum outcome { OUTCOME_NONE, OUTCOME_OK, OUTCOME_GP };

static struct {
	enum outcome outcome;
	u32 first, last;
	bool write, all, careful;
} scan;

static void flush_run(void)
{
	if (scan.outcome == OUTCOME_NONE)
		return;
	printf("%s %x-%x %s\n", scan.write ? "WRITE" : "READ", scan.first,
	       scan.last, scan.outcome == OUTCOME_OK ? "ok" : "gp");
	scan.outcome = OUTCOME_NONE;
}

static enum outcome probe(u32 msr)
{
	u64 value = 0;

	if (scan.careful)
		printf("NEXT %x\n", msr);
	if (!scan.write)
		return msr_read_safe(msr, &value) ? OUTCOME_OK : OUTCOME_GP;
	/* Writing back is the only value known to be harmless. */
	if (!msr_read_safe(msr, &value))
		value = 0;
	value = cmdline_int("value", value);
	return msr_write_safe(msr, value) ? OUTCOME_OK : OUTCOME_GP;
}

static void scan_one(u32 msr)
{
	enum outcome outcome = probe(msr);

	if (outcome != scan.outcome || scan.all || msr != scan.last + 1) {
		flush_run();
		scan.first = msr;
		scan.outcome = outcome;
	}
	scan.last = msr;
}

static bool scan_range(char *text)
{
	s64 first, last;
	char *dash;

	for (dash = text; *dash && *dash != '-'; dash++)
		;
	if (!*dash) {
		if (!parse_int(text, &first))
			return false;
		last = first;
	} else {
		*dash = 0;
		if (!parse_int(text, &first) || !parse_int(dash + 1, &last))
			return false;
	}
	for (; first <= last; first++)
		scan_one(first);
	return true;
}

void inmate_main(void)
{
	static char ranges[900];
	char *text = ranges, *end;
	bool more, ok = true;

	scan.write = cmdline_flag("write", false);
	scan.all = cmdline_flag("all", false);
	scan.careful = cmdline_flag("careful", false);
	if (!cmdline_find("range", ranges, sizeof(ranges)))
		memcpy(ranges, "0x10", 5);
	do {
		for (end = text; *end && *end != ','; end++)
			;
		more = *end == ',';
		*end = 0;
		ok &= scan_range(text);
		flush_run();
		text = end + 1;
	} while (more);
	report_done("msr-scan", ok);
}
