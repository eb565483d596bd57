// SPDX-License-Identifier: GPL-2.0-only
/* The vendor interface (arch/vcpu.h) for Intel VMX with extended page tables (SDM 3C, 23 to 28). */
#include <core/boot.h>
#include <core/cell.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <lib/string.h>
#include <arch/apic_hw.h>
#include <arch/exceptions.h>
#include <arch/msr.h>
#include <arch/registers.h>
#include <arch/vcpu.h>
#include "cat.h"
#include "vmx.h"

#define RIGHTS_REAL_CODE	0x009b

static struct page_table parking_pages;

/* Where a parked CPU waits, at guest-physical 0: cli; hlt; jmp to hlt. */
static const u8 parking_code[] = { 0xfa, 0xf4, 0xeb, 0xfd };
static u8 parking_page[PAGE_SIZE] __aligned(PAGE_SIZE);

static int parking_init(void)
{
	int err = page_table_init(&parking_pages, &nested_page_format);

	memcpy(parking_page, parking_code, sizeof(parking_code));
	if (!err)
		err = page_table_map(&parking_pages, 0, virt_to_hpa(parking_page), PAGE_SIZE,
				     PG_READ | PG_EXECUTE);
	return err;
}

int vcpu_vendor_init(void)
{
	int err = vmx_features_get(&vmx_features);

	if (err)
		return err;
	msr_bitmaps_init();
	return parking_init();
}

void vcpu_vendor_exit(void)
{
	page_table_free(&parking_pages);
}

int vcpu_cell_init(struct cell *cell)
{
	(void)cell;
	return 0;
}

void vcpu_cell_exit(struct cell *cell)
{
	(void)cell;
}

int vcpu_init(struct per_cpu *cpu)
{
	struct vmx_features own = { 0 };
	int err = vmx_features_get(&own);

	if (!err && memcmp(&own, &vmx_features, sizeof(own)))
		err = trace_error(-EIO);
	if (!err)
		err = vmx_on(cpu);
	if (err)
		return err;
	cpu->arch.pat = msr_read(MSR_PAT);
	cpu->arch.mtrr_def_type = msr_read(MSR_MTRR_DEF_TYPE);
	vmcs_init(cpu);
	return 0;
}

void vcpu_exit(struct per_cpu *cpu)
{
	vmx_off(cpu);
}

/* What came while Linux' descriptor tables were away, or ours were not yet there, is Linux'. */
static void inject_early_event(struct per_cpu *cpu)
{
	u64 pending = cpu->handover.pending;

	cpu->handover.pending = 0;
	if (pending & JAILHOUSE_PENDING_MC)
		vmcs_write(VMCS_ENTRY_EVENT, XCPT_MC | EVENT_HARDWARE | EVENT_VALID);
	else if ((pending & JAILHOUSE_PENDING_NMI) || cpu->arch.nmi_pending)
		vmcs_write(VMCS_ENTRY_EVENT, XCPT_NMI | EVENT_NMI | EVENT_VALID);
	cpu->arch.nmi_pending = false;
}

void vcpu_activate(void)
{
	struct per_cpu *cpu = this_cpu();
	const struct jailhouse_x86_handover *h = &cpu->handover;
	/* From here on the hypervisor's stack starts behind them (world.S). */
	struct guest_regs regs __aligned(16) = {
		.rsp = h->rsp, .rbp = h->rbp, .rbx = h->rbx,
		.r12 = h->r12, .r13 = h->r13, .r14 = h->r14, .r15 = h->r15,
	};

	vmcs_set_cell(cpu->cell);
	vmcs_write(VMCS_HOST_RSP, (u64)(&regs + 1));
	inject_early_event(cpu);
	vmx_before_run(&regs);
	vmx_run(&regs);
}

/* --- Reset and parking ------------------------------------------------------- */

static void set_real_mode_start(u16 selector, u64 base, u64 ip)
{
	vmcs_set_segment(SEG_CS, selector, RIGHTS_REAL_CODE, 0xffff, (u32)base);
	vmcs_write(VMCS_GUEST_RIP, ip);
}

void vcpu_reset(unsigned int sipi_vector)
{
	struct per_cpu *cpu = this_cpu();
	u64 address = cpu->cell->config->cpu_reset_address;

	vmcs_set_reset_state();
	if (sipi_vector == SIPI_CELL_START)
		set_real_mode_start(address >> 4 & 0xf000, address & ~0xffffULL,
				    address & 0xffff);
	else
		set_real_mode_start(sipi_vector << 8, (u64)sipi_vector << 12, 0);
	vmcs_set_cell(cpu->cell);
	memset(cpu->arch.regs, 0, sizeof(*cpu->arch.regs));
}

/* Halted with interrupts off: NMIs end that by an exit, as nothing else does. */
void vcpu_park(void)
{
	vmcs_set_reset_state();
	set_real_mode_start(0, 0, 0);
	vmcs_set_tables(&parking_pages);
	if (vmx_features.hlt_activity)
		vmcs_write(VMCS_ACTIVITY, ACTIVITY_HLT);
	memset(this_cpu()->arch.regs, 0, sizeof(*this_cpu()->arch.regs));
}

#define INVEPT_ALL	2

void vcpu_flush_tlb(void)
{
	const struct { u64 eptp, reserved; } all = { 0, 0 };

	asm volatile("invept %0, %1" : : "m" (all), "r" ((u64)INVEPT_ALL) : "cc", "memory");
	/* Cells have changed: so may have the ways of this one. */
	cat_load(this_cpu()->cell);
}

/* Interrupts of the guest are not exits: with IF=0 in the host nothing else lets them in. */
void vcpu_accept_interrupts(void)
{
	asm volatile("sti; nop; nop; cli" : : : "memory");
}

/*
 * From the NMI handler: what this CPU is asked to do it may have looked for
 * already.  An expired timer ends the next entry at once (SDM 3C, 25.5.1).
 */
void vcpu_exit_soon(void)
{
	if (this_cpu()->arch.vmcs_loaded)
		vmcs_write(VMCS_PIN,
			   vmx_features.controls.word[CONTROL_PIN] | PIN_PREEMPTION_TIMER);
}

/* --- Guest state for common code ---------------------------------------------- */

static u32 cs_rights(void)
{
	return vmcs_read(VMCS_GUEST_RIGHTS(SEG_CS));
}

static bool in_long_mode_code(void)
{
	return (vmcs_read(VMCS_GUEST_EFER) & EFER_LMA) && (cs_rights() & RIGHTS_L);
}

void vmcs_end_shadow(void)
{
	u32 blocking = vmcs_read(VMCS_INTERRUPTIBILITY);

	if (blocking & INTERRUPTIBILITY_SHADOW)
		vmcs_write(VMCS_INTERRUPTIBILITY, blocking & ~INTERRUPTIBILITY_SHADOW);
}

/* The CPU says how long an instruction is that exits by itself; prefixes count. */
void vcpu_skip_instruction(unsigned int length)
{
	u64 rip = vmcs_read(VMCS_GUEST_RIP);

	if (vmcs_read(VMCS_REASON) != REASON_EPT_VIOLATION)
		length = vmcs_read(VMCS_INSN_LENGTH);
	rip += length;
	vmcs_write(VMCS_GUEST_RIP, in_long_mode_code() ? rip : (u32)rip);
	vmcs_end_shadow();
}

void vcpu_set_rip(u64 rip)
{
	vmcs_write(VMCS_GUEST_RIP, rip);
}

/* Real mode has no error codes (SDM 3C, 26.2.1.3). */
void vcpu_inject_exception(unsigned int vector, bool has_error, u32 error)
{
	u32 event = vector | EVENT_HARDWARE | EVENT_VALID;

	if (has_error && (vmcs_read(VMCS_GUEST_CR0) & CR0_PE)) {
		event |= EVENT_ERROR;
		vmcs_write(VMCS_ENTRY_ERROR, error);
	}
	vmcs_write(VMCS_ENTRY_EVENT, event);
	vmcs_end_shadow();
}

/* As in a VMCB: without the gap of four bits. */
static u32 vmcb_rights(u32 rights)
{
	return (rights & 0xff) | (rights >> 4 & 0xf00);
}

void vcpu_get_state(struct vcpu_state *state)
{
	*state = (struct vcpu_state){
		.rip = vmcs_read(VMCS_GUEST_RIP),
		.rflags = vmcs_read(VMCS_GUEST_RFLAGS),
		.cr0 = visible_cr0(),
		.cr3 = vmcs_read(VMCS_GUEST_CR3),
		.cr4 = visible_cr4(),
		.efer = vmcs_read(VMCS_GUEST_EFER),
		.cs_selector = vmcs_read(VMCS_GUEST_SELECTOR(SEG_CS)),
		.cs_base = vmcs_read(VMCS_GUEST_BASE(SEG_CS)),
		.cs_attr = vmcb_rights(cs_rights()),
		.cpl = RIGHTS_DPL(vmcs_read(VMCS_GUEST_RIGHTS(SEG_SS))),
	};
}

#define VMCB_ATTR_L	(1U << 9)
#define VMCB_ATTR_D	(1U << 10)

enum insn_mode vcpu_insn_mode(const struct vcpu_state *state)
{
	if ((state->efer & EFER_LMA) && (state->cs_attr & VMCB_ATTR_L))
		return INSN_64;
	return state->cs_attr & VMCB_ATTR_D ? INSN_32 : INSN_16;
}

/* VMX reports none. */
unsigned int vcpu_fetched_bytes(u8 bytes[INSN_MAX_LENGTH])
{
	(void)bytes;
	return 0;
}

void vcpu_set_pat(u64 pat)
{
	vmcs_write(VMCS_GUEST_PAT, pat);
}
