// SPDX-License-Identifier: GPL-2.0-only
/* Which cell owns which interrupt, and the GIC's way from Linux to us and back. */
#include <core/boot.h>
#include <core/cpu.h>
#include <core/paging.h>
#include <core/printk.h>
#include <arch/cpu.h>
#include <arch/io.h>
#include <arch/irqchip.h>
#include <arch/sysregs.h>
#include <lib/spinlock.h>
#include <lib/string.h>

struct gic gic;

/* --- Boot ---------------------------------------------------------------------- */

int irqchip_early_init(void)
{
	u64 base = system_config->platform_info.arm.gicd_base;

	/* No other version: checked in arch/config.h */
	gic.ops = system_config->platform_info.arm.gic_version == 2 ? &gicv2_ops : &gicv3_ops;
	gic.maintenance_irq = system_config->platform_info.arm.maintenance_irq;
	if (gic.maintenance_irq < 16 || gic.maintenance_irq > 31) {
		printk("ERROR: .maintenance_irq %u is not a PPI (16 to 31)\n",
		       gic.maintenance_irq);
		return trace_error(-EINVAL);
	}
	gic.ppi_mask = 0xffff0000 & ~(1U << gic.maintenance_irq);
	gic.dist_phys = base;
	gic.dist = hv_map(hpa(base), gic.ops->dist_size, PG_READ | PG_WRITE | PG_DEVICE);
	if (!gic.dist)
		return trace_error(-ENOMEM);
	/* GICD_TYPER.ITLinesNumber */
	gic.num_irqs = MIN(((mmio_read32((char *)gic.dist + GICD_TYPER) & 0x1f) + 1) * 32, 1020U);
	return gic.ops->init();
}

/* Linux' SGIs become virtual ones. */
static void take_sgis(struct arch_percpu *arch, char *regs)
{
	u32 pending = mmio_read32(regs + GICD_ISPENDR) & 0xffff;

	arch->sgi_enabled = arch->linux_enabled & 0xffff;
	for (unsigned int n = 0; n < NUM_SGIS; n++) {
		arch->sgi_priority[n] = mmio_read8(regs + GICD_IPRIORITYR + n);
		arch->sgi_sources[n] = gic.ops == &gicv2_ops && (pending & 1U << n) ?
			mmio_read8((char *)gic.dist + GICD_SPENDSGIR + n) : pending >> n & 1;
		if (gic.ops == &gicv2_ops)
			mmio_write8((char *)gic.dist + GICD_CPENDSGIR + n, 0xff);
	}
	arch->sgi_pending = pending;
	if (gic.ops == &gicv3_ops)
		mmio_write32(regs + GICD_ICPENDR, pending);
}

/* Most urgent, so that nothing a guest does keeps them away. */
static void enable_own_interrupts(struct arch_percpu *arch, char *regs)
{
	const unsigned int own[] = { SGI_EVENT, SGI_INJECT, gic.maintenance_irq };

	for (unsigned int n = 0; n < ARRAY_SIZE(own); n++) {
		arch->linux_priority[n] = mmio_read8(regs + GICD_IPRIORITYR + own[n]);
		mmio_write8(regs + GICD_IPRIORITYR + own[n], 0);
	}
	mmio_write32(regs + GICD_ISENABLER, OUR_SGIS | 1U << gic.maintenance_irq);
	gic.ops->maintenance(0);
}

int irqchip_cpu_init(struct per_cpu *cpu)
{
	struct arch_percpu *arch = &cpu->arch;
	char *regs;
	int err = gic.ops->cpu_init(cpu);

	if (err)
		return err;
	regs = gic.ops->private_regs(cpu);
	arch->gic_taken = true;
	inject_reset(cpu);
	arch->linux_enabled = mmio_read32(regs + GICD_ISENABLER);
	take_sgis(arch, regs);
	enable_own_interrupts(arch, regs);
	inject_pending();
	return 0;
}

static void return_sgis(const struct arch_percpu *arch, char *regs)
{
	u32 enabled = arch->sgi_enabled & 0xffff, maintenance = 1U << gic.maintenance_irq;

	for (unsigned int n = 0; n < NUM_SGIS; n++)
		mmio_write8(regs + GICD_IPRIORITYR + n, arch->sgi_priority[n]);
	mmio_write8(regs + GICD_IPRIORITYR + gic.maintenance_irq, arch->linux_priority[2]);
	mmio_write32(regs + GICD_ISENABLER, enabled);
	mmio_write32(regs + GICD_ICENABLER, ~enabled & 0xffff);
	mmio_write32(regs + (arch->linux_enabled & maintenance ? GICD_ISENABLER : GICD_ICENABLER),
		     maintenance);
	if (gic.ops == &gicv3_ops)
		mmio_write32(regs + GICD_ISPENDR, arch->sgi_pending);
	else
		for (unsigned int n = 0; n < NUM_SGIS; n++)
			if (arch->sgi_pending & 1U << n)
				mmio_write8((char *)gic.dist + GICD_SPENDSGIR + n,
					    arch->sgi_sources[n]);
}

/* Ours that came too late: to Linux they would be IPIs of its own. */
static void forget_own_sgis(char *regs)
{
	if (gic.ops == &gicv3_ops)
		mmio_write32(regs + GICD_ICPENDR, OUR_SGIS);
	else
		for (unsigned int n = 0; n < NUM_SGIS; n++)
			if (OUR_SGIS & 1U << n)
				mmio_write8((char *)gic.dist + GICD_CPENDSGIR + n, 0xff);
}

void irqchip_cpu_exit(struct per_cpu *cpu)
{
	char *regs;

	if (!cpu->arch.gic_taken)
		return;
	cpu->arch.gic_taken = false;
	regs = gic.ops->private_regs(cpu);
	mmio_write32(regs + GICD_ICENABLER, OUR_SGIS);
	forget_own_sgis(regs);
	inject_return_all(cpu);
	return_sgis(&cpu->arch, regs);
	gic.ops->cpu_exit(cpu);
}

void irqchip_shutdown(void)
{
	if (gic.ops && gic.ops->exit)
		gic.ops->exit();
}

void irqchip_cpu_reset(struct per_cpu *cpu)
{
	char *regs = gic.ops->private_regs(cpu);

	inject_reset(cpu);
	gic.ops->interface_reset();
	mmio_write32(regs + GICD_ICENABLER, gic.ppi_mask);
	mmio_write32(regs + GICD_ICPENDR, gic.ppi_mask);
	mmio_write32(regs + GICD_ICACTIVER, gic.ppi_mask);
	for (unsigned int n = 16; n < 32; n++)
		if (gic.ppi_mask & 1U << n)
			mmio_write8(regs + GICD_IPRIORITYR + n, 0);
	memset(cpu->arch.sgi_priority, 0, sizeof(cpu->arch.sgi_priority));
	cpu->arch.sgi_enabled = 0xffff;
}

void irqchip_send_event(const struct per_cpu *cpu)
{
	gic.ops->send_sgi(cpu, SGI_EVENT);
}

/* --- SPIs ------------------------------------------------------------------------- */

static struct per_cpu *first_cpu(const struct cell *cell)
{
	int cpu = cell_next_cpu(cell, -1);

	return cpu < 0 ? NULL : per_cpu((unsigned int)cpu);
}

/* As the root cell had them when they went to another cell: Linux sets the priority only once. */
static u8 root_priority[ARM_MAX_IRQS];
static u32 root_config[ARM_MAX_IRQS / 16], root_enabled[ARM_MAX_IRQS / 32];

static char *spi_config(unsigned int irq)
{
	return (char *)gic.dist + GICD_ICFGR + irq / 16 * 4;
}

static void spi_remember(unsigned int irq)
{
	u32 trigger = 3U << (irq % 16 * 2), bit = 1U << (irq % 32);

	root_priority[irq] = mmio_read8((char *)gic.dist + GICD_IPRIORITYR + irq);
	root_config[irq / 16] = (root_config[irq / 16] & ~trigger) |
		(mmio_read32(spi_config(irq)) & trigger);
	root_enabled[irq / 32] = (root_enabled[irq / 32] & ~bit) |
		(mmio_read32((char *)gic.dist + GICD_ISENABLER + irq / 32 * 4) & bit);
}

/* Off, nothing pending or active; the trigger is that of the device, which Linux knew. */
static void spi_reset(unsigned int irq, u8 priority)
{
	u32 bit = 1U << (irq % 32), trigger = 3U << (irq % 16 * 2);
	char *word = (char *)gic.dist + irq / 32 * 4, *config = spi_config(irq);

	mmio_write32(word + GICD_ICENABLER, bit);
	mmio_write32(word + GICD_ICPENDR, bit);
	mmio_write32(word + GICD_ICACTIVER, bit);
	mmio_write8((char *)gic.dist + GICD_IPRIORITYR + irq, priority);
	spin_lock(&gic.lock);
	mmio_write32(config, (mmio_read32(config) & ~trigger) |
		     (root_config[irq / 16] & trigger));
	spin_unlock(&gic.lock);
}

/* What goes to a CPU of another cell goes to the first one of this cell. */
static void spis_reroute(const struct cell *cell)
{
	struct per_cpu *cpu = first_cpu(cell);

	for (unsigned int irq = 32; cpu && irq < gic.num_irqs; irq++)
		if (cell_owns_irq(cell, irq) && !gic.ops->spi_in_cell(cell, irq))
			gic.ops->spi_route(irq, cpu);
}

static void spis_reset(const struct cell *cell, bool for_root)
{
	for (unsigned int irq = 32; irq < gic.num_irqs; irq++)
		if (cell_owns_irq(cell, irq))
			spi_reset(irq, for_root ? root_priority[irq] : 0);
}

static void spis_remember(const struct cell *cell)
{
	for (unsigned int irq = 32; irq < gic.num_irqs; irq++)
		if (cell_owns_irq(cell, irq))
			spi_remember(irq);
}

/* Records of other controllers are none of ours (abi.md 1.7). */
static void irqs_of_config(const struct jailhouse_cell_desc *config, u32 *irqs)
{
	const struct jailhouse_irqchip *chip = jailhouse_cell_irqchips(config);

	for (unsigned int n = 0; n < config->num_irqchips; n++, chip++) {
		if (chip->address != system_config->platform_info.arm.gicd_base)
			continue;
		for (unsigned int word = 0; word < ARRAY_SIZE(chip->pin_bitmap); word++)
			irqs[chip->pin_base / 32 + word] |= chip->pin_bitmap[word];
	}
	irqs[0] = 0;	/* SGIs and PPIs belong to CPUs */
}

static int check_owners(const struct cell *cell)
{
	const struct cell *other;

	for_each_non_root_cell(other)
		for (unsigned int n = 0; n < ARRAY_SIZE(cell->arch.irqs); n++)
			if (cell != &root_cell && other != cell &&
			    cell->arch.irqs[n] & other->arch.irqs[n]) {
				printk("Interrupt %u of cell \"%s\" belongs to cell \"%s\"\n",
				       n * 32 + (unsigned int)__builtin_ctz(cell->arch.irqs[n] &
									  other->arch.irqs[n]),
				       cell_name(cell), cell_name(other));
				return trace_error(-EBUSY);
			}
	return 0;
}

static int irqchip_cell_init(struct cell *cell)
{
	int err;

	memset(cell->arch.irqs, 0, sizeof(cell->arch.irqs));
	irqs_of_config(cell->config, cell->arch.irqs);
	err = check_owners(cell);
	if (!err)
		err = gic.ops->cell_init(cell);
	if (err || cell == &root_cell)
		return err;
	for (unsigned int n = 0; n < ARRAY_SIZE(cell->arch.irqs); n++)
		root_cell.arch.irqs[n] &= ~cell->arch.irqs[n];
	spis_remember(cell);
	spis_reset(cell, false);
	return 0;
}

/* Routes are right again: what Linux had on when it gave the SPI away can come. */
static void spis_return(const struct cell *cell)
{
	for (unsigned int n = 1; n < ARRAY_SIZE(root_enabled); n++)
		if (cell->arch.irqs[n] & root_cell.arch.irqs[n] & root_enabled[n])
			mmio_write32((char *)gic.dist + GICD_ISENABLER + 4 * n,
				     cell->arch.irqs[n] & root_cell.arch.irqs[n] &
				     root_enabled[n]);
}

/* What root's configuration lists goes back to it. */
static void irqchip_cell_exit(struct cell *cell)
{
	u32 configured[ARM_MAX_IRQS / 32] = { 0 };

	if (gic.ops->cell_exit)
		gic.ops->cell_exit(cell);
	if (cell == &root_cell)
		return;
	spis_reset(cell, true);
	irqs_of_config(root_cell.config, configured);
	for (unsigned int n = 0; n < ARRAY_SIZE(configured); n++)
		root_cell.arch.irqs[n] |= configured[n] & cell->arch.irqs[n];
	spis_reroute(&root_cell);
	spis_return(cell);
}

static void irqchip_cell_reset(struct cell *cell)
{
	if (cell != &root_cell)
		spis_reset(cell, false);
	spis_reroute(cell);
}

/* Root CPUs suspended; CPUs and interrupts have their new owners. */
static void irqchip_config_commit(struct cell *changed)
{
	spis_reroute(&root_cell);
	if (changed && changed != &root_cell)
		spis_reroute(changed);
}

/* The redistributors, where the GIC has them. */
static unsigned int irqchip_mmio_regions(const struct cell *cell)
{
	(void)cell;
	return 1;
}

const struct unit irqchip_unit = {
	.name = "irqchip",
	.mmio_regions = irqchip_mmio_regions,
	.cell_init = irqchip_cell_init,
	.cell_exit = irqchip_cell_exit,
	.cell_reset = irqchip_cell_reset,
	.config_commit = irqchip_config_commit,
};
