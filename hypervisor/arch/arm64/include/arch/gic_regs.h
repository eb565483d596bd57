/* SPDX-License-Identifier: GPL-2.0-only */
/* Offsets of GIC registers (Arm IHI 0069 12.9-12.11, IHI 0048 4.1 and 5.3). */
#ifndef ARCH_GIC_REGS_H
#define ARCH_GIC_REGS_H

/* Distributor; the same offsets in the SGI frame of a redistributor */
#define GICD_CTLR		0x0000
#define   GICD_CTLR_ARE_NS	(1U << 4)
#define GICD_TYPER		0x0004
#define GICD_IIDR		0x0008
#define GICD_SETSPI_NSR		0x0040
#define GICD_CLRSPI_NSR		0x0048
#define GICD_IGROUPR		0x0080
#define GICD_ISENABLER		0x0100
#define GICD_ICENABLER		0x0180
#define GICD_ISPENDR		0x0200
#define GICD_ICPENDR		0x0280
#define GICD_ISACTIVER		0x0300
#define GICD_ICACTIVER		0x0380
#define GICD_IPRIORITYR		0x0400
#define GICD_ITARGETSR		0x0800
#define GICD_ICFGR		0x0c00
#define GICD_IGRPMODR		0x0d00
#define GICD_SGIR		0x0f00
#define GICD_CPENDSGIR		0x0f10
#define GICD_SPENDSGIR		0x0f20
#define GICD_V2_IDS		0x0fd0
#define GICD_V2_PIDR2		0x0fe8
#define GICD_IROUTER		0x6000
#define   IROUTER_ANY_CPU	(1ULL << 31)
#define GICD_V3_IDS		0xffd0
#define GICD_V3_PIDR2		0xffe8
#define PIDR2_ARCH(pidr2)	((pidr2) >> 4 & 0xf)

/* Redistributor */
#define GICR_CTLR		0x0000
#define   GICR_CTLR_ENABLE_LPIS	(1U << 0)
#define GICR_IIDR		0x0004
#define GICR_TYPER		0x0008
#define   GICR_TYPER_LAST	(1ULL << 4)
#define   GICR_TYPER_VLPIS	(1ULL << 1)
#define   GICR_TYPER_AFFINITY(typer) ((typer) >> 32)
#define GICR_WAKER		0x0014
#define GICR_PROPBASER		0x0070
#define GICR_PENDBASER		0x0078
#define GICR_IDS		0xffd0
#define GICR_SGI_FRAME		0x10000

/* GICv2 CPU interface */
#define GICC_CTLR		0x0000
#define   GICC_CTLR_EOIMODE	(1U << 9)
#define GICC_PMR		0x0004
#define GICC_BPR		0x0008
#define GICC_IAR		0x000c
#define GICC_EOIR		0x0010
#define GICC_RPR		0x0014
#define GICC_APR		0x00d0
#define GICC_DIR		0x1000

/* GICv2 virtual interface control */
#define GICH_HCR		0x0000
#define GICH_VTR		0x0004
#define GICH_VMCR		0x0008
#define GICH_ELRSR		0x0030
#define GICH_APR		0x00f0
#define GICH_LR			0x0100

#endif
