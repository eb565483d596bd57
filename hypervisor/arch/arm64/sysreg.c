// SPDX-License-Identifier: GPL-2.0-only
/* System registers that trap: the list of those that are emulated. */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <arch/cpu.h>
#include <arch/exits.h>
#include <arch/irqchip.h>
#include <arch/sysregs.h>

/* ESR_EL2.ISS of EC 0x18 (DDI 0487, D19.2.37): the encoding without direction and register */
#define ISS_READ	(1U << 0)
#define ISS_REG(iss)	((iss) >> 5 & 0x1f)
#define SYSREG(op0, op1, crn, crm, op2) \
	((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
#define ISS_SYSREG	SYSREG(3, 7, 0xf, 0xf, 7)

#define SGI1R		SYSREG(3, 0, 12, 11, 5)
#define ASGI1R		SYSREG(3, 0, 12, 11, 6)
#define SGI0R		SYSREG(3, 0, 12, 11, 7)

/* ICC_SGI1R_EL1 (IHI 0069 12.2.31) */
#define SGI_ALL_OTHERS	(1ULL << 40)

/* Aff3, Aff2, Aff1 of the value against those of the CPU; the list counts from RS * 16. */
static bool sgi_matches(u64 value, u64 mpidr)
{
	u64 affinity = (value >> 48 & 0xff) << 32 | (value >> 32 & 0xff) << 16 |
		(value >> 16 & 0xff) << 8;
	unsigned int first = (unsigned int)(value >> 44 & 0xf) * 16, aff0 = mpidr & 0xff;

	return (mpidr & 0xff00ffff00ULL) == affinity && aff0 >= first && aff0 < first + 16 &&
		(value >> (aff0 - first) & 1);
}

/* Targets outside of the cell do not exist. */
static void send_sgi(u64 value)
{
	const struct cell *cell = this_cpu()->cell;
	unsigned int sgi = (unsigned int)(value >> 24) & 0xf;
	int n;

	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_VIRT_SGI);
	for_each_cpu(n, cell) {
		struct per_cpu *cpu = per_cpu((unsigned int)n);

		if (value & SGI_ALL_OTHERS ? cpu != this_cpu() :
		    sgi_matches(value, cpu->arch.mpidr))
			sgi_post(cpu, sgi, 0);
	}
}

bool handle_sysreg(struct guest_regs *regs, u64 esr)
{
	u32 iss = (u32)ESR_ISS(esr), reg = iss & ISS_SYSREG;

	if (!(iss & ISS_READ)) {
		switch (reg) {
		case SGI1R:
			send_sgi(guest_reg_get(regs, ISS_REG(iss)));
			guest_skip_instruction(true);
			return true;
		case ASGI1R:
		case SGI0R:
			/* No guest has interrupts of these groups. */
			guest_skip_instruction(true);
			return true;
		}
	}
	panic_printk("FATAL: forbidden access (system register op0 %u, op1 %u, CRn %u, CRm %u, op2 %u, %s), "
		     "cell \"%s\", CPU %u\n", iss >> 20 & 3, iss >> 14 & 7, iss >> 10 & 0xf,
		     iss >> 1 & 0xf, iss >> 17 & 7, iss & ISS_READ ? "read" : "write",
		     cell_name(this_cpu()->cell), this_cpu()->cpu_id);
	return false;
}
