/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interrupt controller.  Physical interrupts all arrive at EL2: they are
 * acknowledged there and handed on through list registers, with which the guest
 * deactivates them itself.  SGIs are virtual altogether: SGI_EVENT and
 * SGI_INJECT are the only physical ones.
 *
 * gic.c: both versions' common hardware access   gicv2.c, gicv3.c: one each
 * inject.c: list registers                       gic_dist.c: register emulation
 * irqchip.c: who owns what (the unit)
 */
#ifndef ARCH_IRQCHIP_H
#define ARCH_IRQCHIP_H

#include <core/cell.h>
#include <core/mmio.h>
#include <core/percpu.h>
#include <core/unit.h>
#include <arch/gic_regs.h>

#define SGI_EVENT	0
#define SGI_INJECT	1
#define OUR_SGIS	0x3U
#define IS_SPI(irq)	((irq) >= 32 && (irq) < 1020)

/* What differs between GICv2 and GICv3. All on the calling CPU unless they say otherwise. */
struct gic_ops {
	u64 dist_size;
	int (*init)(void);			/* map, check the version */
	void (*exit)(void);
	int (*cpu_init)(struct per_cpu *cpu);	/* take over from Linux */
	void (*cpu_exit)(struct per_cpu *cpu);	/* CPU interface back to Linux, list registers are empty */
	void (*interface_reset)(void);		/* virtual interface to reset values */
	void (*send_sgi)(const struct per_cpu *target, unsigned int sgi);
	u32 (*acknowledge)(void);		/* INTID, SGI's source in bits 12:10 (GICv2) */
	u8 (*running_priority)(void);
	void (*drop)(u32 iar);			/* priority drop */
	void (*deactivate)(u32 iar);
	u64 (*lr_read)(unsigned int n);		/* in the format of ICH_LR<n>_EL2 */
	void (*lr_write)(unsigned int n, u64 lr);
	u64 (*lr_empty)(void);			/* bitmap */
	void (*maintenance)(u32 bits);		/* when to interrupt: HCR_UIE, HCR_NPIE */
	void *(*private_regs)(struct per_cpu *cpu);	/* registers of INTIDs 0-31 */
	/* SPIs */
	bool (*spi_in_cell)(const struct cell *cell, unsigned int irq);
	void (*spi_route)(unsigned int irq, const struct per_cpu *cpu);
	int (*cell_init)(struct cell *cell);	/* windows but the distributor's */
	mmio_handler dist_access;		/* of the distributor, which all cells see at its address */
	void (*cell_exit)(struct cell *cell);	/* may be NULL */
};

extern const struct gic_ops gicv2_ops, gicv3_ops;

extern struct gic {
	const struct gic_ops *ops;
	void *dist;
	u64 dist_phys;
	unsigned int num_irqs;		/* a multiple of 32 */
	unsigned int num_lrs;
	u32 iar_mask;			/* the INTID in what acknowledge() returns */
	unsigned int maintenance_irq;
	u32 ppi_mask;			/* PPIs that guests may see: not the maintenance interrupt */
	u32 lock;			/* read-modify-write of shared registers */
} gic;

extern const struct unit irqchip_unit;

/* --- Boot, in this order --- */
int irqchip_early_init(void);
int irqchip_cpu_init(struct per_cpu *cpu);
void irqchip_cpu_exit(struct per_cpu *cpu);
void irqchip_shutdown(void);

/* The calling CPU starts in a cell: no interrupt enabled, pending or active. */
void irqchip_cpu_reset(struct per_cpu *cpu);
void irqchip_send_event(const struct per_cpu *cpu);

static inline bool cell_owns_irq(const struct cell *cell, unsigned int irq)
{
	return IS_SPI(irq) && (cell->arch.irqs[irq / 32] >> (irq % 32) & 1);
}

/* --- inject.c --- */

#define LR_PENDING	(1ULL << 62)
#define LR_ACTIVE	(1ULL << 63)
#define LR_STATE	(3ULL << 62)
#define LR_HW		(1ULL << 61)
#define LR_GROUP1	(1ULL << 60)
#define LR_PRIORITY(p)	((u64)(p) << 48)
#define LR_PHYSICAL(i)	((u64)(i) << 32)
#define LR_VIRTUAL(lr)	((u32)(lr))
#define LR_GET_PRIORITY(lr) ((u8)((lr) >> 48))

#define HCR_UIE		(1U << 1)	/* at most one list register in use */
#define HCR_NPIE	(1U << 3)	/* none pending */

/* A physical interrupt, acknowledged and dropped: the guest deactivates it. */
void inject_physical(u32 irq, u8 priority);
/* SGIs that were sent to this CPU, and what waits for list registers. */
void inject_pending(void);
/* Mark an SGI pending at a CPU of the caller's cell (`source`: GICv2's number of the sender). */
void sgi_post(struct per_cpu *target, unsigned int sgi, unsigned int source);
/* Physical interrupt that arrived while this CPU is parked. True: look at events. */
bool irq_while_parked(void);
/* List registers back to physical pending state, for the way back to Linux. */
void inject_return_all(struct per_cpu *cpu);
void inject_reset(struct per_cpu *cpu);
/* SPIs that belong to another cell since they were put into list registers here. */
void inject_forget_foreign(void);
/* Active SGIs of this CPU in list registers; clear them. */
u32 inject_active_sgis(void);
void inject_deactivate_sgis(u32 mask);

/* --- gic_dist.c --- */

/* Registers of SPIs (0 and up of the distributor). */
enum mmio_result gic_dist_access(void *cell, struct mmio_access *access);
/* Registers of INTIDs 0 to 31 of one CPU; address: offset in the distributor's layout. */
void gic_private_access(struct per_cpu *cpu, struct mmio_access *access);

#endif
