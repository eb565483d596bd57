// SPDX-License-Identifier: GPL-2.0-only
/* A CPU's way from Linux into EL2, and back (docs/image-contract.md). */
#include <core/boot.h>
#include <core/cell.h>
#include <core/config.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <core/sections.h>
#include <arch/cpu.h>
#include <arch/exits.h>
#include <arch/irqchip.h>
#include <arch/paging.h>
#include <arch/smccc.h>
#include <arch/sysregs.h>
#include <lib/spinlock.h>
#include <lib/string.h>

_Static_assert(1UL << PERCPU_SHIFT == PERCPU_SIZE, "PERCPU_SHIFT");
_Static_assert(sizeof(struct per_cpu) <= PERCPU_SIZE - PERCPU_MIN_STACK, "stack too small");
_Static_assert(sizeof(struct guest_regs) == GUEST_REGS_SIZE, "GUEST_REGS_SIZE");
_Static_assert(offsetof(struct arch_handover, x18_x30) == HANDOVER_X18, "x18");
_Static_assert(offsetof(struct arch_handover, sctlr) == HANDOVER_SCTLR, "sctlr");
_Static_assert(offsetof(struct arch_handover, vbar) == HANDOVER_VBAR, "vbar");

void linux_return(struct arch_handover *state, const u64 *regs, u64 phys_offset) __noreturn;
void guest_enter(struct guest_regs *regs) __noreturn;

/* --- Linux' share of EL2 (decisions.md 5) ------------------------------------ */

static void linux_state_save(struct arch_handover *state)
{
	state->hcr = sysreg_read(hcr_el2);
	state->cptr = sysreg_read(cptr_el2);
	state->mdcr = sysreg_read(mdcr_el2);
	state->hstr = sysreg_read(hstr_el2);
	state->cnthctl = sysreg_read(cnthctl_el2);
	state->cntvoff = sysreg_read(cntvoff_el2);
	state->vpidr = sysreg_read(vpidr_el2);
	state->vmpidr = sysreg_read(vmpidr_el2);
	state->tpidr = sysreg_read(tpidr_el2);
	state->vtcr = sysreg_read(vtcr_el2);
	state->vttbr = sysreg_read(vttbr_el2);
	state->elr = sysreg_read(elr_el2);
	state->spsr = sysreg_read(spsr_el2);
}

static void linux_state_restore(const struct arch_handover *state)
{
	sysreg_write(hcr_el2, state->hcr);
	sysreg_write(cptr_el2, state->cptr);
	sysreg_write(mdcr_el2, state->mdcr);
	sysreg_write(hstr_el2, state->hstr);
	sysreg_write(cnthctl_el2, state->cnthctl);
	sysreg_write(cntvoff_el2, state->cntvoff);
	sysreg_write(vpidr_el2, state->vpidr);
	sysreg_write(vmpidr_el2, state->vmpidr);
	sysreg_write(tpidr_el2, state->tpidr);
	sysreg_write(vtcr_el2, state->vtcr);
	sysreg_write(vttbr_el2, state->vttbr);
	asm volatile("dsb ish; tlbi alle1; dsb nsh; isb" : : : "memory");
}

static u64 phys_offset(void)
{
	return hypervisor_header.region_phys - HV_LINK_ADDRESS;
}

static void __noreturn entry_failed(struct per_cpu *cpu, int error)
{
	u64 regs[31] = { [0] = (u64)(s64)error };

	memcpy(&regs[18], cpu->handover.x18_x30, sizeof(cpu->handover.x18_x30));
	sysreg_write(elr_el2, cpu->handover.elr);
	sysreg_write(spsr_el2, cpu->handover.spsr);
	linux_return(&cpu->handover, regs, phys_offset());
}

/* From entry.S, on the CPU's own stack, with the driver's tables. */
void __noreturn arm64_cpu_entry(unsigned int cpu_id);
void __noreturn arm64_cpu_entry(unsigned int cpu_id)
{
	struct per_cpu *cpu = this_cpu();

	linux_state_save(&cpu->handover);
	cpu->arch.mpidr = sysreg_read(mpidr_el1) & MPIDR_AFFINITY;
	entry_failed(cpu, boot_cpu(cpu_id));
}

/* --- Set-up -------------------------------------------------------------------- */

/* ID_AA64MMFR0_EL1: PARange, TGran4 (0xf: not there) */
static unsigned int physical_bits(void)
{
	static const u8 bits[] = { 32, 36, 40, 42, 44, 48, 52 };
	unsigned int code = sysreg_read(id_aa64mmfr0_el1) & 0xf;

	return code < ARRAY_SIZE(bits) ? bits[code] : 48;
}

int arch_early_init(void)
{
	unsigned int bits = MIN(physical_bits(), 48);

	hv_paging_activate();
	stage2_init(bits);
	machine_limits.max_phys = 1ULL << bits;
	machine_limits.max_guest_phys = 1ULL << stage2_bits;
	smccc_init();
	return irqchip_early_init();
}

/* Pointer authentication belongs to guests where it exists (DDI 0487, D19.2.48). */
static u64 guest_hcr(void)
{
	u64 hcr = HCR_VM | HCR_SWIO | HCR_FMO | HCR_IMO | HCR_TSC | HCR_TIDCP | HCR_TACR | HCR_RW;

	/* ID_AA64ISAR1_EL1: APA, API, GPA, GPI; ISAR2: GPA3, APA3 */
	if (sysreg_read(id_aa64isar1_el1) & 0xff000ff0 || sysreg_read(S3_0_C0_C6_2) & 0xff00)
		hcr |= HCR_APK | HCR_API;
	return hcr;
}

static void guest_controls(const struct cell *cell)
{
	sysreg_write(hcr_el2, guest_hcr());
	sysreg_write(hstr_el2, 0);
	sysreg_write(cnthctl_el2, 3);	/* EL1 has the physical timer and counter */
	sysreg_write(cntvoff_el2, 0);
	sysreg_write(vpidr_el2, sysreg_read(midr_el1));
	sysreg_write(vmpidr_el2, sysreg_read(mpidr_el1));
	sysreg_write(vtcr_el2, stage2_vtcr);
	sysreg_write(vttbr_el2, stage2_vttbr(cell));
	isb();
	arch_flush_stage2();
}

int arch_cpu_init(struct per_cpu *cpu)
{
	int err;

	hv_paging_activate();
	cpu->arch.power = CPU_POWER_ON;
	err = irqchip_cpu_init(cpu);
	if (!err)
		guest_controls(&root_cell);
	return err;
}

/* Linux goes on behind its HVC, with 0. */
void arch_cpu_activate(void)
{
	struct per_cpu *cpu = this_cpu();
	struct guest_regs *regs = guest_regs();

	memset(regs, 0, sizeof(*regs));
	memcpy(&regs->x[18], cpu->handover.x18_x30, sizeof(cpu->handover.x18_x30));
	sysreg_write(elr_el2, cpu->handover.elr);
	sysreg_write(spsr_el2, cpu->handover.spsr);
	guest_enter(regs);
}

void arch_cpu_restore(struct per_cpu *cpu)
{
	irqchip_cpu_exit(cpu);
	linux_state_restore(&cpu->handover);
}

void arch_shutdown(void)
{
	irqchip_shutdown();
}

/* The hypercall's frame; ELR_EL2 and SPSR_EL2 are those of the guest. */
void arch_cpu_leave(void)
{
	struct per_cpu *cpu = this_cpu();
	struct guest_regs *regs = guest_regs();

	arch_cpu_restore(cpu);
	regs->x[0] = 0;
	linux_return(&cpu->handover, regs->x, phys_offset());
}

/* --- Management ------------------------------------------------------------------ */

void arch_cpu_moved(struct per_cpu *cpu)
{
	cpu->arch.moved = true;
}

/*
 * Off from now on.  Not when the target gets there: it may be started again in
 * the meantime (Linux takes its CPU back), and that start would be lost.
 */
void arch_cpu_forget_signals(struct per_cpu *cpu)
{
	psci_cpu_off(cpu);
}

void arch_cpu_kick(struct per_cpu *cpu)
{
	irqchip_send_event(cpu);
}

/*
 * Everything this CPU knows of any cell: VMIDs are used again, and memory has
 * changed hands together with what was executed from it, and with interrupts.
 */
void arch_flush_stage2(void)
{
	inject_forget_foreign();
	sysreg_write(vttbr_el2, stage2_vttbr(this_cpu()->cell));
	asm volatile("isb; dsb ishst; tlbi alle1; ic iallu; dsb nsh; isb" : : : "memory");
}

u64 arch_ticks(void)
{
	isb();
	return sysreg_read(cntpct_el0);
}

u64 arch_ticks_per_ms(void)
{
	return (sysreg_read(cntfrq_el0) & 0xffffffff) / 1000;
}
