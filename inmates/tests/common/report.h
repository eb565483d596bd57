/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How test inmates report: lines of KEY value, then DONE <name> ok|failed.
 *
 * After that a program stops (state shut down or failed).  end=halt leaves the
 * state alone, for cells with a read-only communication region; end=serve goes
 * on and answers messages.
 */
#ifndef REPORT_H
#define REPORT_H

#include <inmate.h>

static inline void __noreturn report_end(bool ok)
{
	char how[8] = "stop";

	cmdline_find("end", how, sizeof(how));
	if (strcmp(how, "halt") == 0)
		halt();
	while (strcmp(how, "serve") == 0) {
		comm_serve();
		cpu_relax();
	}
	if (ok)
		stop();
	comm_set_state(JAILHOUSE_CELL_FAILED);
	halt();
}

static inline void __noreturn report_done(const char *name, bool ok)
{
	printf("DONE %s %s\n", name, ok ? "ok" : "failed");
	report_end(ok);
}

#endif
