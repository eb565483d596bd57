// SPDX-License-Identifier: GPL-2.0-only
/* config.c for callers that have bytes. */
#include <core/config.h>

int fake_check_overlap(const void *desc, const void *other);
int fake_check_overlap(const void *desc, const void *other)
{
	struct cell cell = { .config = (struct jailhouse_cell_desc *)(unsigned long)other };

	return config_check_overlap(desc, &cell);
}
