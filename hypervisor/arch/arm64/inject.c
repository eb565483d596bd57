// SPDX-License-Identifier: GPL-2.0-only
/*
 * List registers.  There are few; what finds none free waits: SGIs in
 * sgi_pending, physical interrupts - which stay active in the distributor, so
 * that none comes twice - in `waiting`.  A maintenance interrupt then tells
 * when to look again.  All on the calling CPU.
 */
#include <core/printk.h>
#include <arch/cpu.h>
#include <arch/io.h>
#include <arch/irqchip.h>
#include <lib/bitmap.h>

static u8 private_priority(struct per_cpu *cpu, u32 irq)
{
	return mmio_read8((char *)gic.ops->private_regs(cpu) + GICD_IPRIORITYR + irq);
}

static u8 physical_priority(u32 irq)
{
	return irq < 32 ? private_priority(this_cpu(), irq) :
		mmio_read8((char *)gic.dist + GICD_IPRIORITYR + irq);
}

static u64 make_lr(u32 vintid, u8 priority)
{
	return LR_PENDING | LR_GROUP1 | LR_PRIORITY(priority) | vintid;
}

static u64 make_physical_lr(u32 irq, u8 priority)
{
	return make_lr(irq, priority) | LR_HW | LR_PHYSICAL(irq);
}

/* --- Waiting ------------------------------------------------------------------ */

static void wait_physical(struct arch_percpu *arch, u32 irq)
{
	if (!bitmap_test((unsigned long *)arch->waiting, irq)) {
		bitmap_set((unsigned long *)arch->waiting, irq);
		arch->num_waiting++;
	}
}

static void wait_lr(struct arch_percpu *arch, u64 lr)
{
	u32 irq = LR_VIRTUAL(lr) & 0x3ff;

	if (lr & LR_HW) {
		wait_physical(arch, irq);
		return;
	}
	__atomic_fetch_or(&arch->sgi_sources[irq], (u8)(1 << (LR_VIRTUAL(lr) >> 10 & 7)),
			  __ATOMIC_RELAXED);
	__atomic_fetch_or(&arch->sgi_pending, 1U << irq, __ATOMIC_RELEASE);
}

/*
 * When to be told that there is room: as soon as nothing is pending, if there
 * is something pending now; else when most are free (or it would come at once,
 * for ever).
 */
static void watch(struct arch_percpu *arch, bool something_pending)
{
	arch->overflow = true;
	gic.ops->maintenance(HCR_UIE | (something_pending ? HCR_NPIE : 0));
}

/* --- Placing ------------------------------------------------------------------ */

/* The pending one that is least urgent; num_lrs: none is pending. */
static unsigned int least_urgent(u64 *found)
{
	unsigned int worst = gic.num_lrs;

	for (unsigned int n = 0; n < gic.num_lrs; n++) {
		u64 lr = gic.ops->lr_read(n);

		if ((lr & LR_STATE) == LR_PENDING &&
		    (worst == gic.num_lrs || LR_GET_PRIORITY(lr) > LR_GET_PRIORITY(*found))) {
			worst = n;
			*found = lr;
		}
	}
	return worst;
}

/* No list register is free: the least urgent one waits. */
static void place_or_wait(u64 lr)
{
	struct arch_percpu *arch = &this_cpu()->arch;
	u64 other = 0;
	unsigned int n = least_urgent(&other);

	if (n < gic.num_lrs && LR_GET_PRIORITY(other) > LR_GET_PRIORITY(lr)) {
		gic.ops->lr_write(n, lr);
		lr = other;
	}
	wait_lr(arch, lr);
	watch(arch, n < gic.num_lrs);
}

static bool place(u64 lr)
{
	u64 empty = gic.ops->lr_empty();

	if (!empty)
		return false;
	gic.ops->lr_write((unsigned int)__builtin_ctzll(empty), lr);
	return true;
}

void inject_physical(u32 irq, u8 priority)
{
	u64 lr = make_physical_lr(irq, priority);

	if (!place(lr))
		place_or_wait(lr);
}

/* An SGI that is in a list register already: pending again while active, or nothing new. */
static bool merge_sgi(u32 vintid)
{
	u64 used = ~gic.ops->lr_empty() & ((1ULL << gic.num_lrs) - 1);

	for (; used; used &= used - 1) {
		unsigned int n = (unsigned int)__builtin_ctzll(used);
		u64 lr = gic.ops->lr_read(n);

		if (LR_VIRTUAL(lr) == vintid && !(lr & LR_HW) && (lr & LR_STATE)) {
			if (!(lr & LR_PENDING))
				gic.ops->lr_write(n, lr | LR_PENDING);
			return true;
		}
	}
	return false;
}

static void inject_sgi(struct arch_percpu *arch, unsigned int sgi, unsigned int source)
{
	u32 vintid = sgi | source << 10;
	u64 lr = make_lr(vintid, arch->sgi_priority[sgi]);

	if (!merge_sgi(vintid) && !place(lr))
		place_or_wait(lr);
}

static void inject_sgis(struct arch_percpu *arch)
{
	u32 take = __atomic_load_n(&arch->sgi_pending, __ATOMIC_RELAXED) & arch->sgi_enabled;

	if (!take)
		return;
	__atomic_fetch_and(&arch->sgi_pending, ~take, __ATOMIC_ACQUIRE);
	for (; take; take &= take - 1) {
		unsigned int sgi = (unsigned int)__builtin_ctz(take);
		u8 sources = __atomic_exchange_n(&arch->sgi_sources[sgi], 0, __ATOMIC_RELAXED);

		for (; sources; sources &= (u8)(sources - 1))
			inject_sgi(arch, sgi, (unsigned int)__builtin_ctz(sources));
	}
}

/* Most urgent first, as long as there is room. */
static void inject_waiting(struct arch_percpu *arch)
{
	while (arch->num_waiting && gic.ops->lr_empty()) {
		unsigned long irq, best = MAX_IRQS;
		unsigned long *map = (unsigned long *)arch->waiting;

		for (irq = bitmap_next_set(map, MAX_IRQS, 0); irq < MAX_IRQS;
		     irq = bitmap_next_set(map, MAX_IRQS, irq + 1))
			if (best == MAX_IRQS ||
			    physical_priority((u32)irq) < physical_priority((u32)best))
				best = irq;
		bitmap_clear(map, best);
		arch->num_waiting--;
		place(make_physical_lr((u32)best, physical_priority((u32)best)));
	}
	if (arch->num_waiting)
		watch(arch, false);
}

void inject_pending(void)
{
	struct arch_percpu *arch = &this_cpu()->arch;

	if (arch->overflow) {
		arch->overflow = false;
		gic.ops->maintenance(0);
		inject_waiting(arch);
	}
	inject_sgis(arch);
}

void sgi_post(struct per_cpu *target, unsigned int sgi, unsigned int source)
{
	struct arch_percpu *arch = &target->arch;
	u32 before;

	__atomic_fetch_or(&arch->sgi_sources[sgi], (u8)(1 << source), __ATOMIC_RELAXED);
	/* Release: what the sender stored before is seen before the interrupt. */
	before = __atomic_fetch_or(&arch->sgi_pending, 1U << sgi, __ATOMIC_RELEASE);
	if (target == this_cpu())
		inject_pending();
	else if (!(before & 1U << sgi) || gic.ops == &gicv2_ops)
		gic.ops->send_sgi(target, SGI_INJECT);
}

/* --- State of list registers ------------------------------------------------------ */

u32 inject_active_sgis(void)
{
	u32 mask = 0;

	for (unsigned int n = 0; n < gic.num_lrs; n++) {
		u64 lr = gic.ops->lr_read(n);

		if ((lr & LR_ACTIVE) && (LR_VIRTUAL(lr) & 0x3ff) < NUM_SGIS)
			mask |= 1U << (LR_VIRTUAL(lr) & 0x3ff);
	}
	return mask;
}

void inject_deactivate_sgis(u32 mask)
{
	for (unsigned int n = 0; n < gic.num_lrs; n++) {
		u64 lr = gic.ops->lr_read(n);

		if ((lr & LR_ACTIVE) && (LR_VIRTUAL(lr) & 0x3ff) < NUM_SGIS &&
		    (mask & 1U << (LR_VIRTUAL(lr) & 0x3ff)))
			gic.ops->lr_write(n, lr & ~LR_ACTIVE);
	}
}

void inject_reset(struct per_cpu *cpu)
{
	struct arch_percpu *arch = &cpu->arch;

	for (unsigned int n = 0; n < gic.num_lrs; n++)
		gic.ops->lr_write(n, 0);
	for (unsigned int n = 0; n < ARRAY_SIZE(arch->waiting); n++)
		arch->waiting[n] = 0;
	for (unsigned int n = 0; n < NUM_SGIS; n++)
		arch->sgi_sources[n] = 0;
	arch->sgi_pending = 0;
	arch->num_waiting = 0;
	arch->overflow = false;
	gic.ops->maintenance(0);
}

static bool is_foreign(u32 irq)
{
	return irq >= 32 && !cell_owns_irq(this_cpu()->cell, irq);
}

static void forget_waiting(struct arch_percpu *arch)
{
	for (u32 irq = 32; arch->num_waiting && irq < MAX_IRQS; irq++)
		if (is_foreign(irq) && bitmap_test((unsigned long *)arch->waiting, irq)) {
			bitmap_clear((unsigned long *)arch->waiting, irq);
			arch->num_waiting--;
		}
}

/*
 * Of what is pending here the new owner's distributor knows nothing any more.  An active
 * one the guest ends in the list register only: with HW set it would deactivate what its
 * new owner is about to handle.
 */
void inject_forget_foreign(void)
{
	for (unsigned int n = 0; n < gic.num_lrs; n++) {
		u64 lr = gic.ops->lr_read(n);

		if ((lr & LR_HW) && is_foreign(LR_VIRTUAL(lr) & 0x3ff))
			gic.ops->lr_write(n, lr & LR_ACTIVE ?
					  lr & ~(LR_HW | LR_PENDING | LR_PHYSICAL(0x3ff)) : 0);
	}
	forget_waiting(&this_cpu()->arch);
}

static bool is_edge(const char *regs, u32 irq)
{
	return mmio_read32(regs + GICD_ICFGR + irq / 16 * 4) >> (irq % 16 * 2) & 2;
}

/* Active because we acknowledged it: pending again, so that Linux sees it. */
static void physical_return(struct per_cpu *cpu, u32 irq)
{
	char *regs = irq < 32 ? gic.ops->private_regs(cpu) : gic.dist;

	mmio_write32(regs + GICD_ICACTIVER + irq / 32 * 4, 1U << (irq % 32));
	/* A level-triggered one is pending as long as its line is. */
	if (is_edge(regs, irq))
		mmio_write32(regs + GICD_ISPENDR + irq / 32 * 4, 1U << (irq % 32));
}

void inject_return_all(struct per_cpu *cpu)
{
	struct arch_percpu *arch = &cpu->arch;

	for (unsigned int n = 0; n < gic.num_lrs; n++) {
		u64 lr = gic.ops->lr_read(n);

		if (lr & LR_PENDING)
			wait_lr(arch, lr);
		gic.ops->lr_write(n, 0);
	}
	for (u32 irq = 0; irq < MAX_IRQS; irq++)
		if (bitmap_test((unsigned long *)arch->waiting, irq))
			physical_return(cpu, irq);
}

/* --- Physical interrupts ------------------------------------------------------------ */

bool irq_while_parked(void)
{
	u32 iar = gic.ops->acknowledge(), irq = iar & gic.iar_mask;

	if (irq >= 1020)
		return false;
	gic.ops->drop(iar);
	/* All others stay active, and thereby quiet, until their owner resets them. */
	if (irq < NUM_SGIS || irq == gic.maintenance_irq)
		gic.ops->deactivate(iar);
	return irq == SGI_EVENT;
}
