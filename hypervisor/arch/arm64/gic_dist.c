// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers of the distributor, and of INTIDs 0 to 31 (in the redistributor's
 * SGI frame, or banked in GICv2's distributor), as one cell sees them: bits of
 * interrupts that it does not own read 0 and ignore writes.  Sizes and
 * alignments that the architecture does not have (IHI 0069 12.1.3) do the same.
 */
#include <core/cell.h>
#include <core/mmio.h>
#include <arch/io.h>
#include <arch/irqchip.h>
#include <lib/spinlock.h>
#include <lib/string.h>

enum reg_kind {
	KIND_NONE,
	KIND_FIXED,		/* read-only, the hardware's */
	KIND_GROUP,		/* all owned interrupts are in group 1, for ever */
	KIND_BITS,		/* one bit each; 1 sets or clears, 0 does nothing */
	KIND_PRIORITY,
	KIND_TARGETS,
	KIND_CONFIG,		/* two bits each */
	KIND_SIGNAL,		/* write an INTID */
};

static const struct {
	u16 start, end;		/* first byte, and first one after it */
	u8 kind;
	u8 bits;		/* per interrupt */
	bool bytes;		/* byte accesses are possible */
} layout[] = {
	{ GICD_CTLR, GICD_IIDR + 4, KIND_FIXED, 0, false },
	{ GICD_ISENABLER, GICD_IPRIORITYR, KIND_BITS, 1, false },
	{ GICD_IPRIORITYR, GICD_ITARGETSR, KIND_PRIORITY, 8, true },
	{ GICD_ITARGETSR, GICD_ICFGR, KIND_TARGETS, 8, true },
	{ GICD_ICFGR, GICD_IGRPMODR, KIND_CONFIG, 2, false },
	{ GICD_IGROUPR, GICD_ISENABLER, KIND_GROUP, 1, false },
	{ GICD_SETSPI_NSR, GICD_SETSPI_NSR + 4, KIND_SIGNAL, 0, false },
	{ GICD_CLRSPI_NSR, GICD_CLRSPI_NSR + 4, KIND_SIGNAL, 0, false },
};

static int find_layout(u64 address)
{
	for (unsigned int n = 0; n < ARRAY_SIZE(layout); n++)
		if (address >= layout[n].start && address < layout[n].end)
			return (int)n;
	return -1;
}

static bool size_valid(const struct mmio_access *access, bool bytes)
{
	return (access->size == 4 && !(access->address & 3)) || (access->size == 1 && bytes);
}

static bool is_id_register(u64 address)
{
	return gic.ops == &gicv3_ops ? address >= GICD_V3_IDS && address < GICD_V3_IDS + 0x30 :
		address >= GICD_V2_IDS && address < GICD_V2_IDS + 0x30;
}

/* --- SPIs ------------------------------------------------------------------------ */

/* The bits of this access that belong to interrupts of the cell. */
static u32 owned_mask(const struct cell *cell, unsigned int first, unsigned int bits,
		      unsigned int size)
{
	unsigned int count = size * 8 / bits;
	u32 mask = 0;

	if (bits == 1)
		return first < 32 ? 0 : cell->arch.irqs[first / 32];
	for (unsigned int n = 0; n < count; n++)
		if (cell_owns_irq(cell, first + n))
			mask |= ((1U << bits) - 1) << (n * bits);
	return mask;
}

static u32 hw_read(const char *reg, unsigned int size)
{
	return size == 1 ? mmio_read8(reg) : mmio_read32(reg);
}

static void hw_write(char *reg, unsigned int size, u32 value)
{
	if (size == 1)
		mmio_write8(reg, (u8)value);
	else
		mmio_write32(reg, value);
}

/* Words of several owners. */
static void hw_update(char *reg, unsigned int size, u32 mask, u32 value)
{
	spin_lock(&gic.lock);
	hw_write(reg, size, (hw_read(reg, size) & ~mask) | (value & mask));
	spin_unlock(&gic.lock);
}

static void access_shared(char *reg, struct mmio_access *access, u8 kind, u32 mask)
{
	if (!access->is_write) {
		access->value = kind == KIND_GROUP ? mask : hw_read(reg, access->size) & mask;
		return;
	}
	if (mask == 0 || kind == KIND_GROUP)
		return;
	if (kind == KIND_BITS)
		hw_write(reg, access->size, (u32)access->value & mask);
	else
		hw_update(reg, access->size, mask, (u32)access->value);
}

/* Message-based SPIs: the INTID is in the value. */
static void access_signal(const struct cell *cell, struct mmio_access *access)
{
	u32 irq = (u32)access->value & 0x3ff;

	if (!access->is_write)
		access->value = 0;
	else if (cell_owns_irq(cell, irq))
		mmio_write32((char *)gic.dist + access->address, irq);
}

enum mmio_result gic_dist_access(void *arg, struct mmio_access *access)
{
	const struct cell *cell = arg;
	char *reg = (char *)gic.dist + access->address;
	int n = find_layout(access->address);
	u8 kind = n < 0 ? KIND_NONE : layout[n].kind;
	unsigned int first;

	if (kind == KIND_NONE && is_id_register(access->address))
		kind = KIND_FIXED;
	if (kind == KIND_NONE || !size_valid(access, n >= 0 && layout[n].bytes)) {
		access->value = access->is_write ? access->value : 0;
		return MMIO_HANDLED;
	}
	if (kind == KIND_FIXED) {
		if (!access->is_write)
			access->value = mmio_read32(reg);
		return MMIO_HANDLED;
	}
	if (kind == KIND_SIGNAL) {
		access_signal(cell, access);
		return MMIO_HANDLED;
	}
	/* Within one 0x80 of the single-bit registers, each word is 32 interrupts. */
	first = layout[n].bits == 1 ? (unsigned int)(access->address & 0x7f) * 8 :
		(unsigned int)(access->address - layout[n].start) * 8 / layout[n].bits;
	if (kind == KIND_TARGETS && gic.ops == &gicv3_ops)
		access->value = 0;	/* affinity routing: reserved */
	else
		access_shared(reg, access, kind,
			      owned_mask(cell, first, layout[n].bits, access->size));
	return MMIO_HANDLED;
}

/* --- INTIDs 0 to 31 ---------------------------------------------------------------- */

/* Enabled SGIs of a CPU changed, or pending ones: it looks at them. */
static void sgis_changed(struct per_cpu *cpu)
{
	if (!(__atomic_load_n(&cpu->arch.sgi_pending, __ATOMIC_RELAXED) & cpu->arch.sgi_enabled))
		return;
	if (cpu == this_cpu())
		inject_pending();
	else
		gic.ops->send_sgi(cpu, SGI_INJECT);
}

static u32 sgi_bits_read(struct per_cpu *cpu, unsigned int reg)
{
	switch (reg) {
	case GICD_ISENABLER:
	case GICD_ICENABLER:
		return cpu->arch.sgi_enabled;
	case GICD_ISPENDR:
	case GICD_ICPENDR:
		return __atomic_load_n(&cpu->arch.sgi_pending, __ATOMIC_RELAXED);
	default:
		return cpu == this_cpu() ? inject_active_sgis() : 0;
	}
}

/* Pending state can be written in GICv3 only (IHI 0048 4.3.7). */
static void sgi_bits_write(struct per_cpu *cpu, unsigned int reg, u32 bits)
{
	bool v3 = gic.ops == &gicv3_ops;

	if (reg == GICD_ISENABLER) {
		__atomic_fetch_or(&cpu->arch.sgi_enabled, bits, __ATOMIC_RELAXED);
	} else if (reg == GICD_ICENABLER) {
		__atomic_fetch_and(&cpu->arch.sgi_enabled, ~bits, __ATOMIC_RELAXED);
	} else if (reg == GICD_ISPENDR && v3) {
		for (unsigned int n = 0; n < NUM_SGIS; n++)
			if (bits & 1U << n)
				sgi_post(cpu, n, 0);
	} else if (reg == GICD_ICPENDR && v3) {
		__atomic_fetch_and(&cpu->arch.sgi_pending, ~bits, __ATOMIC_RELAXED);
	} else if (reg == GICD_ICACTIVER && cpu == this_cpu()) {
		inject_deactivate_sgis(bits);
	}
	sgis_changed(cpu);
}

static void access_private_bits(struct per_cpu *cpu, char *base, struct mmio_access *access)
{
	unsigned int reg = (unsigned int)access->address & ~0x7fU;

	if (access->is_write) {
		if ((u32)access->value & gic.ppi_mask)
			mmio_write32(base + reg, (u32)access->value & gic.ppi_mask);
		sgi_bits_write(cpu, reg, (u32)access->value & 0xffff);
		return;
	}
	access->value = (mmio_read32(base + reg) & gic.ppi_mask) | sgi_bits_read(cpu, reg);
}

static void access_private_priority(struct per_cpu *cpu, char *base, struct mmio_access *access)
{
	unsigned int first = (unsigned int)access->address - GICD_IPRIORITYR;
	u64 value = 0;

	for (unsigned int n = 0; n < access->size; n++) {
		unsigned int irq = first + n;
		u8 byte = (u8)(access->value >> (8 * n));

		if (irq < NUM_SGIS && access->is_write)
			cpu->arch.sgi_priority[irq] = byte;
		else if (irq < NUM_SGIS)
			value |= (u64)cpu->arch.sgi_priority[irq] << (8 * n);
		else if (!(gic.ppi_mask & 1U << irq))
			continue;
		else if (access->is_write)
			mmio_write8(base + access->address + n, byte);
		else
			value |= (u64)mmio_read8(base + access->address + n) << (8 * n);
	}
	if (!access->is_write)
		access->value = value;
}

/* SGIs are edge-triggered, always; GICR_ICFGR0 is fixed. */
static void access_private_config(char *base, struct mmio_access *access)
{
	char *reg = base + access->address;

	if (!access->is_write)
		access->value = mmio_read32(reg);
	else if (access->address == GICD_ICFGR + 4)
		hw_update(reg, 4, ~(3U << (gic.maintenance_irq % 16 * 2)), (u32)access->value);
}

void gic_private_access(struct per_cpu *cpu, struct mmio_access *access)
{
	char *base = gic.ops->private_regs(cpu);
	int n = find_layout(access->address);
	u8 kind = n < 0 ? KIND_NONE : layout[n].kind;
	unsigned int offset;

	if (kind == KIND_NONE || !size_valid(access, layout[n].bytes)) {
		access->value = 0;
		return;
	}
	offset = layout[n].bits == 1 ? (unsigned int)access->address & 0x7f :
		(unsigned int)access->address - layout[n].start;
	if (offset * 8 / (layout[n].bits ? layout[n].bits : 8) >= 32)
		kind = KIND_NONE;
	if (kind == KIND_BITS)
		access_private_bits(cpu, base, access);
	else if (kind == KIND_PRIORITY)
		access_private_priority(cpu, base, access);
	else if (kind == KIND_CONFIG)
		access_private_config(base, access);
	else if (!access->is_write)
		access->value = kind == KIND_GROUP ? 0xffff | gic.ppi_mask :
			kind == KIND_TARGETS && gic.ops == &gicv2_ops ?
			hw_read(base + access->address, access->size) : 0;
}
