/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One remapping unit (Intel VT-d specification, revision 3.3; chapter 10 has the
 * registers, 9 the structures in memory, 6.5.2 the invalidation queue).
 */
#ifndef VMX_VTD_HW_H
#define VMX_VTD_HW_H

#include <core/device_lock.h>
#include <core/types.h>
#include "vtd_root.h"

struct jailhouse_iommu;
struct vtd_irq_table;

struct vtd_descriptor {
	u64 low, high;
};

struct vtd_unit {
	u8 *regs;			/* NULL: not in use */
	unsigned int size;		/* of the mapping, bytes */
	unsigned int index;		/* in the configuration */
	u64 cap, ecap;
	struct device_lock lock;	/* of the queue; entries change while cells run */
	struct vtd_descriptor *queue;	/* a page */
	unsigned int tail;
	volatile u32 done;		/* written by the unit when it has come that far */
	u64 fault_address;		/* FEADDR and FEUADDR, FEDATA, FECTL as they were */
	u32 fault_data, fault_control;
	bool queue_on, translating, remapping;
	bool root_queue_off;		/* that was Linux's */
	struct vtd_root root;
};

/* Those of the configuration, in its order */
extern struct vtd_unit vtd_units[];
extern unsigned int vtd_num_units;

/* Registers (10.4) */
#define VTD_REG_CAP		0x08
#define VTD_REG_ECAP	0x10
#define VTD_REG_GCMD	0x18
#define VTD_REG_GSTS	0x1c
#define VTD_REG_RTADDR	0x20
#define VTD_REG_FSTS	0x34
#define VTD_REG_FECTL	0x38
#define VTD_REG_FEDATA	0x3c
#define VTD_REG_FEADDR	0x40
#define VTD_REG_FEUADDR	0x44
#define VTD_REG_IQH		0x80
#define VTD_REG_IQT		0x88
#define VTD_REG_IQA		0x90
#define VTD_REG_IRTA	0xb8

#define VTD_IRTA_X2APIC		(1U << 11)

/* Capability register (10.4.2) */
#define VTD_CAP_DOMAINS(cap)	(1U << (4 + 2 * ((cap) & 7)))
#define VTD_CAP_RWBF		(1ULL << 4)
#define VTD_CAP_CM		(1ULL << 7)
#define VTD_CAP_39BIT		(1ULL << 9)	/* SAGAW: tables of three levels */
#define VTD_CAP_48BIT		(1ULL << 10)	/* four */
#define VTD_CAP_2M		(1ULL << 34)	/* SLLPS */
#define VTD_CAP_1G		(1ULL << 35)

/* Extended capability register (10.4.3) */
#define VTD_ECAP_COHERENT	(1ULL << 0)
#define VTD_ECAP_QI		(1ULL << 1)
#define VTD_ECAP_IR		(1ULL << 3)
#define VTD_ECAP_EIM		(1ULL << 4)	/* x2APIC ids */

/* Maps and checks the unit; what Linux left in use is refused. */
int vtd_hw_init(struct vtd_unit *unit, unsigned int index, const struct jailhouse_iommu *info);
/* As Linux had it; also after a failed or partial init. */
void vtd_hw_exit(struct vtd_unit *unit);

/* From now on all devices are translated. */
int vtd_hw_translate(struct vtd_unit *unit, hpa_t root_table);
/*
 * What the unit remembers of contexts, translations and interrupts is gone; waits for reads
 * and writes under way.
 */
int vtd_hw_invalidate(struct vtd_unit *unit);

/* From now on interrupts go through the table. */
int vtd_hw_remap(struct vtd_unit *unit, const struct vtd_irq_table *table);
/* Linux's own table, or none */
int vtd_hw_stop_remapping(struct vtd_unit *unit);
/* Of one interrupt */
int vtd_hw_invalidate_interrupt(struct vtd_unit *unit, unsigned int index);

/* Faults become NMIs of this CPU. */
void vtd_hw_fault_target(struct vtd_unit *unit, u32 apic_id);
void vtd_hw_fault_mask(struct vtd_unit *unit);

struct vtd_fault {
	u16 source;	/* requester id */
	u8 reason;	/* 0x20 on: interrupt remapping (table 7) */
	u8 type;	/* 1: it was a read (of a message: see 10.4.14) */
	u64 info;	/* page address */
};
/* The oldest recorded fault, which is taken out; false: there is none. */
bool vtd_hw_next_fault(struct vtd_unit *unit, struct vtd_fault *fault);

#endif
