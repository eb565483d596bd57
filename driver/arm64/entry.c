// SPDX-License-Identifier: GPL-2.0-only
/*
 * Into EL2 through Linux' own stub: HVC_SOFT_RESTART jumps to a physical
 * address there, with the MMU off (docs/image-contract.md).  The page that we
 * land on is mapped at this address in the boot page tables.
 */
#include "../driver.h"
#include "../boot_tables.h"
#include "caches.h"

#include <linux/mm.h>

/* Linux, arch/arm64/include/asm/virt.h: same numbers since 4.12 */
#define STUB_SOFT_RESTART	1

static u64 entry_phys;

static void clean_table(void *table)
{
	caches_clean(table, PAGE_SIZE);
}

static int build_tables(struct jailhouse_image_header *header, u64 phys, u64 size)
{
	u64 page = entry_phys & PAGE_MASK;
	int err;

	if (phys + size > header->link_address) {
		pr_err("hypervisor memory above 0x%llx is not supported\n", header->link_address);
		return -EINVAL;
	}
	header->stub_virt = page;
	header->stub_phys = page;
	err = boot_tables_init();
	if (!err)
		err = boot_tables_map(header->link_address, phys, size, BOOT_DATA_FLAGS);
	if (!err)
		err = boot_tables_map(page, page, PAGE_SIZE, BOOT_CODE_FLAGS);
	return err;
}

int arch_prepare_entry(struct jailhouse_image_header *header, u64 phys, u64 size)
{
	int err;

	entry_phys = phys + header->entry;
	err = build_tables(header, phys, size);
	if (err) {
		pr_err("cannot build the boot page tables: %d\n", err);
		arch_finish_entry();
		return err;
	}
	return 0;
}

void arch_last_preparation(void)
{
	caches_clean(hypervisor_mem, resource_size(hypervisor_resource));
	boot_tables_for_each(clean_table);
	caches_invalidate_instructions();
}

void arch_finish_entry(void)
{
	boot_tables_free();
}

/*
 * The stub moves x2 and x3 to x0 and x1.  We come back from the hypervisor with
 * x18 to x30 as they were, and 0 or an error; from anything else that sits in
 * EL2 with something positive.
 */
int arch_enter(unsigned int cpu)
{
	u64 root = boot_tables_root();
	register u64 x0 asm("x0") = STUB_SOFT_RESTART;
	register u64 x1 asm("x1") = entry_phys;
	register u64 x2 asm("x2") = cpu;
	register u64 x3 asm("x3") = root;

	asm volatile("hvc #0"
		     : "+r" (x0), "+r" (x1), "+r" (x2), "+r" (x3)
		     : : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
			 "x15", "x16", "x17", "cc", "memory");
	if ((int)x0 > 0) {
		pr_err("EL2 is not Linux' stub: boot with kvm-arm.mode=none\n");
		return -EBUSY;
	}
	return x0;
}

/* EL2 is Linux' stub again: nothing of it shows here. */
void arch_left(void)
{
}
