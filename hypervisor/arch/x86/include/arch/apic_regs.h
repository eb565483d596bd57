/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers of the local APIC, by number: xAPIC offset >> 4, x2APIC MSR - 0x800 (APM 2, 16). */
#ifndef ARCH_APIC_REGS_H
#define ARCH_APIC_REGS_H

#define APIC_REG_ID		0x02
#define APIC_REG_VERSION	0x03
#define APIC_REG_TPR		0x08
#define APIC_REG_PPR		0x0a
#define APIC_REG_EOI		0x0b
#define APIC_REG_LDR		0x0d
#define APIC_REG_DFR		0x0e
#define APIC_REG_SVR		0x0f
#define APIC_REG_ISR0		0x10
#define APIC_REG_IRR0		0x20
#define APIC_REG_ESR		0x28
#define APIC_REG_LVTCMCI	0x2f
#define APIC_REG_ICR		0x30
#define APIC_REG_ICR_HI		0x31
#define APIC_REG_LVTT		0x32
#define APIC_REG_LVTTHMR	0x33
#define APIC_REG_LVTPC		0x34
#define APIC_REG_LVT0		0x35
#define APIC_REG_LVT1		0x36
#define APIC_REG_LVTERR		0x37
#define APIC_REG_TMICT		0x38
#define APIC_REG_TMCCT		0x39
#define APIC_REG_TDCR		0x3e
#define APIC_REG_SELF_IPI	0x3f
#define APIC_REG_EXT_LVT0	0x50	/* AMD, four of them */
#define APIC_REG_EXT_LVT3	0x53
#define APIC_NUM_REGS		0x54

#define SVR_ENABLE		(1U << 8)
#define SVR_RESET		0xffU
#define DFR_FLAT		0xffffffffU
#define TDCR_DIVIDE_16		0x3U

#define LVT_MASKED		(1U << 16)
#define LVT_DELIVERY(v)		(((v) >> 8) & 7)

#define ICR_VECTOR_MASK		0xffU
#define ICR_DELIVERY_MASK	(7U << 8)
#define ICR_DELIVERY(v)		(((v) >> 8) & 7)
#define ICR_LOGICAL		(1U << 11)
#define ICR_PENDING		(1U << 12)	/* read-only */
#define ICR_ASSERT		(1U << 14)
#define ICR_LEVEL		(1U << 15)
#define ICR_SHORTHAND(v)	(((v) >> 18) & 3)
#define ICR_SHORTHAND_MASK	(3U << 18)
#define ICR_SELF		(1U << 18)
#define ICR_RESERVED		0xfff32000U

enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };
enum {
	DELIVERY_FIXED, DELIVERY_LOWEST, DELIVERY_SMI, DELIVERY_RESERVED,
	DELIVERY_NMI, DELIVERY_INIT, DELIVERY_SIPI, DELIVERY_EXTINT,
};

#define XAPIC_DEST_SHIFT	24
#define XAPIC_MAX_LOGICAL	8	/* CPUs that flat mode can address */

#endif
