/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* GICv2 and GICv3 as a guest has them; which one the communication region says. */
#include <inmate.h>

#define GICD_ISENABLER		0x100
#define GICD_ICENABLER		0x180
#define GICD_IPRIORITYR		0x400
#define GICD_ITARGETSR		0x800
#define GICD_SGIR		0xf00
#define GICD_IROUTER		0x6000

#define GICC_CTLR		0x00
#define GICC_PMR		0x04
#define GICC_IAR		0x0c
#define GICC_EOIR		0x10

#define GICR_TYPER		0x0008
#define  GICR_TYPER_LAST	(1UL << 4)
#define  GICR_TYPER_VLPIS	(1UL << 1)
#define GICR_SGI_FRAME		0x10000

#define ICC_PMR			"S3_0_C4_C6_0"
#define ICC_SGI1R		"S3_0_C12_C11_5"
#define ICC_IAR1		"S3_0_C12_C12_0"
#define ICC_EOIR1		"S3_0_C12_C12_1"
#define ICC_SRE			"S3_0_C12_C12_5"
#define ICC_IGRPEN1		"S3_0_C12_C12_7"

#define icc_write(name, value) \
	asm volatile("msr " name ", %0\n\tisb" : : "r" ((u64)(value)) : "memory")
#define icc_read(name) ({						\
	u64 __value;							\
	asm volatile("mrs %0, " name "\n\tdsb sy" : "=r" (__value) : : "memory"); \
	__value;							\
})

static struct {
	bool known;
	unsigned int version;
	char *dist, *cpu_interface, *redists;
} gic;

#define MAX_HANDLERS		24

static struct {
	unsigned int irq;
	irq_handler handler;
} handlers[MAX_HANDLERS];

void irq_dispatch(void);

static void find_gic(void)
{
	struct jailhouse_comm_region *comm = comm_region();

	gic.version = comm->arm.gic_version;
	gic.dist = (char *)comm->arm.gicd_base;
	gic.cpu_interface = (char *)comm->arm.gicc_base;
	gic.redists = (char *)comm->arm.gicr_base;
	gic.known = true;
}

unsigned int gic_version(void)
{
	return gic.version;
}

/* Redistributors name their CPUs; the last one says so. */
static char *find_redist(void)
{
	u64 mpidr = cpu_mpidr(), typer;
	u64 affinity = (mpidr >> 8 & 0xff000000) | (mpidr & 0xffffff);
	char *redist = gic.redists;

	for (;;) {
		typer = mmio_read64(redist + GICR_TYPER);
		if (typer >> 32 == affinity)
			return redist;
		if (typer & GICR_TYPER_LAST)
			halt();
		redist += typer & GICR_TYPER_VLPIS ? 0x40000 : 0x20000;
	}
}

void *gic_private_base(void)
{
	return gic.version == 2 ? gic.dist : find_redist() + GICR_SGI_FRAME;
}

void gic_init(void)
{
	if (!gic.known)
		find_gic();
	if (gic.version == 2) {
		mmio_write32(gic.cpu_interface + GICC_PMR, 0xf0);
		mmio_write32(gic.cpu_interface + GICC_CTLR, 1);
		return;
	}
	icc_write(ICC_SRE, 7);
	icc_write(ICC_PMR, 0xf0);
	icc_write(ICC_IGRPEN1, 1);
}

static char *base_of(unsigned int irq)
{
	return irq < 32 ? gic_private_base() : gic.dist;
}

static void route_here(unsigned int irq)
{
	if (gic.version == 3)
		mmio_write64(gic.dist + GICD_IROUTER + 8 * irq, cpu_mpidr());
	else
		mmio_write8(gic.dist + GICD_ITARGETSR + irq, (u8)(1 << (cpu_mpidr() & 7)));
}

void gic_enable_irq(unsigned int irq)
{
	if (irq >= 32)
		route_here(irq);
	mmio_write32(base_of(irq) + GICD_ISENABLER + irq / 32 * 4, 1U << (irq % 32));
}

void gic_disable_irq(unsigned int irq)
{
	mmio_write32(base_of(irq) + GICD_ICENABLER + irq / 32 * 4, 1U << (irq % 32));
}

void gic_set_priority(unsigned int irq, u8 priority)
{
	mmio_write8(base_of(irq) + GICD_IPRIORITYR + irq, priority);
}

void gic_send_sgi(u64 mpidr, unsigned int sgi)
{
	u64 aff0 = mpidr & 0xff;

	asm volatile("dsb ishst" : : : "memory");
	if (gic.version == 2) {
		mmio_write32(gic.dist + GICD_SGIR, 1U << (16 + (mpidr & 7)) | sgi);
		return;
	}
	icc_write(ICC_SGI1R, (mpidr >> 32 & 0xff) << 48 | (mpidr >> 16 & 0xff) << 32 |
		  (mpidr >> 8 & 0xff) << 16 | aff0 >> 4 << 44 | (u64)sgi << 24 |
		  1UL << (aff0 & 15));
}

/* In the first place that is free or has this interrupt already. */
void irq_set_handler(unsigned int irq, irq_handler handler)
{
	unsigned int n;

	for (n = 0; n < MAX_HANDLERS; n++)
		if (!handlers[n].handler || handlers[n].irq == irq)
			break;
	if (n == MAX_HANDLERS) {
		printf("FATAL: too many interrupt handlers\n");
		halt();
	}
	handlers[n].irq = irq;
	handlers[n].handler = handler;
}

static void call_handler(unsigned int irq)
{
	unsigned int n;

	for (n = 0; n < MAX_HANDLERS && handlers[n].handler; n++)
		if (handlers[n].irq == irq)
			handlers[n].handler(irq);
}

static u32 acknowledge(void)
{
	return gic.version == 2 ? mmio_read32(gic.cpu_interface + GICC_IAR) :
		(u32)icc_read(ICC_IAR1);
}

static void end_of_interrupt(u32 iar)
{
	if (gic.version == 2)
		mmio_write32(gic.cpu_interface + GICC_EOIR, iar);
	else
		icc_write(ICC_EOIR1, iar);
}

/* All that are pending; handlers run with interrupts off. */
void irq_dispatch(void)
{
	u32 iar, irq;

	for (;;) {
		iar = acknowledge();
		irq = iar & 0x3ff;
		if (irq >= MAX_IRQS)
			return;
		call_handler(irq);
		end_of_interrupt(iar);
	}
}
