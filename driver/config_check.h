/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sizes of untrusted configurations, before anything follows their counts.
 * Pure functions: they compile for the host too (testsuites/unit/driver).
 * What the contents mean is checked by the hypervisor.
 */
#ifndef DRIVER_CONFIG_CHECK_H
#define DRIVER_CONFIG_CHECK_H

#include <jailhouse/cell-config.h>
#include <jailhouse/image.h>

/* No sane system configuration comes near; bounds what we allocate. */
#define SYSTEM_CONFIG_MAX	(1U << 20)
/* The hypervisor maps this much of a cell configuration (abi 3.3). */
#define CELL_CONFIG_MAX		(16 * 4096U)
/* abi 1.4 */
#define CPU_SET_MAX		4096U

enum config_verdict {
	CONFIG_OK,
	CONFIG_BAD_SIGNATURE,
	CONFIG_BAD_REVISION,
	CONFIG_BAD_ARCHITECTURE,
	CONFIG_BAD_CPU_SET,	/* larger than CPU_SET_MAX */
	CONFIG_TRUNCATED,	/* the counts say more than there is */
	CONFIG_TOO_BIG,
};

/*
 * @available: bytes that user space says there are.
 * @total: set to the bytes that the counts ask for (CONFIG_OK only).
 */
enum config_verdict config_check_system_header(const struct jailhouse_system *config,
					       unsigned int architecture, __u64 *total);
enum config_verdict config_check_cell_header(const struct jailhouse_cell_desc *desc,
					     unsigned int architecture, __u64 available,
					     __u64 *total);

/* Highest CPU of a bitmap + 1; 0 if it is empty. */
unsigned int cpu_set_limit(const __u8 *set, unsigned int size);

enum image_verdict {
	IMAGE_OK,
	IMAGE_BAD_SIGNATURE,
	IMAGE_BAD_VERSION,
	IMAGE_BAD_ARCHITECTURE,
	IMAGE_BAD_HEADER,	/* sizes and offsets contradict each other */
	IMAGE_NO_SPACE,		/* hypervisor memory too small */
};

/*
 * The image file (at least sizeof(*header) bytes of it) against the memory it
 * shall run in.  @config_offset: set to where the configuration belongs.
 */
enum image_verdict image_check(const struct jailhouse_image_header *header, __u64 file_size,
			       unsigned int architecture, __u64 region_size,
			       unsigned int max_cpus, __u64 config_size,
			       __u64 *config_offset);

#endif
