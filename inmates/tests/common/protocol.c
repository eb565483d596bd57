// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cell that answers messages in a way the command line chooses.
 *
 *	lock		state running/locked
 *	state=<n>	state n, whatever that means
 *	deny=<n>	denies the first n shutdown requests (-1: all)
 *	reply=<n>	answers every message with n; replies=<n>: only the first n
 *	ignore		never answers
 *	take		takes messages away but never answers
 *	answer-late=<ms> waits before each answer
 *	storm		writes random words to the whole region for ever, or
 *			words=<n> of them and then stops
 *	exit		returns from the program
 *	die		exception that nobody handles
 *
 * Output: READY, then MESSAGE <code> REPLY <code> for each message, TICK <n>
 * every second, at last DONE protocol ok.
 */
#include "report.h"

static s64 deny_left, fixed_left;

static void answer(u32 reply)
{
	s64 late = cmdline_int("answer-late", 0);

	if (late)
		delay_us(late * 1000);
	comm_reply(reply);
}

static u32 choose_reply(u32 message)
{
	s64 fixed = cmdline_int("reply", -1);

	if (fixed >= 0 && fixed_left != 0) {
		if (fixed_left > 0)
			fixed_left--;
		return fixed;
	}
	if (message == JAILHOUSE_MSG_RECONFIG_COMPLETED)
		return JAILHOUSE_REPLY_RECEIVED;
	if (message != JAILHOUSE_MSG_SHUTDOWN_REQUEST)
		return JAILHOUSE_REPLY_UNKNOWN;
	if (deny_left == 0)
		return JAILHOUSE_REPLY_REQUEST_APPROVED;
	if (deny_left > 0)
		deny_left--;
	return JAILHOUSE_REPLY_REQUEST_DENIED;
}

static void serve(void)
{
	u32 message = comm_region()->msg_to_cell;
	u32 reply;

	if (message == JAILHOUSE_MSG_NONE || cmdline_flag("ignore", false))
		return;
	comm_poll_message();
	reply = choose_reply(message);
	/* Before the answer: after it this CPU may be stopped. */
	printf("MESSAGE %u REPLY %u\n", message, reply);
	if (cmdline_flag("take", false))
		return;
	if (reply == JAILHOUSE_REPLY_REQUEST_APPROVED &&
	    message == JAILHOUSE_MSG_SHUTDOWN_REQUEST) {
		printf("DONE protocol ok\n");
		answer(reply);
		stop();
	}
	answer(reply);
}

static void storm(void)
{
	volatile u32 *region = (void *)COMM_REGION_BASE;
	s64 left = cmdline_int("words", 0);
	u32 random = 0x12345678;

	for (;;) {
		random = random * 1664525 + 1013904223;
		region[(random >> 8) % (PAGE_SIZE / 4)] = random;
		if (left && --left == 0)
			stop();
	}
}

void inmate_main(void)
{
	u64 next = clock_ns() + NS_PER_SEC;
	unsigned int ticks = 0;

	deny_left = cmdline_int("deny", 0);
	fixed_left = cmdline_int("replies", -1);
	if (cmdline_flag("lock", false))
		comm_set_state(JAILHOUSE_CELL_RUNNING_LOCKED);
	if (cmdline_int("state", -1) >= 0)
		comm_set_state(cmdline_int("state", 0));
	printf("READY\n");

	if (cmdline_flag("storm", false))
		storm();
	if (cmdline_flag("die", false))
		__builtin_trap();
	if (cmdline_flag("exit", false)) {
		printf("DONE protocol ok\n");
		return;
	}
	for (;;) {
		serve();
		if (clock_ns() >= next) {
			next += NS_PER_SEC;
			printf("TICK %u\n", ++ticks);
		}
		cpu_relax();
	}
}
