// SPDX-License-Identifier: GPL-2.0-only
/* Loading images into the memory of a cell, and shutting it down by loading nothing. */
#include "driver.h"

#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#define LOAD_FLAGS	(JAILHOUSE_MEM_WRITE | JAILHOUSE_MEM_LOADABLE)

/* The region that the image's first byte is in. */
static const struct jailhouse_memory *find_region(const struct cell *cell, u64 address)
{
	const struct jailhouse_memory *region = cell->memory_regions;
	u32 n;

	for (n = 0; n < cell->num_memory_regions; n++, region++)
		if (address >= region->virt_start && address - region->virt_start < region->size)
			return region;
	return NULL;
}

static int image_place(const struct cell *cell, const struct jailhouse_preload_image *image,
		       u64 *phys)
{
	const struct jailhouse_memory *region = find_region(cell, image->target_address);
	u64 offset;

	if (!region) {
		pr_err("cell \"%s\": no memory at 0x%llx\n", cell->name, image->target_address);
		return -EINVAL;
	}
	offset = image->target_address - region->virt_start;
	if (image->size > region->size - offset) {
		pr_err("cell \"%s\": 0x%llx bytes at 0x%llx are more than the region holds\n",
		       cell->name, image->size, image->target_address);
		return -EINVAL;
	}
	if ((region->flags & LOAD_FLAGS) != LOAD_FLAGS) {
		pr_err("cell \"%s\": the region at 0x%llx is not writable and loadable\n",
		       cell->name, region->virt_start);
		return -EINVAL;
	}
	*phys = region->phys_start + offset;
	return 0;
}

/* Never into memory that Linux uses as its own. */
static void *image_map(u64 phys, u64 size)
{
	if (region_intersects(phys, size, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) !=
	    REGION_DISJOINT)
		return NULL;
	return memremap(phys, size, MEMREMAP_WB);
}

/* In pieces: images may be larger than what one copy takes, and signals count. */
static int image_copy(void *mem, const void __user *source, u64 size)
{
	size_t part;

	for (; size > 0; size -= part, mem += part, source += part) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		part = min_t(u64, size, SZ_1M);
		if (copy_from_user(mem, source, part))
			return -EFAULT;
	}
	return 0;
}

static int image_load(const struct cell *cell, const struct jailhouse_preload_image __user *arg)
{
	struct jailhouse_preload_image image;
	void *mem;
	u64 phys;
	int err;

	if (copy_from_user(&image, arg, sizeof(image)))
		return -EFAULT;
	if (image.size == 0)
		return 0;

	err = image_place(cell, &image, &phys);
	if (err)
		return err;
	mem = image_map(phys, image.size);
	if (!mem) {
		pr_err("cannot map cell memory at 0x%llx\n", phys);
		return -EBUSY;
	}
	err = image_copy(mem, u64_to_user_ptr(image.source_address), image.size);
	if (!err)
		arch_publish_image(mem, image.size);
	memunmap(mem);
	return err;
}

static int images_load(const struct cell *cell, const struct jailhouse_cell_load __user *arg,
		       u32 count)
{
	u32 n;
	int err;

	for (n = 0; n < count; n++) {
		/* The count is user space's word: up to 2^32 empty images. */
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
		err = image_load(cell, &arg->image[n]);
		if (err)
			return err;
	}
	return 0;
}

int jailhouse_cmd_cell_load(const struct jailhouse_cell_load __user *arg)
{
	struct cell *cell;
	u32 count;
	int err;

	if (get_user(count, &arg->num_preload_images))
		return -EFAULT;
	err = cell_get(&arg->cell_id, &cell);
	if (err)
		return err;
	err = hypervisor_call(JAILHOUSE_HC_CELL_SET_LOADABLE, cell->id, 0);
	if (!err)
		err = images_load(cell, arg, count);
	mutex_unlock(&jailhouse_lock);
	return err;
}
