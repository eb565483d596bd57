// SPDX-License-Identifier: GPL-2.0-only
/* The vendor interface (arch/vcpu.h) for AMD SVM with nested paging (APM 2, 15). */
#include <core/boot.h>
#include <core/cell.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <core/sections.h>
#include <lib/string.h>
#include <arch/apic_hw.h>
#include <arch/exceptions.h>
#include <arch/msr.h>
#include <arch/paging.h>
#include <arch/registers.h>
#include <arch/vcpu.h>
#include "svm.h"

#define CPUID_SVM_ECX		(1U << 2)	/* of 0x80000001 */
#define CPUID_SVM_FEATURES	0x8000000a
#define SVM_FEATURE_NP		(1U << 0)
#define SVM_FEATURE_DECODE	(1U << 7)

#define GUEST_ASID		1	/* one guest a CPU; 0 is the hypervisor */

/* Segment attributes of a VMCB (APM 2, 15.5.1) */
#define ATTR_CODE64		0xa9b
#define ATTR_KERNEL_DATA	0xc93
#define ATTR_USER_DATA		0xcf3
#define ATTR_REAL_CODE		0x09b
#define ATTR_REAL_DATA		0x093
#define ATTR_TSS		0x08b
#define ATTR_LDT		0x082

static bool has_decode;

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

static int check_features(void)
{
	u32 features;
	u64 vm_cr;

	if (!(cpuid(0x80000001, 0).ecx & CPUID_SVM_ECX))
		return trace_error(-ENODEV);
	if (msr_read_safe(MSR_VM_CR, &vm_cr) && (vm_cr & VM_CR_SVMDIS))
		return trace_error(-EPERM);
	features = cpuid(CPUID_SVM_FEATURES, 0).edx;
	if (!(features & SVM_FEATURE_NP)) {
		printk("ERROR: the CPU has no nested paging\n");
		return trace_error(-EIO);
	}
	has_decode = features & SVM_FEATURE_DECODE;
	return 0;
}

int vcpu_vendor_init(void)
{
	int err = check_features();

	if (err)
		return err;
	msrpm_init();
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

/* --- Linux becomes the guest ---------------------------------------------- */

static void set_segment(struct svm_segment *seg, u16 selector, u16 attr, u32 limit, u64 base)
{
	*seg = (struct svm_segment){ selector, attr, limit, base };
}

/*
 * Base and limit matter in 32-bit code only, and there Linux' data segments are
 * flat.  A null selector stays unusable.
 */
static void set_data_segment(struct svm_segment *seg, u16 selector)
{
	if (selector & ~3)
		set_segment(seg, selector, (selector & 3) ? ATTR_USER_DATA : ATTR_KERNEL_DATA,
			    ~0U, 0);
	else
		set_segment(seg, selector, 0, 0, 0);
}

static void set_intercepts(struct vmcb *vmcb)
{
	/* Re-injected: a guest in an exception loop stays reachable (bugs.md A34). */
	vmcb->intercept_exceptions = 1U << XCPT_DB | 1U << XCPT_AC;
	vmcb->intercept_misc1 = INTERCEPT_NMI | INTERCEPT_CPUID | INTERCEPT_INVD |
		INTERCEPT_INVLPGA | INTERCEPT_IOIO | INTERCEPT_MSR | INTERCEPT_SHUTDOWN;
	vmcb->intercept_misc2 = INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD |
		INTERCEPT_VMSAVE | INTERCEPT_STGI | INTERCEPT_CLGI | INTERCEPT_SKINIT |
		INTERCEPT_XSETBV;
	vmcb->asid = GUEST_ASID;
	vmcb->np_enable = 1;
}

/* What the guest may reach: its cell's. */
static void set_cell(struct vmcb *vmcb, const struct cell *cell)
{
	vmcb->n_cr3 = virt_to_hpa(cell->stage2.root).raw;
	vmcb->iopm_base = virt_to_hpa(cell->arch.io_bitmap).raw;
	vmcb->msrpm_base = virt_to_hpa(msrpm_for(cell == &root_cell)).raw;
	vmcb->tlb_control = TLB_FLUSH_ALL;
}

static void set_linux_state(struct vmcb *vmcb, const struct per_cpu *cpu)
{
	const struct jailhouse_x86_handover *h = &cpu->handover;
	const struct linux_state *saved = &cpu->arch.linux_state;

	set_segment(&vmcb->cs, h->cs, ATTR_CODE64, ~0U, 0);
	set_segment(&vmcb->ss, saved->ss, ATTR_KERNEL_DATA, ~0U, 0);
	set_data_segment(&vmcb->ds, h->ds);
	set_data_segment(&vmcb->es, h->es);
	set_segment(&vmcb->gdtr, 0, 0, saved->gdtr.limit, saved->gdtr.base);
	set_segment(&vmcb->idtr, 0, 0, saved->idtr.limit, saved->idtr.base);
	vmcb->efer = h->efer | EFER_SVME;
	vmcb->cr0 = saved->cr0;
	vmcb->cr2 = saved->cr2;
	vmcb->cr3 = h->cr3;
	vmcb->cr4 = h->cr4;
	vmcb->dr6 = saved->dr6;
	vmcb->dr7 = saved->dr7;
	vmcb->rflags = RFLAGS_FIXED;
	vmcb->rip = h->rip;
	vmcb->rsp = h->rsp;
	vmcb->rax = 0;
}

int vcpu_init(struct per_cpu *cpu)
{
	struct vmcb *vmcb = (struct vmcb *)cpu->arch.control_block;

	cpu->arch.pat = msr_read(MSR_PAT);
	cpu->arch.mtrr_def_type = msr_read(MSR_MTRR_DEF_TYPE);

	memset(vmcb, 0, sizeof(*vmcb));
	set_intercepts(vmcb);
	set_linux_state(vmcb, cpu);
	vmcb->g_pat = cpu->arch.pat;
	/* FS, GS, TR, LDTR and MSRs: the same in the block, for a later VMLOAD */
	asm volatile("vmsave %0" : : "a" (virt_to_hpa(vmcb).raw) : "memory");

	msr_write(MSR_VM_HSAVE_PA, virt_to_hpa(cpu->arch.host_state).raw);
	return 0;
}

void vcpu_exit(struct per_cpu *cpu)
{
	(void)cpu;
	msr_write(MSR_VM_HSAVE_PA, 0);
}

void vcpu_activate(void)
{
	struct per_cpu *cpu = this_cpu();
	const struct jailhouse_x86_handover *h = &cpu->handover;
	struct guest_regs regs = {
		.rbp = h->rbp, .rbx = h->rbx, .rax = virt_to_hpa(this_vmcb()).raw,
		.r12 = h->r12, .r13 = h->r13, .r14 = h->r14, .r15 = h->r15,
	};

	set_cell(this_vmcb(), cpu->cell);
	cpu->arch.regs = svm_guest_regs(cpu);
	svm_run(&regs);
}

void vcpu_exit_soon(void)
{
	/* GIF is 0: the NMI was let in on purpose, and who did that looks at the events. */
}

/* --- The guest becomes Linux ----------------------------------------------- */

static void fill_state(struct jailhouse_x86_handover *h, const struct vmcb *vmcb)
{
	h->rip = vmcb->rip;
	h->rflags = vmcb->rflags;
	h->cs = vmcb->cs.selector;
	h->ds = vmcb->ds.selector;
	h->es = vmcb->es.selector;
	h->cr3 = vmcb->cr3;
	h->cr4 = vmcb->cr4;
	h->efer = vmcb->efer & ~EFER_SVME;
}

/*
 * The way back is in the stub's page: with Linux' descriptor tables loaded, but
 * their memory not yet mapped, nothing may fault or touch a segment until then.
 */
void __noreturn linux_return(const struct desc_ptr *gdtr, const struct desc_ptr *idtr)
{
	struct per_cpu *cpu = this_cpu();
	u64 handover = hypervisor_header.linux_virt + ((char *)&cpu->handover - __image_start);

	asm volatile("lgdt %0\n\t"
		     "lidt %1\n\t"
		     "jmp *%2"
		     : : "m" (*gdtr), "m" (*idtr), "a" (hypervisor_header.stub_leave),
			 "D" (handover), "S" (cpu->handover.cr3) : "memory");
	__builtin_unreachable();
}

/* FS, GS, TR, LDTR and the system call MSRs are Linux' already. */
void vcpu_leave(void)
{
	struct per_cpu *cpu = this_cpu();
	const struct vmcb *vmcb = this_vmcb();
	const struct desc_ptr gdtr = { vmcb->gdtr.limit, vmcb->gdtr.base };
	const struct desc_ptr idtr = { vmcb->idtr.limit, vmcb->idtr.base };

	handover_registers(&cpu->handover, cpu->arch.regs);
	fill_state(&cpu->handover, vmcb);
	msr_write(MSR_VM_HSAVE_PA, 0);
	if (msr_read(MSR_PAT) != cpu->arch.pat)
		msr_write(MSR_PAT, cpu->arch.pat);
	cr0_write(vmcb->cr0);
	cr2_write(vmcb->cr2);
	dr6_write(vmcb->dr6);
	dr7_write(vmcb->dr7);
	linux_return(&gdtr, &idtr);
}

/* --- Reset and parking ------------------------------------------------------- */

/* abi.md 7.1; where the code is, the caller knows. */
static void set_reset_state(struct vmcb *vmcb)
{
	set_segment(&vmcb->ds, 0, ATTR_REAL_DATA, 0xffff, 0);
	vmcb->es = vmcb->ss = vmcb->fs = vmcb->gs = vmcb->ds;
	set_segment(&vmcb->tr, 0, ATTR_TSS, 0xffff, 0);
	set_segment(&vmcb->ldtr, 0, ATTR_LDT, 0xffff, 0);
	set_segment(&vmcb->gdtr, 0, 0, 0xffff, 0);
	vmcb->idtr = vmcb->gdtr;
	vmcb->cpl = 0;
	vmcb->efer = EFER_SVME;
	vmcb->cr0 = CR0_ET | CR0_NW | CR0_CD;
	vmcb->cr2 = vmcb->cr3 = vmcb->cr4 = 0;
	vmcb->dr6 = DR6_INIT;
	vmcb->dr7 = DR7_INIT;
	vmcb->rflags = RFLAGS_FIXED;
	vmcb->rsp = 0;
	vmcb->star = vmcb->lstar = vmcb->cstar = vmcb->sfmask = 0;
	vmcb->kernel_gs_base = 0;
	vmcb->sysenter_cs = vmcb->sysenter_esp = vmcb->sysenter_eip = 0;
	vmcb->debugctl = 0;
	vmcb->vintr = 0;
	vmcb->interrupt_shadow = 0;
	vmcb->eventinj = 0;
	asm volatile("vmload %0" : : "a" (virt_to_hpa(vmcb).raw) : "memory");
}

static void set_real_mode_start(struct vmcb *vmcb, u16 selector, u64 base, u64 ip)
{
	set_segment(&vmcb->cs, selector, ATTR_REAL_CODE, 0xffff, base);
	vmcb->rip = ip;
}

void vcpu_reset(unsigned int sipi_vector)
{
	struct per_cpu *cpu = this_cpu();
	struct vmcb *vmcb = this_vmcb();
	u64 address = cpu->cell->config->cpu_reset_address;

	set_reset_state(vmcb);
	if (sipi_vector == SIPI_CELL_START)
		set_real_mode_start(vmcb, address >> 4 & 0xf000, address & ~0xffffULL,
				    address & 0xffff);
	else
		set_real_mode_start(vmcb, sipi_vector << 8, (u64)sipi_vector << 12, 0);
	set_cell(vmcb, cpu->cell);
	memset(cpu->arch.regs, 0, sizeof(*cpu->arch.regs));
}

void vcpu_park(void)
{
	struct vmcb *vmcb = this_vmcb();

	set_reset_state(vmcb);
	set_real_mode_start(vmcb, 0, 0, 0);
	vmcb->n_cr3 = virt_to_hpa(parking_pages.root).raw;
	vmcb->g_pat = PAT_RESET;
	vmcb->tlb_control = TLB_FLUSH_ALL;
	memset(this_cpu()->arch.regs, 0, sizeof(*this_cpu()->arch.regs));
}

void vcpu_flush_tlb(void)
{
	this_vmcb()->tlb_control = TLB_FLUSH_ALL;
}

/* With IF=0 in the guest and GIF=0 in the host nothing else lets them in. */
void vcpu_accept_interrupts(void)
{
	asm volatile("stgi; sti; nop; nop; cli; clgi" : : : "memory");
}

/* --- Guest state for common code ---------------------------------------------- */

void vcpu_skip_instruction(unsigned int length)
{
	svm_skip(this_vmcb(), length);
}

void vcpu_set_rip(u64 rip)
{
	this_vmcb()->rip = rip;
}

void vcpu_inject_exception(unsigned int vector, bool has_error, u32 error)
{
	this_vmcb()->eventinj = vector | EVENTINJ_EXCEPTION | EVENTINJ_VALID |
		(has_error ? EVENTINJ_ERROR_VALID : 0) | (u64)error << 32;
}

void vcpu_get_state(struct vcpu_state *state)
{
	const struct vmcb *vmcb = this_vmcb();

	*state = (struct vcpu_state){
		.rip = vmcb->rip,
		.rflags = vmcb->rflags,
		.cr0 = vmcb->cr0,
		.cr3 = vmcb->cr3,
		.cr4 = vmcb->cr4,
		.efer = vmcb->efer,
		.cs_selector = vmcb->cs.selector,
		.cs_base = vmcb->cs.base,
		.cs_attr = vmcb->cs.attr,
		.cpl = vmcb->cpl,
	};
}

enum insn_mode vcpu_insn_mode(const struct vcpu_state *state)
{
	if ((state->efer & EFER_LMA) && (state->cs_attr & ATTR_L))
		return INSN_64;
	return state->cs_attr & ATTR_D ? INSN_32 : INSN_16;
}

unsigned int vcpu_fetched_bytes(u8 bytes[INSN_MAX_LENGTH])
{
	const struct vmcb *vmcb = this_vmcb();
	unsigned int count;

	if (!has_decode)
		return 0;
	count = MIN(vmcb->fetched_count & 0xf, INSN_MAX_LENGTH);
	memcpy(bytes, vmcb->fetched, count);
	return count;
}

void vcpu_set_pat(u64 pat)
{
	this_vmcb()->g_pat = pat;
}

/* SCE, LME, LMA, NXE (APM 2, 3.1.7); of the others what Linux found to exist. */
#define EFER_BASIC	0x00000d01UL

bool vcpu_set_efer(u64 efer)
{
	struct vmcb *vmcb = this_vmcb();

	if (efer & ~(EFER_BASIC | EFER_SVME | this_cpu()->handover.efer))
		return false;
	if ((vmcb->cr0 & CR0_PG) && ((efer ^ vmcb->efer) & EFER_LME))
		return false;
	/* LMA follows LME and CR0.PG, never a write. */
	vmcb->efer = (efer & ~EFER_LMA) | (vmcb->efer & EFER_LMA) | EFER_SVME;
	return true;
}
