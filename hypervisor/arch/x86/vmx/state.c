// SPDX-License-Identifier: GPL-2.0-only
/* The VMCS of a CPU: Linux' state as guest, the hypervisor's as host, reset state. */
#include <core/boot.h>
#include <arch/exceptions.h>
#include <arch/paging.h>
#include <arch/registers.h>
#include <arch/vcpu.h>
#include "cat.h"
#include "vmx.h"

#define GUEST_VPID		1	/* one guest a CPU; 0 is the hypervisor */
#define EPTP_FORMAT		(6 | 3 << 3)	/* write-back, four levels (SDM 3C, 24.6.11) */
#define HOST_TR			0x18	/* any but 0; what it would name is never looked at */

/* Access rights (SDM 3C, 24.4.1) */
#define RIGHTS_CODE64		0xa09b
#define RIGHTS_KERNEL_DATA	0xc093
#define RIGHTS_USER_DATA	0xc0f3
#define RIGHTS_REAL_DATA	0x0093
#define RIGHTS_TSS		0x008b
#define RIGHTS_LDT		0x0082

/* Ring 0 only, no interrupt stacks: the CPU never reads it. */
static u8 host_tss[104] __aligned(8);

void vmcs_set_segment(enum vmcs_segment n, u16 selector, u32 rights, u32 limit, u64 base)
{
	vmcs_write(VMCS_GUEST_SELECTOR(n), selector);
	vmcs_write(VMCS_GUEST_RIGHTS(n), rights);
	vmcs_write(VMCS_GUEST_LIMIT(n), limit);
	vmcs_write(VMCS_GUEST_BASE(n), base);
}

static void set_table(enum vmcs_segment n, u32 limit, u64 base)
{
	vmcs_write(VMCS_GUEST_LIMIT(n), limit);
	vmcs_write(VMCS_GUEST_BASE(n), base);
}

/* --- Controls ------------------------------------------------------------------ */

static void set_controls(void)
{
	const u32 *word = vmx_features.controls.word;

	vmcs_write(VMCS_PIN, word[CONTROL_PIN]);
	vmcs_write(VMCS_PRIMARY, word[CONTROL_PRIMARY]);
	vmcs_write(VMCS_SECONDARY, word[CONTROL_SECONDARY]);
	vmcs_write(VMCS_EXIT, word[CONTROL_EXIT]);
	vmcs_write(VMCS_ENTRY, word[CONTROL_ENTRY] | ENTRY_LONG_MODE);
	/* Re-injected: a guest in an exception loop stays reachable (bugs.md A34). */
	vmcs_write(VMCS_EXCEPTIONS, 1U << XCPT_DB | 1U << XCPT_AC);
	vmcs_write(VMCS_PF_MASK, 0);
	vmcs_write(VMCS_PF_MATCH, 0);
	vmcs_write(VMCS_CR3_TARGETS, 0);
	vmcs_write(VMCS_EXIT_STORES, 0);
	vmcs_write(VMCS_EXIT_LOADS, 0);
	vmcs_write(VMCS_ENTRY_LOADS, 0);
	vmcs_write(VMCS_ENTRY_EVENT, 0);
	vmcs_write(VMCS_PREEMPTION_TIMER, 0);
	vmcs_write(VMCS_LINK, ~0ULL);
	if (word[CONTROL_SECONDARY] & SECONDARY_VPID)
		vmcs_write(VMCS_VPID, GUEST_VPID);
	if (word[CONTROL_SECONDARY] & SECONDARY_XSAVES)
		vmcs_write(VMCS_XSS_BITMAP, 0);
}

static void set_shadows(u64 cr0, u64 cr4)
{
	vmcs_write(VMCS_CR0_MASK, CR0_OWNED);
	vmcs_write(VMCS_CR0_SHADOW, cr0);
	/* Caching is never off: what is uncached the PAT says (msr.c). */
	vmcs_write(VMCS_GUEST_CR0, (cr0 & ~CR0_OWNED) | CR0_NE);
	vmcs_write(VMCS_CR4_MASK, CR4_OWNED);
	vmcs_write(VMCS_CR4_SHADOW, cr4);
	vmcs_write(VMCS_GUEST_CR4, cr4 | CR4_VMXE);
}

void vmcs_set_tables(const struct page_table *tables)
{
	vmcs_write(VMCS_EPTP, virt_to_hpa(tables->root).raw | EPTP_FORMAT);
	vcpu_flush_tlb();
}

/* What the guest may reach: its cell's. */
void vmcs_set_cell(const struct cell *cell)
{
	u64 ports = virt_to_hpa(cell->arch.io_bitmap).raw;

	vmcs_write(VMCS_IO_BITMAP_A, ports);
	vmcs_write(VMCS_IO_BITMAP_B, ports + PAGE_SIZE);
	vmcs_write(VMCS_MSR_BITMAP, virt_to_hpa(msr_bitmap_for(cell == &root_cell)).raw);
	vmcs_set_tables(&cell->stage2);
	cat_load(cell);
}

/* --- Host ------------------------------------------------------------------------ */

static void set_host_state(void)
{
	struct desc_ptr gdtr, idtr;

	asm volatile("sgdt %0" : "=m" (gdtr));
	asm volatile("sidt %0" : "=m" (idtr));
	/* With TS or EM set the FPU could not be given to the next cell (cpu_state.c). */
	vmcs_write(VMCS_HOST_CR0, cr0_read() & ~(CR0_TS | CR0_EM));
	vmcs_write(VMCS_HOST_CR3, cr3_read());
	vmcs_write(VMCS_HOST_CR4, cr4_read());
	vmcs_write(VMCS_HOST_EFER, msr_read(MSR_EFER));
	vmcs_write(VMCS_HOST_PAT, PAT_RESET);
	vmcs_write(VMCS_HOST_SELECTOR(SEG_CS), HV_CS);
	vmcs_write(VMCS_HOST_SELECTOR(SEG_SS), HV_DS);
	vmcs_write(VMCS_HOST_SELECTOR(SEG_DS), HV_DS);
	vmcs_write(VMCS_HOST_SELECTOR(SEG_ES), HV_DS);
	vmcs_write(VMCS_HOST_SELECTOR(SEG_FS), 0);
	vmcs_write(VMCS_HOST_SELECTOR(SEG_GS), 0);
	vmcs_write(VMCS_HOST_TR_SELECTOR, HOST_TR);
	vmcs_write(VMCS_HOST_FS_BASE, 0);
	vmcs_write(VMCS_HOST_GS_BASE, 0);
	vmcs_write(VMCS_HOST_TR_BASE, (u64)host_tss);
	vmcs_write(VMCS_HOST_GDTR_BASE, gdtr.base);
	vmcs_write(VMCS_HOST_IDTR_BASE, idtr.base);
	vmcs_write(VMCS_HOST_SYSENTER_CS, 0);
	vmcs_write(VMCS_HOST_SYSENTER_ESP, 0);
	vmcs_write(VMCS_HOST_SYSENTER_EIP, 0);
	vmcs_write(VMCS_HOST_RIP, (u64)vmx_exit);
}

/* --- Linux becomes the guest -------------------------------------------------------- */

/*
 * Base and limit matter in 32-bit code only, and there Linux' data segments are
 * flat.  A null selector stays unusable.
 */
static void set_data_segment(enum vmcs_segment n, u16 selector, u64 base)
{
	u32 rights = selector & 3 ? RIGHTS_USER_DATA : RIGHTS_KERNEL_DATA;

	if (selector & ~3)
		vmcs_set_segment(n, selector, rights, ~0U, base);
	else
		vmcs_set_segment(n, selector, RIGHTS_UNUSABLE, 0, base);
}

static void set_system_segment(enum vmcs_segment n, const struct jailhouse_x86_segment *seg,
			       u32 rights)
{
	if (seg->selector & ~3)
		vmcs_set_segment(n, seg->selector, rights, seg->limit, seg->base);
	else
		vmcs_set_segment(n, 0, RIGHTS_UNUSABLE, 0, 0);
}

static void set_linux_state(const struct per_cpu *cpu)
{
	const struct jailhouse_x86_handover *h = &cpu->handover;
	const struct linux_state *saved = &cpu->arch.linux_state;

	vmcs_set_segment(SEG_CS, h->cs, RIGHTS_CODE64, ~0U, 0);
	set_data_segment(SEG_SS, saved->ss, 0);
	set_data_segment(SEG_DS, h->ds, 0);
	set_data_segment(SEG_ES, h->es, 0);
	set_data_segment(SEG_FS, h->fs, h->fs_base);
	set_data_segment(SEG_GS, h->gs, h->gs_base);
	set_system_segment(SEG_TR, &h->tr, RIGHTS_TSS);
	set_system_segment(SEG_LDTR, &h->ldtr, RIGHTS_LDT);
	set_table(SEG_GDTR, saved->gdtr.limit, saved->gdtr.base);
	set_table(SEG_IDTR, saved->idtr.limit, saved->idtr.base);
	set_shadows(saved->cr0, h->cr4);
	vmcs_write(VMCS_GUEST_CR3, h->cr3);
	vmcs_write(VMCS_GUEST_EFER, h->efer);
	vmcs_write(VMCS_GUEST_DR7, saved->dr7);
	vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	vmcs_write(VMCS_GUEST_RIP, h->rip);
}

static void set_linux_msrs(const struct per_cpu *cpu)
{
	vmcs_write(VMCS_GUEST_PAT, cpu->arch.pat);
	vmcs_write(VMCS_GUEST_DEBUGCTL, msr_read(MSR_DEBUGCTL));
	vmcs_write(VMCS_GUEST_SYSENTER_CS, msr_read(MSR_SYSENTER_CS));
	vmcs_write(VMCS_GUEST_SYSENTER_ESP, msr_read(MSR_SYSENTER_ESP));
	vmcs_write(VMCS_GUEST_SYSENTER_EIP, msr_read(MSR_SYSENTER_EIP));
}

static void set_undisturbed(void)
{
	vmcs_write(VMCS_INTERRUPTIBILITY, 0);
	vmcs_write(VMCS_ACTIVITY, ACTIVITY_ACTIVE);
	vmcs_write(VMCS_PENDING_DEBUG, 0);
}

void vmcs_init(struct per_cpu *cpu)
{
	set_controls();
	set_host_state();
	set_linux_state(cpu);
	set_linux_msrs(cpu);
	set_undisturbed();
}

/* --- Reset ---------------------------------------------------------------------------- */

static void reset_msrs(void)
{
	u32 msr;

	for (msr = MSR_STAR; msr <= MSR_SFMASK; msr++)
		msr_write(msr, 0);
	msr_write(MSR_KERNEL_GS_BASE, 0);
	vmcs_write(VMCS_GUEST_SYSENTER_CS, 0);
	vmcs_write(VMCS_GUEST_SYSENTER_ESP, 0);
	vmcs_write(VMCS_GUEST_SYSENTER_EIP, 0);
	vmcs_write(VMCS_GUEST_DEBUGCTL, 0);
	vmcs_write(VMCS_GUEST_EFER, 0);
}

/* abi.md 7.1; where the code is, the caller knows. */
void vmcs_set_reset_state(void)
{
	static const u8 data[] = { SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS };
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(data); n++)
		vmcs_set_segment(data[n], 0, RIGHTS_REAL_DATA, 0xffff, 0);
	vmcs_set_segment(SEG_TR, 0, RIGHTS_TSS, 0xffff, 0);
	vmcs_set_segment(SEG_LDTR, 0, RIGHTS_LDT, 0xffff, 0);
	set_table(SEG_GDTR, 0xffff, 0);
	set_table(SEG_IDTR, 0xffff, 0);
	set_shadows(CR0_ET | CR0_NW | CR0_CD, 0);
	cr2_write(0);
	vmcs_write(VMCS_GUEST_CR3, 0);
	dr6_write(DR6_INIT);
	vmcs_write(VMCS_GUEST_DR7, DR7_INIT);
	vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	vmcs_write(VMCS_ENTRY, vmx_features.controls.word[CONTROL_ENTRY]);
	vmcs_write(VMCS_ENTRY_EVENT, 0);
	reset_msrs();
	set_undisturbed();
}
