// SPDX-License-Identifier: GPL-2.0-only
/* The hypervisor's memory: claimed, mapped, filled. */
#include "driver.h"

#include <linux/firmware.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/sizes.h>

/* No bus that nobody answers on reads like this. */
#define MARK	0x4a61696c686f7573ULL

struct jailhouse_image_header *hypervisor_mem;
const struct jailhouse_virt_console *hypervisor_log;
size_t hypervisor_core_size;
struct resource *hypervisor_resource;

static int report_image(const char *name, enum image_verdict verdict)
{
	static const char * const reason[] = {
		[IMAGE_BAD_SIGNATURE] = "is not a hypervisor image",
		[IMAGE_BAD_VERSION] = "was built for another version of this module",
		[IMAGE_BAD_ARCHITECTURE] = "is for another architecture",
		[IMAGE_BAD_HEADER] = "has a damaged header",
		[IMAGE_NO_SPACE] = "and the configuration do not fit into hypervisor_memory",
	};

	if (verdict == IMAGE_OK)
		return 0;
	pr_err("%s %s\n", name, reason[verdict]);
	return -EINVAL;
}

static int region_claim(const struct jailhouse_memory *region)
{
	hypervisor_resource = request_mem_region(region->phys_start, region->size,
						 "Jailhouse hypervisor");
	if (!hypervisor_resource) {
		pr_err("request_mem_region failed for hypervisor memory.\n");
		pr_notice("Did you reserve the memory with \"memmap=\" or \"mem=\"?\n");
		return -EINVAL;
	}
	return 0;
}

void hypervisor_resource_release(void)
{
	if (hypervisor_resource)
		release_mem_region(hypervisor_resource->start,
				   resource_size(hypervisor_resource));
	hypervisor_resource = NULL;
}

void hypervisor_mem_release(void)
{
	if (hypervisor_mem)
		memunmap(hypervisor_mem);
	hypervisor_mem = NULL;
}

static bool region_valid(const struct jailhouse_memory *region)
{
	return PAGE_ALIGNED(region->phys_start) && PAGE_ALIGNED(region->size) &&
	       region->size != 0 && region->size <= SZ_1G &&
	       region->phys_start + region->size > region->phys_start;
}

/*
 * Does it keep what is written to its ends? Entering what is not there would be the end.
 * Where a cache answers in place of memory, not all that is missing is found.
 */
static bool region_is_memory(void *mem, u64 size)
{
	u64 *ends[] = { mem, mem + size - sizeof(u64) };
	u64 n;

	for (n = 0; n < ARRAY_SIZE(ends); n++) {
		WRITE_ONCE(*ends[n], MARK + n);
		mb();
		if (READ_ONCE(*ends[n]) != MARK + n)
			return false;
	}
	return true;
}

static int region_map(const struct jailhouse_memory *region)
{
	int err = region_claim(region);

	if (err)
		return err;

	hypervisor_mem = memremap(region->phys_start, region->size, MEMREMAP_WB);
	if (!hypervisor_mem) {
		pr_err("cannot map hypervisor memory\n");
		hypervisor_resource_release();
		return -EINVAL;
	}
	if (!region_is_memory(hypervisor_mem, region->size)) {
		pr_err("there is no memory at hypervisor_memory 0x%llx\n", region->phys_start);
		hypervisor_mem_release();
		hypervisor_resource_release();
		return -EINVAL;
	}
	return 0;
}

static void region_fill(const struct jailhouse_memory *region, const struct firmware *image,
			const struct jailhouse_system *config, u64 config_size,
			u64 config_offset, unsigned int max_cpus)
{
	u64 rest = ALIGN((u64)image->size, sizeof(u64));
	void *mem = hypervisor_mem;

	memcpy(mem, image->data, image->size);
	/* By words: what Linux has for bytes is slower on some CPUs, and this is most of it. */
	memset(mem + image->size, 0, rest - image->size);
	memset64(mem + rest, 0, (region->size - rest) / sizeof(u64));
	memcpy(mem + config_offset, config, config_size);

	hypervisor_mem->max_cpus = max_cpus;
	hypervisor_mem->region_phys = region->phys_start;
	hypervisor_mem->region_size = region->size;
	hypervisor_mem->config_size = config_size;
	hypervisor_mem->linux_virt = (unsigned long)mem;

	hypervisor_log = mem + hypervisor_mem->console_page;
	hypervisor_core_size = hypervisor_mem->core_size;
}

static int load_image(const char *name, const struct firmware *image,
		      const struct jailhouse_system *config, u64 config_size,
		      unsigned int max_cpus)
{
	const struct jailhouse_memory *region = &config->hypervisor_memory;
	u64 config_offset;
	int err;

	err = report_image(name, image_check((const void *)image->data, image->size, ARCH_CONFIG,
					     region->size, max_cpus, config_size,
					     &config_offset));
	if (err)
		return err;

	err = region_map(region);
	if (err)
		return err;

	region_fill(region, image, config, config_size, config_offset, max_cpus);
	return 0;
}

/* On success hypervisor_mem and hypervisor_resource are set, else both are NULL. */
int hypervisor_mem_load(const struct jailhouse_system *config, u64 config_size,
			unsigned int max_cpus)
{
	const char *name = arch_firmware_name();
	const struct firmware *image;
	int err;

	if (!region_valid(&config->hypervisor_memory)) {
		pr_err("hypervisor_memory is empty, too large or not page-aligned\n");
		return -EINVAL;
	}

	err = request_firmware(&image, name, jailhouse_device);
	if (err) {
		pr_err("Missing hypervisor image %s\n", name);
		return err;
	}

	err = load_image(name, image, config, config_size, max_cpus);
	release_firmware(image);
	return err;
}
