// SPDX-License-Identifier: GPL-2.0-only
/*
 * Communication region (abi.md 4).  The page is the cell's: whatever is read
 * from it may be anything, and may change between two looks.
 */
#include <core/cell_internal.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <core/seed.h>
#include <arch/cpu.h>
#include <lib/string.h>

void comm_set_state(struct cell *cell, u32 state)
{
	cell->comm_page->cell_state = state;
}

static u32 comm_flags(const struct cell *cell)
{
	u32 flags = 0;

	if (cell->config->flags & JAILHOUSE_CELL_VIRTUAL_CONSOLE_PERMITTED)
		flags |= JAILHOUSE_COMM_FLAG_DBG_PUTC_PERMITTED;
	if (cell->config->flags & JAILHOUSE_CELL_VIRTUAL_CONSOLE_ACTIVE)
		flags |= JAILHOUSE_COMM_FLAG_DBG_PUTC_ACTIVE;
	return flags;
}

void comm_init(struct cell *cell)
{
	struct jailhouse_comm_region *comm = cell->comm_page;

	memset(comm, 0, PAGE_SIZE);
	memcpy(comm->signature, JAILHOUSE_COMM_SIGNATURE, sizeof(comm->signature));
	comm->revision = JAILHOUSE_COMM_ABI_REVISION;
	comm->cell_state = JAILHOUSE_CELL_RUNNING;
	comm->flags = comm_flags(cell);
	comm->console = cell->config->console;
	comm->pci_mmconfig_base = system_config->platform_info.pci_mmconfig_base;
	arch_fill_comm_region(cell);
}

/* Terminal: nobody is there any more to answer (decisions.md 18 adds the last one). */
static bool state_is_terminal(u32 state)
{
	return state == JAILHOUSE_CELL_SHUT_DOWN || state == JAILHOUSE_CELL_FAILED ||
		state == JAILHOUSE_CELL_FAILED_COMM_REV;
}

bool cells_locked(const struct cell *except)
{
	struct cell *cell;

	if (seeded_lock())
		return false;
	for_each_non_root_cell(cell)
		if (cell != except &&
		    cell->comm_page->cell_state == JAILHOUSE_CELL_RUNNING_LOCKED)
			return true;
	return false;
}

static void give_up_waiting(struct cell *cell)
{
	printk("Timeout expired while waiting for reply from target cell\n");
	/* One that does not even answer the kick has been named; it is failed all the same. */
	(void)cell_suspend(cell);
	comm_set_state(cell, JAILHOUSE_CELL_FAILED);
}

/*
 * Send a message and wait.  True: `approval` came, or nobody is left to ask.
 * No bound when msg_reply_timeout is 0: the contract (decisions.md 18).
 */
static bool exchange(struct cell *cell, u32 message, u32 approval)
{
	struct jailhouse_comm_region *comm = cell->comm_page;
	u64 turns = cell->config->msg_reply_timeout;
	u32 reply;

	if ((cell->config->flags & JAILHOUSE_CELL_PASSIVE_COMMREG) ||
	    state_is_terminal(comm->cell_state))
		return true;

	comm->reply_from_cell = JAILHOUSE_REPLY_NONE;
	memory_barrier();
	comm->msg_to_cell = message;

	for (;;) {
		reply = comm->reply_from_cell;
		if (reply == approval || state_is_terminal(comm->cell_state))
			return true;
		if (reply != JAILHOUSE_REPLY_NONE)
			return false;
		if (turns && --turns == 0) {
			give_up_waiting(cell);
			return true;
		}
		cpu_relax();
	}
}

bool comm_request_shutdown(struct cell *cell)
{
	return exchange(cell, JAILHOUSE_MSG_SHUTDOWN_REQUEST, JAILHOUSE_REPLY_REQUEST_APPROVED);
}

/* Answers to the notice make no difference. */
void comm_notify_all(void)
{
	struct cell *cell;

	for_each_non_root_cell(cell)
		exchange(cell, JAILHOUSE_MSG_RECONFIG_COMPLETED, JAILHOUSE_REPLY_RECEIVED);
}
