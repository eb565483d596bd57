// SPDX-License-Identifier: GPL-2.0-only
/* GICv3 hardware (Arm IHI 0069): system registers, redistributors, affinity routing. */
#include <core/boot.h>
#include <core/cpu.h>
#include <core/paging.h>
#include <core/printk.h>
#include <arch/cpu.h>
#include <arch/io.h>
#include <arch/irqchip.h>
#include <arch/sysregs.h>

#define DIST_SIZE	0x10000
#define REDIST_SIZE	0x20000U
#define REDIST_SIZE_V4	0x40000U

#define SRE_ENABLE	0xf	/* ICC_SRE_EL2: SRE, DFB, DIB, and EL1 may do the same */
#define CTLR_CBPR	(1U << 0)
#define CTLR_EOIMODE	(1U << 1)
#define VMCR_ENG1	(1U << 1)
#define VMCR_CBPR	(1U << 4)
#define VMCR_EOIMODE	(1U << 9)
#define VMCR_BPR1(n)	((u64)((n) & 7) << 18)
#define VMCR_PMR(n)	((u64)(n) << 24)
#define HCR_EN		(1U << 0)

static struct {
	char *base;		/* all redistributors */
	u64 phys;
	unsigned int count, stride;
	unsigned int *owner;	/* CPU number of each; in a page of its own */
} redist;

#define NO_OWNER	(~0U)

/* --- Windows ------------------------------------------------------------------ */

static char *redist_base(unsigned int index)
{
	return redist.base + (u64)index * redist.stride;
}

/* Up to the one that says Last, not more than there are CPUs in the configuration. */
static void count_redists(unsigned int max)
{
	while (redist.count < max) {
		u64 typer = mmio_read64(redist_base(redist.count) + GICR_TYPER);

		redist.owner[redist.count] = NO_OWNER;
		redist.count++;
		if (typer & GICR_TYPER_LAST)
			break;
	}
}

static int map_redists(void)
{
	unsigned int max = hypervisor_header.max_cpus;
	char *first;

	redist.phys = system_config->platform_info.arm.gicr_base;
	redist.owner = page_alloc(&mem_pool, (unsigned int)PAGES(max * sizeof(*redist.owner)));
	first = hv_map(hpa(redist.phys), REDIST_SIZE, PG_READ | PG_WRITE | PG_DEVICE);
	if (!first || !redist.owner)
		return trace_error(-ENOMEM);
	redist.stride = mmio_read64(first + GICR_TYPER) & GICR_TYPER_VLPIS ?
		REDIST_SIZE_V4 : REDIST_SIZE;
	hv_unmap(first, REDIST_SIZE);
	redist.base = hv_map(hpa(redist.phys), (u64)max * redist.stride,
			     PG_READ | PG_WRITE | PG_DEVICE);
	if (!redist.base)
		return trace_error(-ENOMEM);
	count_redists(max);
	return 0;
}

static int gicv3_init(void)
{
	u32 arch;

	/* ID_AA64PFR0_EL1.GIC: system registers exist */
	if (!(sysreg_read(id_aa64pfr0_el1) >> 24 & 0xf)) {
		printk("ERROR: these CPUs have no GICv3 interface: .gic_version must be 2\n");
		return trace_error(-ENODEV);
	}
	arch = PIDR2_ARCH(mmio_read32((char *)gic.dist + GICD_V3_PIDR2));
	if (arch != 3 && arch != 4) {
		printk("ERROR: no GICv3 at .gicd_base 0x%llx: it says version %u\n",
		       system_config->platform_info.arm.gicd_base, arch);
		return trace_error(-ENODEV);
	}
	if (!(mmio_read32((char *)gic.dist + GICD_CTLR) & GICD_CTLR_ARE_NS)) {
		printk("ERROR: GICv3 without affinity routing is not supported\n");
		return trace_error(-ENODEV);
	}
	gic.iar_mask = 0xffffff;
	return map_redists();
}

/* --- CPU interface --------------------------------------------------------------- */

static int find_redist(struct per_cpu *cpu)
{
	u32 affinity = (u32)(cpu->arch.mpidr >> 8 & 0xff000000) | (u32)(cpu->arch.mpidr & 0xffffff);

	for (unsigned int n = 0; n < redist.count; n++) {
		if (GICR_TYPER_AFFINITY(mmio_read64(redist_base(n) + GICR_TYPER)) != affinity)
			continue;
		cpu->arch.redist = redist_base(n);
		cpu->arch.redist_index = n;
		redist.owner[n] = cpu->cpu_id;
		return 0;
	}
	printk("ERROR: no redistributor for CPU %u ", cpu->cpu_id);
	return trace_error(-ENODEV);
}

static void save_linux_interface(struct arch_percpu *arch)
{
	arch->linux_sre = reg_read(ICC_SRE2);
	arch->linux_ctlr = (u32)reg_read(ICC_CTLR);
	arch->linux_pmr = (u32)reg_read(ICC_PMR);
	arch->linux_bpr = (u32)reg_read(ICC_BPR1);
	arch->linux_grpen = (u32)reg_read(ICC_IGRPEN1);
}

static u64 vmcr_from_linux(const struct arch_percpu *arch)
{
	return VMCR_PMR(arch->linux_pmr) | VMCR_BPR1(arch->linux_bpr) |
		(arch->linux_ctlr & CTLR_EOIMODE ? VMCR_EOIMODE : 0) |
		(arch->linux_ctlr & CTLR_CBPR ? VMCR_CBPR : 0) |
		(arch->linux_grpen & 1 ? VMCR_ENG1 : 0);
}

static int gicv3_cpu_init(struct per_cpu *cpu)
{
	struct arch_percpu *arch = &cpu->arch;
	int err;

	if (!(reg_read(ICC_SRE1) & 1)) {
		printk("ERROR: Linux does not use the GICv3's system registers ");
		return trace_error(-ENODEV);
	}
	err = find_redist(cpu);
	if (err)
		return err;
	if (mmio_read32((char *)arch->redist + GICR_CTLR) & GICR_CTLR_ENABLE_LPIS) {
		printk("ERROR: Linux uses LPIs (an ITS), which are not supported: remove the ITS from "
		       "the device tree (QEMU: its=off) ");
		return trace_error(-ENODEV);
	}
	save_linux_interface(arch);
	reg_write(ICC_SRE2, arch->linux_sre | SRE_ENABLE);
	isb();
	gic.num_lrs = (unsigned int)(reg_read(ICH_VTR) & 0x1f) + 1;
	reg_write(ICH_VMCR, vmcr_from_linux(arch));
	/* What Linux was handling when it came stays active for it. */
	reg_write(ICH_AP1R0, reg_read(ICC_AP1R0));
	reg_write(ICC_AP1R0, 0);
	reg_write(ICC_CTLR, arch->linux_ctlr | CTLR_EOIMODE);
	reg_write(ICC_PMR, 0xff);
	reg_write(ICC_BPR1, 0);
	reg_write(ICC_IGRPEN1, 1);
	reg_write(ICH_HCR, HCR_EN);
	isb();
	return 0;
}

/* As the guest has it now. */
static void gicv3_cpu_exit(struct per_cpu *cpu)
{
	u64 vmcr = reg_read(ICH_VMCR);
	u32 ctlr = cpu->arch.linux_ctlr & ~(CTLR_EOIMODE | CTLR_CBPR);

	reg_write(ICH_HCR, 0);
	reg_write(ICC_AP1R0, reg_read(ICH_AP1R0));
	reg_write(ICC_PMR, vmcr >> 24 & 0xff);
	reg_write(ICC_BPR1, vmcr >> 18 & 7);
	reg_write(ICC_CTLR, ctlr | (vmcr & VMCR_EOIMODE ? CTLR_EOIMODE : 0) |
		  (vmcr & VMCR_CBPR ? CTLR_CBPR : 0));
	reg_write(ICC_IGRPEN1, !!(vmcr & VMCR_ENG1));
	reg_write(ICC_SRE2, cpu->arch.linux_sre);
	isb();
}

static void gicv3_interface_reset(void)
{
	/* ICH_VTR_EL2.PREbits says how many there are: 32 levels of preemption each */
	unsigned int bits = (unsigned int)(reg_read(ICH_VTR) >> 26 & 7) + 1;

	reg_write(ICH_AP0R0, 0);
	reg_write(ICH_AP1R0, 0);
	if (bits >= 6) {
		reg_write(ICH_AP0R1, 0);
		reg_write(ICH_AP1R1, 0);
	}
	if (bits >= 7) {
		reg_write(ICH_AP0R2, 0);
		reg_write(ICH_AP1R2, 0);
		reg_write(ICH_AP0R3, 0);
		reg_write(ICH_AP1R3, 0);
	}
	reg_write(ICH_VMCR, 0);
	isb();
}

static u32 gicv3_acknowledge(void)
{
	u32 iar = (u32)reg_read(ICC_IAR1);

	/* The acknowledge is complete before what it is for is looked at (IHI 0069 4.1.1). */
	dsb();
	return iar;
}

static u8 gicv3_running_priority(void)
{
	return (u8)reg_read(ICC_RPR);
}

static void gicv3_drop(u32 iar)
{
	reg_write(ICC_EOIR1, iar);
	isb();
}

static void gicv3_deactivate(u32 iar)
{
	reg_write(ICC_DIR, iar);
	isb();
}

static void gicv3_send_sgi(const struct per_cpu *target, unsigned int sgi)
{
	u64 mpidr = target->arch.mpidr, aff0 = mpidr & 0xff;

	/* What was stored is visible when the interrupt arrives. */
	asm volatile("dsb ishst" : : : "memory");
	reg_write(ICC_SGI1R, (mpidr >> 32 & 0xff) << 48 | aff0 >> 4 << 44 |
		  (mpidr >> 16 & 0xff) << 32 | (u64)sgi << 24 | (mpidr >> 8 & 0xff) << 16 |
		  1ULL << (aff0 & 0xf));
	isb();
}

/* --- List registers ---------------------------------------------------------------- */

#define FOR_EACH_LR(X) \
	X(0, 12_0) X(1, 12_1) X(2, 12_2) X(3, 12_3) X(4, 12_4) X(5, 12_5) X(6, 12_6) \
	X(7, 12_7) X(8, 13_0) X(9, 13_1) X(10, 13_2) X(11, 13_3) X(12, 13_4) \
	X(13, 13_5) X(14, 13_6) X(15, 13_7)

static u64 gicv3_lr_read(unsigned int n)
{
	switch (n) {
#define READ(n, name) case n: return reg_read(S3_4_C12_C##name);
		FOR_EACH_LR(READ)
	}
	return 0;
}

static void gicv3_lr_write(unsigned int n, u64 lr)
{
	switch (n) {
#define WRITE(n, name) case n: reg_write(S3_4_C12_C##name, lr); break;
		FOR_EACH_LR(WRITE)
	}
}

static u64 gicv3_lr_empty(void)
{
	return reg_read(ICH_ELRSR) & ((1ULL << gic.num_lrs) - 1);
}

static void gicv3_maintenance(u32 bits)
{
	reg_write(ICH_HCR, HCR_EN | bits);
}

static void *gicv3_private_regs(struct per_cpu *cpu)
{
	return (char *)cpu->arch.redist + GICR_SGI_FRAME;
}

/* --- Routing ----------------------------------------------------------------------- */

static void *router(unsigned int irq)
{
	return (char *)gic.dist + GICD_IROUTER + 8 * irq;
}

static bool route_in_cell(const struct cell *cell, u64 route)
{
	int cpu;

	if (route & IROUTER_ANY_CPU)
		return false;
	for_each_cpu(cpu, cell)
		if (per_cpu((unsigned int)cpu)->arch.mpidr == (route & MPIDR_AFFINITY))
			return true;
	return false;
}

static bool gicv3_spi_in_cell(const struct cell *cell, unsigned int irq)
{
	return route_in_cell(cell, mmio_read64(router(irq)));
}

static void gicv3_spi_route(unsigned int irq, const struct per_cpu *cpu)
{
	mmio_write64(router(irq), cpu->arch.mpidr);
}

/* --- What cells see ------------------------------------------------------------------ */

/* The whole register, or one half of it (IHI 0069 12.1.3). */
static enum mmio_result access_router(struct cell *cell, struct mmio_access *access)
{
	unsigned int irq = (unsigned int)(access->address - GICD_IROUTER) / 8;
	unsigned int shift = access->size == 4 ? (unsigned int)(access->address & 4) * 8 : 0;
	u64 mask = access->size == 4 ? 0xffffffffULL << shift : ~0ULL, route;

	if (access->size < 4 || access->address & (access->size - 1) || !cell_owns_irq(cell, irq)) {
		access->value = 0;
		return MMIO_HANDLED;
	}
	route = mmio_read64(router(irq));
	if (!access->is_write) {
		access->value = (route & mask) >> shift;
		return MMIO_HANDLED;
	}
	route = (route & ~mask) | (access->value << shift & mask);
	if (!route_in_cell(cell, route)) {
		panic_printk("Attempt to route IRQ%u outside of cell\n", irq);
		return MMIO_ERROR;
	}
	mmio_write64(router(irq), route);
	return MMIO_HANDLED;
}

static enum mmio_result handle_dist(void *arg, struct mmio_access *access)
{
	if (access->address >= GICD_IROUTER && access->address < GICD_IROUTER + 8 * 1020)
		return access_router(arg, access);
	return gic_dist_access(arg, access);
}

/* Aligned words and double words of registers that may be read by everybody. */
static void read_through(const char *base, struct mmio_access *access)
{
	if (access->size == 4)
		access->value = mmio_read32(base + access->address);
	else if (access->size == 8)
		access->value = mmio_read64(base + access->address);
}

static void read_typer(unsigned int index, struct mmio_access *access)
{
	u64 typer = mmio_read64(redist_base(index) + GICR_TYPER) & ~GICR_TYPER_LAST;

	if (index == redist.count - 1)
		typer |= GICR_TYPER_LAST;
	access->value = access->size == 8 ? typer :
		access->address == GICR_TYPER ? (u32)typer : typer >> 32;
}

/* Writes change nothing: the CPUs are awake, and tables of LPIs are not for guests. */
static void access_control_frame(unsigned int index, bool own, struct mmio_access *access)
{
	u64 address = access->address;

	if (access->is_write)
		return;
	access->value = 0;
	if (access->size < 4 || address & (access->size - 1))
		return;
	if (address == GICR_TYPER || address == GICR_TYPER + 4)
		read_typer(index, access);
	else if (address == GICR_IIDR || address >= GICR_IDS ||
		 (own && (address == GICR_CTLR || address == GICR_WAKER)) ||
		 (own && this_cpu()->cell == &root_cell &&
		  (address == GICR_PROPBASER || address == GICR_PENDBASER)))
		read_through(redist_base(index), access);
}

static enum mmio_result handle_redist(void *arg, struct mmio_access *access)
{
	unsigned int index = (unsigned int)(access->address / redist.stride);
	bool own = redist.owner[index] != NO_OWNER && cell_owns_cpu(arg, redist.owner[index]);
	struct mmio_access frame = *access;

	frame.address = access->address % redist.stride;
	if (frame.address < GICR_SGI_FRAME) {
		access_control_frame(index, own, &frame);
	} else if (own && frame.address < 2 * GICR_SGI_FRAME) {
		frame.address -= GICR_SGI_FRAME;
		gic_private_access(per_cpu(redist.owner[index]), &frame);
	} else {
		frame.value = 0;
	}
	access->value = frame.value;
	return MMIO_HANDLED;
}

static int gicv3_cell_init(struct cell *cell)
{
	mmio_region_register(cell, gpa(redist.phys), (u64)redist.count * redist.stride,
			     handle_redist, cell);
	return 0;
}

static void gicv3_cell_exit(struct cell *cell)
{
	mmio_region_unregister(cell, gpa(redist.phys));
}

const struct gic_ops gicv3_ops = {
	.dist_size = DIST_SIZE,
	.init = gicv3_init,
	.cpu_init = gicv3_cpu_init,
	.cpu_exit = gicv3_cpu_exit,
	.interface_reset = gicv3_interface_reset,
	.send_sgi = gicv3_send_sgi,
	.acknowledge = gicv3_acknowledge,
	.running_priority = gicv3_running_priority,
	.drop = gicv3_drop,
	.deactivate = gicv3_deactivate,
	.lr_read = gicv3_lr_read,
	.lr_write = gicv3_lr_write,
	.lr_empty = gicv3_lr_empty,
	.maintenance = gicv3_maintenance,
	.private_regs = gicv3_private_regs,
	.spi_in_cell = gicv3_spi_in_cell,
	.spi_route = gicv3_spi_route,
	.cell_init = gicv3_cell_init,
	.dist_access = handle_dist,
	.cell_exit = gicv3_cell_exit,
};
