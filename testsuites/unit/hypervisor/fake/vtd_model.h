/* SPDX-License-Identifier: GPL-2.0-only */
/* Remapping units for host tests: vtd_model.c. */
#ifndef FAKE_VTD_MODEL_H
#define FAKE_VTD_MODEL_H

#include <core/types.h>

#define VTD_MODELS	2
#define BLOCKED		(~0ULL)

void vtd_model_init(unsigned int n, u64 cap, u64 ecap, u32 status);
/* Its interrupt table and its queue, up to tail, are somebody's. */
void vtd_model_in_use(unsigned int n, u64 irta, u64 iqa, u32 tail);
void *vtd_model_registers(unsigned int n);
bool vtd_model_has(const void *address);
u64 vtd_model_load(const void *address, unsigned int size);
void vtd_model_store(void *address, unsigned int size, u64 value);

/* For tests */
extern unsigned int world_nmis, world_nmi_target, world_invalidations;
u64 world_dma(unsigned int unit, u16 bdf, u64 address, bool write);
u64 world_interrupt(unsigned int unit, u16 requester, u64 address, u32 data);
u32 world_register(unsigned int n, unsigned int reg);
u64 world_register_wide(unsigned int n, unsigned int reg);
void world_set_register(unsigned int n, unsigned int reg, u32 value);
/* The queue stops, or nothing is answered. */
void world_break(unsigned int n, bool queue);

#endif
