/* SPDX-License-Identifier: GPL-2.0-only */
/* The boot story (core/boot.c) and what it leaves behind. */
#ifndef CORE_BOOT_H
#define CORE_BOOT_H

#include <jailhouse/image.h>
#include <core/types.h>

extern struct jailhouse_image_header hypervisor_header;	/* at link_address */

/*
 * Every CPU, on its own stack, with the tables of the driver.  Returns only on failure
 * (negative errno; the architecture then returns to Linux with it).
 */
int boot_cpu(unsigned int cpu_id);

/* Machine facts for validation; valid after early set-up. */
struct config_limits;
extern struct config_limits machine_limits;

#endif
