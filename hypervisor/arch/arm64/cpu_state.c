// SPDX-License-Identifier: GPL-2.0-only
/*
 * A CPU as a cell finds it at start (abi.md 7.6): registers of EL1 and EL0 at
 * their reset values, nothing left of what ran before (decisions.md 13).
 */
#include <core/cell.h>
#include <core/percpu.h>
#include <arch/exits.h>
#include <arch/irqchip.h>
#include <arch/sysregs.h>
#include <lib/string.h>

#define SCTLR_EL1_RES1	0x30d00800
#define SCTLR_RES1	0x00c50838	/* as AArch32 has it: also nTWE, nTWI and CP15BEN */
#define CPACR_FPEN	(3 << 20)
#define CPACR_CP10_CP11	(0xf << 20)

void fp_reset(void);

static void el1_reset(bool aarch32)
{
	sysreg_write(sctlr_el1, aarch32 ? SCTLR_RES1 : SCTLR_EL1_RES1);
	sysreg_write(cpacr_el1, aarch32 ? CPACR_CP10_CP11 : CPACR_FPEN);
	sysreg_write(tcr_el1, 0);
	sysreg_write(ttbr0_el1, 0);
	sysreg_write(ttbr1_el1, 0);
	sysreg_write(mair_el1, 0);
	sysreg_write(amair_el1, 0);
	sysreg_write(vbar_el1, 0);
	sysreg_write(contextidr_el1, 0);
	sysreg_write(afsr0_el1, 0);
	sysreg_write(afsr1_el1, 0);
	sysreg_write(esr_el1, 0);
	sysreg_write(far_el1, 0);
	sysreg_write(par_el1, 0);
	sysreg_write(elr_el1, 0);
	sysreg_write(spsr_el1, 0);
	sysreg_write(sp_el1, 0);
	sysreg_write(sp_el0, 0);
	sysreg_write(tpidr_el0, 0);
	sysreg_write(tpidrro_el0, 0);
	sysreg_write(tpidr_el1, 0);
	sysreg_write(csselr_el1, 0);
}

static void timers_reset(void)
{
	sysreg_write(cntkctl_el1, 0);
	sysreg_write(cntp_ctl_el0, 0);
	sysreg_write(cntp_cval_el0, 0);
	sysreg_write(cntv_ctl_el0, 0);
	sysreg_write(cntv_cval_el0, 0);
}

/* ID_AA64DFR0_EL1: watchpoints, breakpoints, version of the PMU (0xf: not ours) */
static void debug_reset(void)
{
	u64 features = sysreg_read(id_aa64dfr0_el1), pmu = features >> 8 & 0xf;

	sysreg_write(mdscr_el1, 0);
	sysreg_write(osdlr_el1, 0);
	/* Breakpoints do nothing without MDSCR_EL1.MDE and their own E bit. */
	sysreg_write(dbgbcr0_el1, 0);
	sysreg_write(dbgbcr1_el1, 0);
	sysreg_write(dbgwcr0_el1, 0);
	sysreg_write(dbgwcr1_el1, 0);
	if (pmu == 0 || pmu == 0xf)
		return;
	sysreg_write(pmcr_el0, 6);	/* all counters to 0, and off */
	sysreg_write(pmcntenclr_el0, 0xffffffff);
	sysreg_write(pmintenclr_el1, 0xffffffff);
	sysreg_write(pmovsclr_el0, 0xffffffff);
	sysreg_write(pmuserenr_el0, 0);
}

void guest_reset(struct guest_regs *regs, u64 entry, u64 context)
{
	struct per_cpu *cpu = this_cpu();
	bool aarch32 = cpu->cell->config->flags & JAILHOUSE_CELL_AARCH32;
	u64 hcr = sysreg_read(hcr_el2) & ~HCR_RW;

	el1_reset(aarch32);
	timers_reset();
	if (cpu->arch.moved) {
		fp_reset();
		debug_reset();
		cpu->arch.moved = false;
	}
	memset(regs, 0, sizeof(*regs));
	regs->x[0] = context;
	regs->x[1] = context;	/* abi.md 7.6; decisions.md 20 */
	sysreg_write(hcr_el2, aarch32 ? hcr : hcr | HCR_RW);
	sysreg_write(elr_el2, entry & (aarch32 ? ~1ULL : ~0ULL));
	sysreg_write(spsr_el2, !aarch32 ? SPSR_EL1H | SPSR_DAIF :
		     entry & 1 ? SPSR_SVC_AIF | SPSR_THUMB : SPSR_SVC_AIF);
	isb();
}
