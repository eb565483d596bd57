// SPDX-License-Identifier: GPL-2.0-only
/*
 * GICv2 hardware (Arm IHI 0048): everything by memory.  Guests have the virtual
 * CPU interface (GICV) where they look for the physical one (GICC); up to eight
 * CPUs, which are bits of a target mask.
 */
#include <core/cpu.h>
#include <core/paging.h>
#include <core/printk.h>
#include <arch/io.h>
#include <arch/irqchip.h>

#define DIST_SIZE	0x1000
#define INTERFACE_SIZE	0x2000
#define HCR_EN		(1U << 0)
#define CTLR_ENABLE	(1U << 0)
#define IIDR_PRODUCT(iidr) ((iidr) >> 24)
#define TYPER_CPU_NUMBER (7U << 5)	/* interfaces, less one (4.3.2) */

/* GICH_VMCR (5.3.3) */
#define VMCR_ENABLE	(1U << 0)
#define VMCR_EOIMODE	(1U << 9)
#define VMCR_BPR(n)	(((n) & 7) << 21)
#define VMCR_PMR(n)	(((n) >> 3 & 0x1f) << 27)
#define VMCR_GET_BPR(v)	((v) >> 21 & 7)
#define VMCR_GET_PMR(v)	((v) >> 27 << 3)

/* GICH_LR (5.3.9): what is elsewhere in ICH_LR<n>_EL2 */
#define LR2_HW		(1U << 31)
#define LR2_STATE	(3U << 28)
#define LR2_FROM(lr)	((u32)((lr) >> 62) << 28)
#define LR2_PRIORITY(p)	((u32)(p) >> 3 << 23)
#define LR2_PHYSICAL(i)	((u32)(i) << 10)

/*
 * QEMU (10.0, hw/intc/arm_gic.c) looks at its inputs when one of them changes, but
 * not when a guest deactivates a physical interrupt: a level that rose before that
 * is seen at the next change, which on an idle machine with one CPU never comes.
 * So we make one.  With a list register that is always in use, "at most one in
 * use" (GICH_HCR.UIE) ends and begins with each interrupt of the guest, and so
 * does the maintenance interrupt, whose input this is.  It is off in the
 * distributor then, and takes no exit.
 */
#define SENTINEL_LR	(2U << 28 | 1019)	/* active; no machine has this interrupt */

static char *gicc, *gich;
static bool sentinel;

static u32 cell_targets(const struct cell *cell)
{
	u32 mask = 0;
	int cpu;

	for_each_cpu(cpu, cell)
		mask |= per_cpu((unsigned int)cpu)->arch.gicv2_target;
	return mask;
}

/* --- Set-up ------------------------------------------------------------------- */

static int gicv2_init(void)
{
	u32 arch = PIDR2_ARCH(mmio_read32((char *)gic.dist + GICD_V2_PIDR2));

	if (arch != 2) {
		printk("ERROR: no GICv2 at .gicd_base 0x%llx: it says version %u\n",
		       system_config->platform_info.arm.gicd_base, arch);
		return trace_error(-ENODEV);
	}
	gic.iar_mask = 0x3ff;
	/* A real one also says which product it is (4.3.3). */
	sentinel = IIDR_PRODUCT(mmio_read32((char *)gic.dist + GICD_IIDR)) == 0;
	gicc = hv_map(hpa(system_config->platform_info.arm.gicc_base), INTERFACE_SIZE,
		      PG_READ | PG_WRITE | PG_DEVICE);
	gich = hv_map(hpa(system_config->platform_info.arm.gich_base), INTERFACE_SIZE,
		      PG_READ | PG_WRITE | PG_DEVICE);
	return gicc && gich ? 0 : trace_error(-ENOMEM);
}

/*
 * Each CPU reads its own bit in the targets of its own interrupts.  With a single
 * CPU the registers read 0 (4.3.12), and all that there is goes to it.
 */
static u8 own_target(void)
{
	if (!(mmio_read32((char *)gic.dist + GICD_TYPER) & TYPER_CPU_NUMBER))
		return 1;
	return mmio_read8((char *)gic.dist + GICD_ITARGETSR);
}

static int find_target(struct per_cpu *cpu)
{
	u8 target = own_target();

	if (target == 0 || (target & (target - 1))) {
		printk("ERROR: CPU %u has no interface of the GICv2 (target mask 0x%x) ",
		       cpu->cpu_id, target);
		return trace_error(-ENODEV);
	}
	cpu->arch.gicv2_target = target;
	return 0;
}

static int gicv2_cpu_init(struct per_cpu *cpu)
{
	struct arch_percpu *arch = &cpu->arch;
	int err = find_target(cpu);

	if (err)
		return err;
	arch->linux_ctlr = mmio_read32(gicc + GICC_CTLR);
	arch->linux_pmr = mmio_read32(gicc + GICC_PMR);
	arch->linux_bpr = mmio_read32(gicc + GICC_BPR);
	gic.num_lrs = (mmio_read32(gich + GICH_VTR) & 0x3f) + (sentinel ? 0 : 1);
	mmio_write32(gich + GICH_VMCR, VMCR_PMR(arch->linux_pmr) | VMCR_BPR(arch->linux_bpr) |
		     (arch->linux_ctlr & CTLR_ENABLE ? VMCR_ENABLE : 0) |
		     (arch->linux_ctlr & GICC_CTLR_EOIMODE ? VMCR_EOIMODE : 0));
	/* What Linux was handling when it came stays active for it. */
	mmio_write32(gich + GICH_APR, mmio_read32(gicc + GICC_APR));
	mmio_write32(gicc + GICC_APR, 0);
	mmio_write32(gicc + GICC_CTLR, arch->linux_ctlr | CTLR_ENABLE | GICC_CTLR_EOIMODE);
	mmio_write32(gicc + GICC_PMR, 0xff);
	mmio_write32(gicc + GICC_BPR, 0);
	mmio_write32(gich + GICH_HCR, HCR_EN);
	return 0;
}

/* As the guest has it now. */
static void gicv2_cpu_exit(struct per_cpu *cpu)
{
	u32 vmcr = mmio_read32(gich + GICH_VMCR);
	u32 ctlr = cpu->arch.linux_ctlr & ~(CTLR_ENABLE | GICC_CTLR_EOIMODE);

	mmio_write32(gich + GICH_HCR, 0);
	if (sentinel)
		mmio_write32(gich + GICH_LR + 4 * gic.num_lrs, 0);
	mmio_write32(gicc + GICC_APR, mmio_read32(gich + GICH_APR));
	mmio_write32(gicc + GICC_PMR, VMCR_GET_PMR(vmcr));
	mmio_write32(gicc + GICC_BPR, VMCR_GET_BPR(vmcr));
	mmio_write32(gicc + GICC_CTLR, ctlr | (vmcr & VMCR_ENABLE ? CTLR_ENABLE : 0) |
		     (vmcr & VMCR_EOIMODE ? GICC_CTLR_EOIMODE : 0));
}

static void gicv2_interface_reset(void)
{
	mmio_write32(gich + GICH_APR, 0);
	mmio_write32(gich + GICH_VMCR, 0);
}

/* --- CPU interface --------------------------------------------------------------- */

static u32 gicv2_acknowledge(void)
{
	return mmio_read32(gicc + GICC_IAR);
}

static u8 gicv2_running_priority(void)
{
	return (u8)mmio_read32(gicc + GICC_RPR);
}

static void gicv2_drop(u32 iar)
{
	mmio_write32(gicc + GICC_EOIR, iar);
}

static void gicv2_deactivate(u32 iar)
{
	mmio_write32(gicc + GICC_DIR, iar);
}

static void gicv2_send_sgi(const struct per_cpu *target, unsigned int sgi)
{
	/* What was stored is visible when the interrupt arrives. */
	asm volatile("dsb ishst" : : : "memory");
	mmio_write32((char *)gic.dist + GICD_SGIR, (u32)target->arch.gicv2_target << 16 | sgi);
}

/* --- List registers ---------------------------------------------------------------- */

/* The source of an SGI is in bits 12:10 of both, which a physical interrupt has as its id. */
static u64 gicv2_lr_read(unsigned int n)
{
	u32 lr = mmio_read32(gich + GICH_LR + 4 * n);
	u64 id = lr & LR2_HW ? LR_HW | LR_PHYSICAL(lr >> 10 & 0x3ff) | (lr & 0x3ff) : lr & 0x1fff;

	return (u64)(lr >> 28 & 3) << 62 | LR_PRIORITY((lr >> 23 & 0x1f) << 3) | id;
}

/* Group 0: what guests enable with bit 0 of their GICC_CTLR. */
static void gicv2_lr_write(unsigned int n, u64 lr)
{
	u32 id = lr & LR_HW ? LR2_HW | LR2_PHYSICAL(lr >> 32 & 0x3ff) | (LR_VIRTUAL(lr) & 0x3ff) :
		LR_VIRTUAL(lr) & 0x1fff;

	mmio_write32(gich + GICH_LR + 4 * n,
		     LR2_FROM(lr) | LR2_PRIORITY(LR_GET_PRIORITY(lr)) | id);
}

static u64 gicv2_lr_empty(void)
{
	u64 empty = mmio_read32(gich + GICH_ELRSR);

	if (gic.num_lrs > 32)
		empty |= (u64)mmio_read32(gich + GICH_ELRSR + 4) << 32;
	return gic.num_lrs == 64 ? empty : empty & ((1ULL << gic.num_lrs) - 1);
}

/* The sentinel goes while somebody waits: what it stands for is then counted exactly. */
static void gicv2_maintenance(u32 bits)
{
	if (sentinel) {
		mmio_write32(gich + GICH_LR + 4 * gic.num_lrs, bits ? 0 : SENTINEL_LR);
		mmio_write32((char *)gic.dist + (bits ? GICD_ISENABLER : GICD_ICENABLER),
			     1U << gic.maintenance_irq);
		bits |= HCR_UIE;
	}
	mmio_write32(gich + GICH_HCR, HCR_EN | bits);
}

static void *gicv2_private_regs(struct per_cpu *cpu)
{
	(void)cpu;	/* banked: only of the calling CPU */
	return gic.dist;
}

/* --- Routing ----------------------------------------------------------------------- */

static bool gicv2_spi_in_cell(const struct cell *cell, unsigned int irq)
{
	u8 targets = mmio_read8((char *)gic.dist + GICD_ITARGETSR + irq);

	return targets && !(targets & ~cell_targets(cell));
}

static void gicv2_spi_route(unsigned int irq, const struct per_cpu *cpu)
{
	mmio_write8((char *)gic.dist + GICD_ITARGETSR + irq, cpu->arch.gicv2_target);
}

/* --- What cells see ------------------------------------------------------------------ */

/* GICD_SGIR (4.3.15): filter 0 the list, 1 all others, 2 oneself */
static void send_sgi(const struct cell *cell, u32 value)
{
	unsigned int sgi = value & 0xf, filter = value >> 24 & 3;
	unsigned int source = (unsigned int)__builtin_ctz(this_cpu()->arch.gicv2_target);
	int n;

	CPU_STAT(JAILHOUSE_CPU_STAT_VMEXITS_VIRT_SGI);
	for_each_cpu(n, cell) {
		struct per_cpu *cpu = per_cpu((unsigned int)n);
		bool self = cpu == this_cpu();

		if (filter == 0 ? cpu->arch.gicv2_target & value >> 16 :
		    filter == 1 ? !self : filter == 2 && self)
			sgi_post(cpu, sgi, source);
	}
}

/* GICD_CPENDSGIR, GICD_SPENDSGIR: a byte for each SGI, a bit for each sender */
static void access_sgi_sources(struct mmio_access *access)
{
	struct arch_percpu *arch = &this_cpu()->arch;
	unsigned int first = (unsigned int)access->address & 0xf;
	bool set = access->address >= GICD_SPENDSGIR;
	u64 value = 0;

	for (unsigned int n = 0; n < access->size && first + n < NUM_SGIS; n++) {
		u8 bits = (u8)(access->value >> (8 * n)), *sources = &arch->sgi_sources[first + n];

		if (!access->is_write)
			value |= (u64)*sources << (8 * n);
		else if (!set && !(__atomic_and_fetch(sources, (u8)~bits, __ATOMIC_RELAXED)))
			__atomic_fetch_and(&arch->sgi_pending, ~(1U << (first + n)),
					   __ATOMIC_RELAXED);
		for (; access->is_write && set && bits; bits &= (u8)(bits - 1))
			sgi_post(this_cpu(), first + n, (unsigned int)__builtin_ctz(bits));
	}
	if (!access->is_write)
		access->value = value;
}

static enum mmio_result check_targets(const struct cell *cell, const struct mmio_access *access)
{
	unsigned int first = (unsigned int)access->address - GICD_ITARGETSR;

	for (unsigned int n = 0; n < access->size; n++)
		if (cell_owns_irq(cell, first + n) &&
		    (access->value >> (8 * n) & 0xff & ~cell_targets(cell))) {
			panic_printk("Attempt to route IRQ%u outside of cell\n", first + n);
			return MMIO_ERROR;
		}
	return MMIO_HANDLED;
}

/* Registers of INTIDs 0 to 31 are at the start of each array. */
static bool is_private(u64 address)
{
	if (address >= GICD_IGROUPR && address < GICD_IPRIORITYR)
		return (address & 0x7f) < 4;
	if (address >= GICD_IPRIORITYR && address < GICD_ICFGR)
		return (address & 0x3ff) < 32;
	return address >= GICD_ICFGR && address < GICD_ICFGR + 8;
}

/* Of them some are each CPU's own. */
static __cold enum mmio_result access_banked(void *cell, struct mmio_access *access)
{
	u64 address = access->address;

	if (access->size > 4 || (access->size == 2 && address < GICD_V2_IDS)) {
		access->value = 0;
	} else if (address == GICD_SGIR) {
		if (access->is_write && access->size == 4)
			send_sgi(cell, (u32)access->value);
		else
			access->value = 0;
	} else if (address >= GICD_CPENDSGIR && address < GICD_SPENDSGIR + NUM_SGIS) {
		access_sgi_sources(access);
	} else if (is_private(address)) {
		gic_private_access(this_cpu(), access);
	} else {
		if (access->is_write && address >= GICD_ITARGETSR && address < GICD_ICFGR &&
		    check_targets(cell, access) == MMIO_ERROR)
			return MMIO_ERROR;
		return gic_dist_access(cell, access);
	}
	return MMIO_HANDLED;
}

static enum mmio_result handle_dist(void *arg, struct mmio_access *access)
{
	/* Control and type: everybody's */
	return access->address < GICD_IGROUPR ? gic_dist_access(arg, access) :
		access_banked(arg, access);
}

/* The mapping goes with the tables. */
static int gicv2_cell_init(struct cell *cell)
{
	return page_table_map(&cell->stage2, system_config->platform_info.arm.gicc_base,
			      hpa(system_config->platform_info.arm.gicv_base), INTERFACE_SIZE,
			      PG_READ | PG_WRITE | PG_DEVICE);
}

const struct gic_ops gicv2_ops = {
	.dist_size = DIST_SIZE,
	.init = gicv2_init,
	.cpu_init = gicv2_cpu_init,
	.cpu_exit = gicv2_cpu_exit,
	.interface_reset = gicv2_interface_reset,
	.send_sgi = gicv2_send_sgi,
	.acknowledge = gicv2_acknowledge,
	.running_priority = gicv2_running_priority,
	.drop = gicv2_drop,
	.deactivate = gicv2_deactivate,
	.lr_read = gicv2_lr_read,
	.lr_write = gicv2_lr_write,
	.lr_empty = gicv2_lr_empty,
	.maintenance = gicv2_maintenance,
	.private_regs = gicv2_private_regs,
	.spi_in_cell = gicv2_spi_in_cell,
	.spi_route = gicv2_spi_route,
	.cell_init = gicv2_cell_init,
	.dist_access = handle_dist,
};
