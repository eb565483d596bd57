// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test device: the page behind the communication region, whose last eight bytes
 * alias those of the communication page.  A write to the register before them
 * makes the CPU spin in the hypervisor for ever: for tests of hang reports.  Only
 * in builds with CONFIG_TEST_DEVICE, and only for cells whose configuration asks
 * for it.
 */
#include <arch/cpu.h>
#include <arch/test_device.h>
#include <core/cell.h>
#include <core/mmio.h>
#include <core/percpu.h>
#include <core/printk.h>

#ifdef CONFIG_TEST_DEVICE

#define FIRST_REG	0xff8
#define LAST_REG	0xfff
#define HANG_REG	0xff0

static bool wants_device(const struct cell *cell)
{
	return cell->config->flags & JAILHOUSE_CELL_TEST_DEVICE;
}

/* Never returns, answers nobody.  Its name is what a hang report has to show. */
static __attribute__((noinline)) void test_device_hang(void)
{
	for (;;)
		cpu_relax();
}

static enum mmio_result handle_access(void *arg, struct mmio_access *access)
{
	struct cell *cell = arg;

	if (access->address >= FIRST_REG && access->address + access->size <= LAST_REG + 1) {
		mmio_perform(cell->comm_page, access);
		return MMIO_HANDLED;
	}
	if (access->address == HANG_REG && access->is_write)
		test_device_hang();
	panic_printk("testdev: invalid %s, register %llx, size %u, cell \"%s\", CPU %u\n",
		     access->is_write ? "write" : "read", access->address, access->size,
		     cell_name(cell), this_cpu()->cpu_id);
	return MMIO_ERROR;
}

/* Where it is, or 0: no communication region, no device */
static u64 device_address(const struct cell *cell)
{
	const struct jailhouse_memory *mem;
	unsigned int n;

	for_each_mem_region(mem, cell->config, n)
		if (mem->flags & JAILHOUSE_MEM_COMM_REGION)
			return mem->virt_start + PAGE_SIZE;
	return 0;
}

static unsigned int test_device_mmio_regions(const struct cell *cell)
{
	return wants_device(cell) && device_address(cell);
}

static int test_device_cell_init(struct cell *cell)
{
	if (test_device_mmio_regions(cell))
		mmio_region_register(cell, gpa(device_address(cell)), PAGE_SIZE, handle_access,
				     cell);
	return 0;
}

static void test_device_cell_exit(struct cell *cell)
{
	if (test_device_mmio_regions(cell))
		mmio_region_unregister(cell, gpa(device_address(cell)));
}

const struct unit test_device_unit = {
	.name = "Test device",
	.mmio_regions = test_device_mmio_regions,
	.cell_init = test_device_cell_init,
	.cell_exit = test_device_cell_exit,
};

#endif
