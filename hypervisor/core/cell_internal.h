/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by core/cell*.c, hypercall.c and boot.c only. */
#ifndef CORE_CELL_INTERNAL_H
#define CORE_CELL_INTERNAL_H

#include <core/cell.h>

/* --- cell.c: what a cell is --- */

/* Units, MMIO registry and architecture of a cell that has config and cpus. All or nothing. */
int cell_parts_init(struct cell *cell);
void cell_parts_exit(struct cell *cell);
int cell_units_init(struct cell *cell);	/* without the architecture's part */
/*
 * The object for a configuration copied from `config`, `total` bytes; CPUs as configured.
 * `head` is the copy of its descriptor from which `total` was computed: root may
 * change what it passed at any time.
 */
struct cell *cell_alloc(const struct jailhouse_cell_desc *head,
			const struct jailhouse_cell_desc *config, u64 total);
int root_cell_init(void);
void cell_free(struct cell *cell);
void cell_list_add(struct cell *cell);
void cell_list_remove(struct cell *cell);
/* Ownership changed: interrupts, IOMMUs, TLBs of root and this cell. NULL: root only. */
void cell_commit(struct cell *changed);

/* --- cell_memory.c: who may access what --- */

/* Maps one record (or registers it, if sub-page) in the CPUs' and IOMMUs' tables. */
int cell_map_region(struct cell *cell, const struct jailhouse_memory *mem);
int root_map_all(void);
/* Root suspended. Takes all regions from root and maps them to the cell; undone on failure. */
int cell_take_memory(struct cell *cell);
/* Root suspended, CPUs of the cell gone. */
void cell_return_memory(struct cell *cell);
void cell_clear_memory(struct cell *cell);
int cell_loadable_to_root(struct cell *cell);
int cell_loadable_from_root(struct cell *cell);

/* --- cell_comm.c: communication region --- */

void comm_init(struct cell *cell);	/* every start */
void comm_set_state(struct cell *cell, u32 state);
bool cells_locked(const struct cell *except);
/* Root suspended. May wait as long as the cell's configuration says. */
bool comm_request_shutdown(struct cell *cell);
void comm_notify_all(void);

/* --- cell_manage.c --- */

int cell_suspend(struct cell *cell);	/* all but the calling CPU; on failure none is */
void cell_resume(struct cell *cell);
bool management_try(void);		/* one operation at a time, false: busy */
void management_done(void);

#endif
