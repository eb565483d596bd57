// SPDX-License-Identifier: GPL-2.0-only
#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif
#include "config_check.h"

#define SIGNATURE_LEN	5	/* the sixth byte is the architecture */

static enum config_verdict check_start(const char *signature, const char *expected,
				       unsigned int revision, unsigned int architecture,
				       unsigned int wanted_architecture)
{
	if (memcmp(signature, expected, SIGNATURE_LEN) != 0)
		return CONFIG_BAD_SIGNATURE;
	if (revision != JAILHOUSE_CONFIG_REVISION)
		return CONFIG_BAD_REVISION;
	if (architecture != wanted_architecture)
		return CONFIG_BAD_ARCHITECTURE;
	return CONFIG_OK;
}

enum config_verdict config_check_system_header(const struct jailhouse_system *config,
					       unsigned int architecture, __u64 *total)
{
	enum config_verdict verdict;
	__u64 size;

	verdict = check_start(config->signature, JAILHOUSE_SYSTEM_SIGNATURE, config->revision,
			      config->architecture, architecture);
	if (verdict != CONFIG_OK)
		return verdict;

	if (config->root_cell.cpu_set_size > CPU_SET_MAX)
		return CONFIG_BAD_CPU_SET;
	size = jailhouse_system_config_size(config);
	if (size > SYSTEM_CONFIG_MAX)
		return CONFIG_TOO_BIG;

	*total = size;
	return CONFIG_OK;
}

enum config_verdict config_check_cell_header(const struct jailhouse_cell_desc *desc,
					     unsigned int architecture, __u64 available,
					     __u64 *total)
{
	enum config_verdict verdict;
	__u64 size;

	verdict = check_start(desc->signature, JAILHOUSE_CELL_DESC_SIGNATURE, desc->revision,
			      desc->architecture, architecture);
	if (verdict != CONFIG_OK)
		return verdict;

	if (desc->cpu_set_size > CPU_SET_MAX)
		return CONFIG_BAD_CPU_SET;
	size = jailhouse_config_size(desc);
	if (size > available)
		return CONFIG_TRUNCATED;
	if (size > CELL_CONFIG_MAX)
		return CONFIG_TOO_BIG;

	*total = size;
	return CONFIG_OK;
}

unsigned int cpu_set_limit(const __u8 *set, unsigned int size)
{
	unsigned int bit;

	while (size > 0 && set[size - 1] == 0)
		size--;
	if (size == 0)
		return 0;
	for (bit = 8; !(set[size - 1] & (1U << (bit - 1))); bit--)
		;
	return (size - 1) * 8 + bit;
}

static int image_layout_valid(const struct jailhouse_image_header *header, __u64 file_size)
{
	__u64 percpu = header->percpu_size;

	if (percpu < 4096 || (percpu & (percpu - 1)) || percpu > (1U << 20))
		return 0;
	if (header->core_size > (1U << 30) || header->core_size % percpu ||
	    file_size > header->core_size)
		return 0;
	if (header->link_address % 4096 || header->entry >= file_size)
		return 0;
	return header->console_page % 4096 == 0 && header->console_page < header->core_size;
}

enum image_verdict image_check(const struct jailhouse_image_header *header, __u64 file_size,
			       unsigned int architecture, __u64 region_size,
			       unsigned int max_cpus, __u64 config_size,
			       __u64 *config_offset)
{
	__u64 used;

	if (file_size < sizeof(*header) ||
	    memcmp(header->signature, JAILHOUSE_IMAGE_SIGNATURE, sizeof(header->signature)) != 0)
		return IMAGE_BAD_SIGNATURE;
	if (header->image_version != JAILHOUSE_IMAGE_VERSION)
		return IMAGE_BAD_VERSION;
	if (header->architecture != architecture)
		return IMAGE_BAD_ARCHITECTURE;
	if (!image_layout_valid(header, file_size))
		return IMAGE_BAD_HEADER;

	/* 2^30 + 2^15 CPUs * 2^20: far from overflow. */
	used = header->core_size + (__u64)max_cpus * header->percpu_size;
	if (used >= region_size || config_size >= region_size - used)
		return IMAGE_NO_SPACE;

	*config_offset = used;
	return IMAGE_OK;
}
