/* SPDX-License-Identifier: GPL-2.0-only */
/* System registers (Arm DDI 0487, D19; GIC: Arm IHI 0069, 12). */
#ifndef ARCH_SYSREGS_H
#define ARCH_SYSREGS_H

#include <core/types.h>

#define sysreg_read(name) ({						\
	u64 __value;							\
	asm volatile("mrs %0, " #name : "=r" (__value) : : "memory");	\
	__value;							\
})
#define sysreg_write(name, value)					\
	asm volatile("msr " #name ", %0" : : "r" ((u64)(value)) : "memory")

static inline void isb(void)
{
	asm volatile("isb" : : : "memory");
}
static inline void dsb(void)
{
	asm volatile("dsb sy" : : : "memory");
}

/* Until an interrupt is pending, masked or not. */
static inline void wait_for_interrupt(void)
{
	asm volatile("wfi" : : : "memory");
}

/* PAR_EL1 after a read by the guest was translated by its stage 1. */
static inline u64 address_translate(u64 virt, bool el0)
{
	if (el0)
		asm volatile("at s1e0r, %0; isb" : : "r" (virt) : "memory");
	else
		asm volatile("at s1e1r, %0; isb" : : "r" (virt) : "memory");
	return sysreg_read(par_el1);
}

/* HCR_EL2 */
#define HCR_VM		(1ULL << 0)
#define HCR_SWIO	(1ULL << 1)	/* invalidation by set/way also cleans */
#define HCR_FMO		(1ULL << 3)
#define HCR_IMO		(1ULL << 4)
#define HCR_TSC		(1ULL << 19)	/* SMC */
#define HCR_TIDCP	(1ULL << 20)	/* implementation defined registers */
#define HCR_TACR	(1ULL << 21)	/* ACTLR_EL1 */
#define HCR_RW		(1ULL << 31)
#define HCR_APK		(1ULL << 40)
#define HCR_API		(1ULL << 41)

/* SPSR */
#define SPSR_EL1H	0x5
#define SPSR_DAIF	0x3c0
#define SPSR_AARCH32	0x10
#define SPSR_SVC_AIF	0x1d3
#define SPSR_THUMB	0x20
#define SPSR_MODE(spsr)	((spsr) & 0x1f)

/* ESR_EL2: exception class and what is specific to it */
#define ESR_EC(esr)	((esr) >> 26 & 0x3f)
#define ESR_IL		(1ULL << 25)
#define ESR_ISS(esr)	((esr) & 0x1ffffff)

#define EC_WFX		0x01
#define EC_CP15_32	0x03
#define EC_HVC32	0x12
#define EC_SMC32	0x13
#define EC_HVC64	0x16
#define EC_SMC64	0x17
#define EC_SYSREG	0x18
#define EC_INSN_ABORT	0x20
#define EC_DATA_ABORT	0x24

#define MPIDR_AFFINITY	0xff00ffffffULL

/* GIC CPU interface and virtual interface by encoding, for every assembler */
#define ICC_PMR		S3_0_C4_C6_0
#define ICC_RPR		S3_0_C12_C11_3
#define ICC_DIR		S3_0_C12_C11_1
#define ICC_SGI1R	S3_0_C12_C11_5
#define ICC_IAR1	S3_0_C12_C12_0
#define ICC_EOIR1	S3_0_C12_C12_1
#define ICC_BPR1	S3_0_C12_C12_3
#define ICC_CTLR	S3_0_C12_C12_4
#define ICC_SRE1	S3_0_C12_C12_5
#define ICC_IGRPEN1	S3_0_C12_C12_7
#define ICC_AP1R0	S3_0_C12_C9_0
#define ICC_SRE2	S3_4_C12_C9_5
#define ICH_AP0R0	S3_4_C12_C8_0
#define ICH_AP0R1	S3_4_C12_C8_1
#define ICH_AP0R2	S3_4_C12_C8_2
#define ICH_AP0R3	S3_4_C12_C8_3
#define ICH_AP1R0	S3_4_C12_C9_0
#define ICH_AP1R1	S3_4_C12_C9_1
#define ICH_AP1R2	S3_4_C12_C9_2
#define ICH_AP1R3	S3_4_C12_C9_3
#define ICH_HCR		S3_4_C12_C11_0
#define ICH_VTR		S3_4_C12_C11_1
#define ICH_MISR	S3_4_C12_C11_2
#define ICH_ELRSR	S3_4_C12_C11_5
#define ICH_VMCR	S3_4_C12_C11_7

/* The name is a macro: one more level, so that it is expanded first */
#define reg_read(name)		sysreg_read_expanded(name)
#define reg_write(name, value)	sysreg_write_expanded(name, value)
#define sysreg_read_expanded(name)		sysreg_read(name)
#define sysreg_write_expanded(name, value)	sysreg_write(name, value)

#endif
