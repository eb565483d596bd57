// SPDX-License-Identifier: GPL-2.0-only
/*
 * The boot page tables, which the stub switches to, and the call of the stub.
 * They map the hypervisor's memory at its link address and the stub's page at
 * its own; the hypervisor builds better ones at once (docs/image-contract.md).
 */
#include "../driver.h"

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>
#include <asm/page.h>
#include <asm/tlbflush.h>

#include "stub.h"

#define TABLE_ENTRIES	512
#define ENTRY_PRESENT	BIT_ULL(0)
#define ENTRY_WRITE	BIT_ULL(1)
#define ENTRY_ACCESSED	BIT_ULL(5)
#define ENTRY_DIRTY	BIT_ULL(6)
#define ENTRY_ADDRESS	GENMASK_ULL(51, 12)

/* Upper levels never restrict; leaves are supervisor, write-back (PAT entry 0). */
#define TABLE_FLAGS	(ENTRY_PRESENT | ENTRY_WRITE | ENTRY_ACCESSED)
#define CODE_FLAGS	(ENTRY_PRESENT | ENTRY_ACCESSED)
#define DATA_FLAGS	(TABLE_FLAGS | ENTRY_DIRTY)

/* Linux pages, freed all at once; one page holds pointers for 2 MiB of tables. */
#define MAX_TABLES	(PAGE_SIZE / sizeof(u64 *))
static u64 **tables;
static unsigned int num_tables;
static u64 *root_table;
static u64 entry_address, percpu_address, percpu_size;
static void *percpu_mapping;
static bool vmx;

static u64 *table_alloc(void)
{
	u64 *table;

	if (num_tables == MAX_TABLES)
		return NULL;
	table = (u64 *)get_zeroed_page(GFP_KERNEL);
	if (table)
		tables[num_tables++] = table;
	return table;
}

static u64 *table_entry(u64 *table, u64 virt, unsigned int level)
{
	return &table[virt >> (12 + 9 * level) & (TABLE_ENTRIES - 1)];
}

static int map_page(u64 virt, u64 phys, u64 flags)
{
	u64 *table = root_table, *entry, *next;
	unsigned int level;

	for (level = 3; level > 0; level--) {
		entry = table_entry(table, virt, level);
		if (*entry) {
			table = phys_to_virt(*entry & ENTRY_ADDRESS);
			continue;
		}
		next = table_alloc();
		if (!next)
			return -ENOMEM;
		*entry = virt_to_phys(next) | TABLE_FLAGS;
		table = next;
	}
	*table_entry(table, virt, 0) = phys | flags;
	return 0;
}

static int map_range(u64 virt, u64 phys, u64 size)
{
	u64 offset;
	int err;

	for (offset = 0; offset < size; offset += PAGE_SIZE) {
		err = map_page(virt + offset, phys + offset, DATA_FLAGS);
		if (err)
			return err;
	}
	return 0;
}

/* The stub cannot straddle pages (stub.S), so the page of any of its labels will do. */
static int map_stub(struct jailhouse_image_header *header)
{
	unsigned long virt = (unsigned long)(vmx ? jailhouse_vmx_enter : jailhouse_stub_enter);
	struct page *page = vmalloc_to_page((void *)virt);

	if (!page)
		return -EFAULT;
	header->stub_virt = virt & PAGE_MASK;
	header->stub_phys = page_to_phys(page);
	header->stub_leave =
		(unsigned long)(vmx ? jailhouse_vmx_leave : jailhouse_stub_leave);
	return map_page(header->stub_virt, header->stub_phys, CODE_FLAGS);
}

/* Intel: the first page of each per-CPU area, where the hypervisor will have it too. */
static int map_windows(struct jailhouse_image_header *header, u64 phys)
{
	u64 offset = header->core_size;
	unsigned int n;
	int err = 0;

	if (!vmx)
		return 0;
	header->window = (unsigned long)header + offset;
	for (n = 0; n < header->max_cpus && !err; n++, offset += header->percpu_size)
		err = map_page((unsigned long)header + offset, phys + offset, DATA_FLAGS);
	return err;
}

static int build_tables(struct jailhouse_image_header *header, u64 phys, u64 size)
{
	int err;

	root_table = table_alloc();
	if (!root_table)
		return -ENOMEM;
	err = map_range(header->link_address, phys, size);
	if (!err)
		err = map_stub(header);
	if (!err)
		err = map_windows(header, phys);
	return err;
}

int arch_prepare_entry(struct jailhouse_image_header *header, u64 phys, u64 size)
{
	int err = -ENOMEM;

	vmx = arch_uses_vmx();
	num_tables = 0;
	tables = (u64 **)get_zeroed_page(GFP_KERNEL);
	if (tables)
		err = build_tables(header, phys, size);
	if (err) {
		pr_err("cannot build the boot page tables: %d\n", err);
		arch_finish_entry();
		return err;
	}

	entry_address = header->link_address + header->entry;
	percpu_address = header->link_address + header->core_size;
	percpu_mapping = (void *)header + header->core_size;
	percpu_size = header->percpu_size;
	return 0;
}

void arch_finish_entry(void)
{
	while (num_tables > 0)
		free_page((unsigned long)tables[--num_tables]);
	free_page((unsigned long)tables);
	tables = NULL;
	root_table = NULL;
}

/* VMX is in use from now on: a KVM that is loaded later looks there. */
static int enter_vmx(struct jailhouse_x86_handover *handover, unsigned int cpu, u64 percpu)
{
	int err;

	window_fill(handover);
	err = jailhouse_vmx_enter(handover, virt_to_phys(root_table), entry_address, cpu,
				  percpu);
	if (!err)
		cr4_set_bits_irqsoff(X86_CR4_VMXE);
	return err;
}

int arch_enter(unsigned int cpu)
{
	u64 offset = cpu * percpu_size;

	if (vmx)
		return enter_vmx(percpu_mapping + offset, cpu, percpu_address + offset);
	return jailhouse_stub_enter(percpu_mapping + offset, virt_to_phys(root_table),
				    entry_address, cpu, percpu_address + offset);
}

void arch_left(void)
{
	if (vmx)
		cr4_clear_bits_irqsoff(X86_CR4_VMXE);
}
