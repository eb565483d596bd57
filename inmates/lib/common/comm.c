/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Messages of the communication region, and the end of a program. */
#include <inmate.h>

u32 comm_poll_message(void)
{
	u32 msg = comm_region()->msg_to_cell;

	if (msg != JAILHOUSE_MSG_NONE)
		comm_region()->msg_to_cell = JAILHOUSE_MSG_NONE;
	return msg;
}

void comm_reply(u32 reply)
{
	memory_barrier();
	comm_region()->reply_from_cell = reply;
}

void comm_serve(void)
{
	switch (comm_poll_message()) {
	case JAILHOUSE_MSG_NONE:
		break;
	case JAILHOUSE_MSG_SHUTDOWN_REQUEST:
		/* The state is the answer. */
		stop();
	case JAILHOUSE_MSG_RECONFIG_COMPLETED:
		comm_reply(JAILHOUSE_REPLY_RECEIVED);
		break;
	default:
		comm_reply(JAILHOUSE_REPLY_UNKNOWN);
		break;
	}
}

void __noreturn stop(void)
{
	comm_set_state(JAILHOUSE_CELL_SHUT_DOWN);
	halt();
}
