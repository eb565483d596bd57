/* SPDX-License-Identifier: GPL-2.0-only */
/* Page tables to enter the hypervisor with (boot_tables.c), in the format of the architecture. */
#ifndef DRIVER_BOOT_TABLES_H
#define DRIVER_BOOT_TABLES_H

#include <linux/bits.h>
#include <linux/types.h>

#ifdef CONFIG_X86_64
/* Present, writable, accessed, dirty.  Upper levels never restrict; leaves are supervisor, write-back. */
#define BOOT_TABLE_FLAGS	(BIT_ULL(0) | BIT_ULL(1) | BIT_ULL(5))
#define BOOT_CODE_FLAGS		(BIT_ULL(0) | BIT_ULL(5))
#define BOOT_DATA_FLAGS		(BOOT_TABLE_FLAGS | BIT_ULL(6))
#define BOOT_ENTRY_ADDRESS	GENMASK_ULL(51, 12)
#else
/* EL2 (DDI 0487, D8.3): valid, table or page; pages: attribute 0, AP[1] RES1, inner shareable, accessed */
#define BOOT_TABLE_FLAGS	(BIT_ULL(0) | BIT_ULL(1))
#define BOOT_DATA_FLAGS		(BOOT_TABLE_FLAGS | BIT_ULL(6) | (3ULL << 8) | BIT_ULL(10))
#define BOOT_CODE_FLAGS		(BOOT_DATA_FLAGS | BIT_ULL(7))
#define BOOT_ENTRY_ADDRESS	GENMASK_ULL(47, 12)
#endif

int boot_tables_init(void);
void boot_tables_free(void);
int boot_tables_map(u64 virt, u64 phys, u64 size, u64 flags);
u64 boot_tables_root(void);	/* physical */
void boot_tables_for_each(void (*action)(void *table));

#endif
