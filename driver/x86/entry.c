// SPDX-License-Identifier: GPL-2.0-only
/*
 * The boot page tables, which the stub switches to, and the call of the stub.
 * They map the hypervisor's memory at its link address and the stub's page at
 * its own (docs/image-contract.md).
 */
#include "../driver.h"
#include "../boot_tables.h"

#include <linux/mm.h>
#include <linux/vmalloc.h>
#include <asm/tlbflush.h>

#include "stub.h"

static u64 entry_address, percpu_address, percpu_size;
static void *percpu_mapping;
static bool vmx;

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
	return boot_tables_map(header->stub_virt, header->stub_phys, PAGE_SIZE, BOOT_CODE_FLAGS);
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
		err = boot_tables_map((unsigned long)header + offset, phys + offset, PAGE_SIZE,
				      BOOT_DATA_FLAGS);
	return err;
}

static int build_tables(struct jailhouse_image_header *header, u64 phys, u64 size)
{
	int err;

	err = boot_tables_init();
	if (!err)
		err = boot_tables_map(header->link_address, phys, size, BOOT_DATA_FLAGS);
	if (!err)
		err = map_stub(header);
	if (!err)
		err = map_windows(header, phys);
	return err;
}

int arch_prepare_entry(struct jailhouse_image_header *header, u64 phys, u64 size)
{
	int err;

	vmx = arch_uses_vmx();
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
	boot_tables_free();
}

/* VMX is in use from now on: a KVM that is loaded later looks there. */
static int enter_vmx(struct jailhouse_x86_handover *handover, unsigned int cpu, u64 percpu)
{
	int err;

	window_fill(handover);
	err = jailhouse_vmx_enter(handover, boot_tables_root(), entry_address, cpu,
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
	return jailhouse_stub_enter(percpu_mapping + offset, boot_tables_root(),
				    entry_address, cpu, percpu_address + offset);
}

void arch_left(void)
{
	if (vmx)
		cr4_clear_bits_irqsoff(X86_CR4_VMXE);
}
