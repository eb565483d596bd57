// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts that guests send: writes to the ICR (APM 2, 16.5).  Only CPUs of
 * the sender's cell are reached; INIT and SIPI are emulated (abi.md 7.1, 7.3).
 */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <core/seed.h>
#include <arch/apic.h>
#include <arch/apic_hw.h>
#include <arch/apic_regs.h>
#include <arch/ipi.h>
#include <arch/vcpu.h>

#define BROADCAST_XAPIC		0xffU
#define BROADCAST_X2APIC	0xffffffffU

static void ipi_lock(struct per_cpu *cpu)
{
	while (__atomic_exchange_n(&cpu->arch.ipi_lock, 1, __ATOMIC_ACQUIRE))
		asm volatile("pause");
}

static void ipi_unlock(struct per_cpu *cpu)
{
	__atomic_store_n(&cpu->arch.ipi_lock, 0, __ATOMIC_RELEASE);
}

/*
 * The sender need not wait: a SIPI that comes before the target has seen the
 * INIT is kept for it.
 */
static void signal_init(struct per_cpu *target)
{
	ipi_lock(target);
	target->arch.init_signaled = true;
	target->arch.sipi_vector = SIPI_NONE;
	ipi_unlock(target);
	apic_send_nmi(target);
}

static void signal_sipi(struct per_cpu *target, unsigned int vector)
{
	bool accepted = false;

	ipi_lock(target);
	if (target->arch.init_signaled || target->arch.wait == APIC_WAIT_SIPI) {
		target->arch.sipi_vector = vector;
		accepted = true;
	}
	ipi_unlock(target);
	if (accepted)
		apic_send_nmi(target);
}

enum ipi_event ipi_next_event(struct per_cpu *cpu, unsigned int *vector)
{
	struct arch_percpu *arch = &cpu->arch;
	enum ipi_event event = IPI_EVENT_NONE;

	ipi_lock(cpu);
	if (arch->init_signaled) {
		arch->init_signaled = false;
		arch->wait = APIC_WAIT_SIPI;
		event = IPI_EVENT_INIT;
	} else if (arch->wait == APIC_WAIT_SIPI && arch->sipi_vector != SIPI_NONE) {
		*vector = arch->sipi_vector;
		arch->sipi_vector = SIPI_NONE;
		arch->wait = APIC_RUNNING;
		event = IPI_EVENT_SIPI;
	}
	ipi_unlock(cpu);
	return event;
}

void ipi_forget_events(struct per_cpu *cpu)
{
	ipi_lock(cpu);
	cpu->arch.init_signaled = false;
	cpu->arch.sipi_vector = SIPI_NONE;
	cpu->arch.wait = APIC_RUNNING;
	ipi_unlock(cpu);
}

static void send_fixed(struct per_cpu *target, u32 lo)
{
	apic_hw_send(lo & ~(ICR_SHORTHAND_MASK | ICR_LOGICAL), target->arch.apic_id);
}

static void send_to_cpu(struct per_cpu *target, u32 lo)
{
	switch (ICR_DELIVERY(lo)) {
	case DELIVERY_NMI:
		/* NMIs are the hypervisor's own means of management. */
		if (guest_line_allowed())
			printk("Ignoring NMI IPI to CPU %u\n", target->cpu_id);
		break;
	case DELIVERY_INIT:
		/* De-assert (level-triggered, level 0) means nothing since the P4. */
		if (!target->failed && (lo & (ICR_LEVEL | ICR_ASSERT)) != ICR_LEVEL)
			signal_init(target);
		break;
	case DELIVERY_SIPI:
		if (!target->failed)
			signal_sipi(target, lo & ICR_VECTOR_MASK);
		break;
	default:
		send_fixed(target, lo);
	}
}

static void send_to_all(const struct cell *cell, u32 lo, const struct per_cpu *except)
{
	int cpu;

	for_each_cpu(cpu, cell)
		if (per_cpu(cpu) != except)
			send_to_cpu(per_cpu(cpu), lo);
}

static void warn_outside(u32 hi)
{
	if (!guest_line_allowed())
		return;
	printk("WARNING: CPU %u specified IPI destination outside cell boundaries, ICR.hi=%x\n",
	       this_cpu()->cpu_id, hi);
}

static void send_physical(const struct cell *cell, u32 lo, u32 dest, u32 hi)
{
	unsigned int cpu;

	if (dest == (using_x2apic ? BROADCAST_X2APIC : BROADCAST_XAPIC) ||
	    dest == BROADCAST_X2APIC) {
		send_to_all(cell, lo, NULL);
		return;
	}
	cpu = apic_to_cpu(dest);
	if (cpu == APIC_INVALID_CPU || !cell_owns_cpu(cell, cpu))
		warn_outside(hi);
	else
		send_to_cpu(per_cpu(cpu), lo);
}

/* A lowest-priority interrupt goes to one CPU, all others to each. */
static void send_flat(const struct cell *cell, u32 lo, u32 dest, u32 hi)
{
	u32 mask = dest & cell->arch.xapic_logical_mask;
	unsigned int cpu;

	if (mask != (dest & 0xff))
		warn_outside(hi);
	if (!mask)
		return;
	if (ICR_DELIVERY(lo) <= DELIVERY_LOWEST) {
		apic_hw_send(lo & ~ICR_SHORTHAND_MASK, mask);
		return;
	}
	for (cpu = 0; cpu < XAPIC_MAX_LOGICAL; cpu++)
		if (mask & (1U << cpu))
			send_to_cpu(per_cpu(cpu), lo);
}

/* x2APIC: cluster in the upper half, CPUs of the cluster in the lower (APM 2, 16.14). */
static void send_cluster(const struct cell *cell, u32 lo, u32 dest, u32 hi)
{
	bool lowest = ICR_DELIVERY(lo) == DELIVERY_LOWEST;
	bool outside = false;
	unsigned int bit, cpu;

	for (bit = 0; bit < 16; bit++) {
		if (!(dest & (1U << bit)))
			continue;
		cpu = apic_to_cpu((dest >> 16) << 4 | bit);
		if (cpu == APIC_INVALID_CPU || !cell_owns_cpu(cell, cpu)) {
			outside = true;
			continue;
		}
		/* Physical from here on: one target, so fixed is right. */
		send_to_cpu(per_cpu(cpu), lowest ? lo & ~(7U << 8) : lo);
		if (lowest)
			break;
	}
	if (outside)
		warn_outside(hi);
}

/* abi.md 7.3: fixed with any shorthand, others without or to all but self. */
static bool delivery_valid(u32 lo)
{
	unsigned int shorthand = ICR_SHORTHAND(lo);

	switch (ICR_DELIVERY(lo)) {
	case DELIVERY_FIXED:
		return true;
	case DELIVERY_LOWEST:
	case DELIVERY_NMI:
	case DELIVERY_INIT:
	case DELIVERY_SIPI:
		return shorthand == SHORTHAND_NONE || shorthand == SHORTHAND_OTHERS;
	default:
		return false;
	}
}

static bool send_checked(u32 lo, u32 hi, bool x2apic_format)
{
	struct per_cpu *self = this_cpu();
	struct cell *cell = self->cell;
	u32 dest = x2apic_format ? hi : hi >> XAPIC_DEST_SHIFT;

	if (!delivery_valid(lo)) {
		panic_printk("FATAL: Unsupported/invalid APIC delivery mode, ICR.lo=%x, cell \"%s\", CPU %u\n",
			     lo, cell_name(cell), self->cpu_id);
		return false;
	}

	switch (ICR_SHORTHAND(lo)) {
	case SHORTHAND_SELF:
		/* Logical or physical: no matter */
		apic_hw_send_self(lo);
		break;
	case SHORTHAND_ALL:
		send_to_all(cell, lo, NULL);
		break;
	case SHORTHAND_OTHERS:
		send_to_all(cell, lo, self);
		break;
	default:
		if (!(lo & ICR_LOGICAL))
			send_physical(cell, lo, dest, hi);
		else if (x2apic_format)
			send_cluster(cell, lo, dest, hi);
		else
			send_flat(cell, lo, dest, hi);
	}
	return true;
}

#define ICR_HOW		(ICR_SHORTHAND_MASK | ICR_LOGICAL | ICR_DELIVERY_MASK)

/* The two frequent cases need none of the above: fixed, to itself or to one CPU. */
bool ipi_send(u32 lo, u32 hi, bool x2apic_format)
{
	unsigned int cpu;
	u32 dest;

	seeded_cost_ipi();
	if ((lo & ICR_HOW) == ICR_SELF) {
		apic_hw_send_self(lo);
		return true;
	}
	if (!(lo & ICR_HOW)) {
		dest = x2apic_format ? hi : hi >> XAPIC_DEST_SHIFT;
		cpu = apic_to_cpu(dest);
		if (cpu != APIC_INVALID_CPU && cell_owns_cpu(this_cpu()->cell, cpu)) {
			apic_hw_send(lo, dest);
			return true;
		}
	}
	return send_checked(lo, hi, x2apic_format);
}
