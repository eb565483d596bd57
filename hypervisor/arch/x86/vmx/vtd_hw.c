// SPDX-License-Identifier: GPL-2.0-only
/* Registers of a remapping unit: see vtd_hw.h. */
#include <core/cell.h>
#include <core/paging.h>
#include <core/printk.h>
#include <arch/cpu.h>
#include <arch/io.h>
#include "vtd_hw.h"
#include "vtd_irq.h"

/* Global command and status (10.4.4, 10.4.5): the same bits */
#define TRANSLATION	(1U << 31)
#define ROOT_TABLE	(1U << 30)
#define WRITE_BUFFER	(1U << 27)
#define QUEUE		(1U << 26)
#define INTERRUPTS	(1U << 25)
#define IRQ_TABLE	(1U << 24)
#define COMPATIBILITY	(1U << 23)	/* messages of the old format pass */
#define ONE_SHOT	(ROOT_TABLE | 1U << 29 | WRITE_BUFFER | IRQ_TABLE)

#define FSTS_OVERFLOW	(1U << 0)
#define FSTS_ERRORS	(FSTS_OVERFLOW | 7U << 4)	/* of the queue, too; written to clear */
#define FECTL_MASKED	(1U << 31)
#define FAULT_NMI	0x400
#define MSI_BASE	0xfee00000

#define CAP_FAULTS(cap)		(0x10 * ((cap) >> 24 & 0x3ff))
#define CAP_NUM_FAULTS(cap)	(((cap) >> 40 & 0xff) + 1)
#define FAULT_SIZE		16
#define FAULT_RECORDED		(1ULL << 63)

/* Invalidation descriptors (6.5.2): everything that there is */
#define INV_CONTEXTS	(0x1 | 1 << 4)
#define INV_IOTLB	(0x2 | 1 << 4 | 1 << 6 | 1 << 7)	/* writes and reads are drained */
#define INV_INTERRUPTS	0x4
#define INV_INTERRUPT(n)	(0x4 | 1 << 4 | (u64)(n) << 32)
#define INV_WAIT	(0x5 | 1 << 5)				/* by writing a word */
#define DONE		1ULL

#define QUEUE_ENTRIES	(PAGE_SIZE / sizeof(struct vtd_descriptor))
/* Reads of a register, a microsecond or so each. */
#define PATIENCE	1000000U

static u32 read32(const struct vtd_unit *unit, unsigned int reg)
{
	return mmio_read32(unit->regs + reg);
}

static void write32(struct vtd_unit *unit, unsigned int reg, u32 value)
{
	mmio_write32(unit->regs + reg, value);
}

/* --- Commands ------------------------------------------------------------------- */

/* A command changes one bit; the status says when it has happened (10.4.4). */
static int command(struct vtd_unit *unit, u32 bit, bool on, bool done_when)
{
	u32 now = read32(unit, VTD_REG_GSTS) & ~ONE_SHOT;
	unsigned int n;

	write32(unit, VTD_REG_GCMD, on ? now | bit : now & ~bit);
	for (n = 0; n < PATIENCE; n++) {
		if (!(read32(unit, VTD_REG_GSTS) & bit) == !done_when)
			return 0;
		cpu_relax();
	}
	printk("ERROR: DMAR unit %u does not carry out command 0x%x\n", unit->index, bit);
	return trace_error(-EIO);
}

/* Chipsets that keep writes to tables back (6.8). */
static int flush_write_buffer(struct vtd_unit *unit)
{
	return unit->cap & VTD_CAP_RWBF ? command(unit, WRITE_BUFFER, true, false) : 0;
}

/* --- Invalidation queue ------------------------------------------------------------ */

static void submit(struct vtd_unit *unit, u64 low, u64 high)
{
	unit->queue[unit->tail] = (struct vtd_descriptor){ low, high };
	unit->tail = (unit->tail + 1) % QUEUE_ENTRIES;
}

static int queue_start(struct vtd_unit *unit)
{
	int err = unit->root.queue ? command(unit, QUEUE, false, false) : 0;

	if (err)
		return err;
	unit->root_queue_off = unit->root.queue;
	unit->tail = 0;
	mmio_write64(unit->regs + VTD_REG_IQT, 0);
	mmio_write64(unit->regs + VTD_REG_IQA, virt_to_hpa(unit->queue).raw);
	err = command(unit, QUEUE, true, true);
	unit->queue_on = !err;
	return err;
}

/* Waits for what has been submitted. */
static int carry_out(struct vtd_unit *unit)
{
	u64 done = virt_to_hpa((const void *)&unit->done).raw;
	unsigned int n;

	unit->done = 0;
	submit(unit, INV_WAIT | DONE << 32, done);
	/* Descriptors are in memory before the unit is told (a store is not passed by a later one). */
	asm volatile("" : : : "memory");
	mmio_write64(unit->regs + VTD_REG_IQT, unit->tail * sizeof(struct vtd_descriptor));
	for (n = 0; n < PATIENCE; n++) {
		if (unit->done == DONE)
			return 0;
		/* The same bus as the unit's own write: the delay of one round trip. */
		read32(unit, VTD_REG_GSTS);
	}
	printk("ERROR: DMAR unit %u does not invalidate, fault status 0x%x\n", unit->index,
	       read32(unit, VTD_REG_FSTS));
	return trace_error(-EIO);
}

int vtd_hw_invalidate(struct vtd_unit *unit)
{
	int err;

	device_lock(&unit->lock);
	err = flush_write_buffer(unit);
	submit(unit, INV_CONTEXTS, 0);
	submit(unit, INV_IOTLB, 0);
	if (unit->remapping)
		submit(unit, INV_INTERRUPTS, 0);
	err = err ? err : carry_out(unit);
	device_unlock(&unit->lock);
	return err;
}

int vtd_hw_invalidate_interrupt(struct vtd_unit *unit, unsigned int index)
{
	int err;

	device_lock(&unit->lock);
	err = flush_write_buffer(unit);
	submit(unit, INV_INTERRUPT(index), 0);
	err = err ? err : carry_out(unit);
	device_unlock(&unit->lock);
	return err;
}

/* --- Set-up --------------------------------------------------------------------------- */

static int check_capabilities(const struct vtd_unit *unit)
{
	if (!(unit->ecap & VTD_ECAP_QI)) {
		printk("ERROR: DMAR unit %u has no queued invalidation\n", unit->index);
		return trace_error(-EIO);
	}
	if (!(unit->cap & (VTD_CAP_39BIT | VTD_CAP_48BIT))) {
		printk("ERROR: DMAR unit %u has tables of neither three nor four levels\n",
		       unit->index);
		return trace_error(-EIO);
	}
	return 0;
}

/* Linux may remap interrupts where we do. */
static int check_use(struct vtd_unit *unit, u64 base)
{
	u32 status = read32(unit, VTD_REG_GSTS);

	if ((status & TRANSLATION) || (status & (QUEUE | INTERRUPTS)) == QUEUE)
		printk("ERROR: Linux uses DMAR unit %u: start it with intel_iommu=off\n",
		       unit->index);
	else if (!(status & INTERRUPTS))
		return 0;
	else if (!(status & QUEUE) || !system_config->platform_info.x86.vtd_interrupt_limit)
		printk("ERROR: Linux remaps interrupts of DMAR unit %u, and vtd_interrupt_limit is 0: "
		       "start it with intremap=off\n", unit->index);
	else
		return vtd_root_take(unit, base);
	return trace_error(-EBUSY);
}

static void remember_fault_event(struct vtd_unit *unit)
{
	unit->fault_control = read32(unit, VTD_REG_FECTL);
	unit->fault_data = read32(unit, VTD_REG_FEDATA);
	unit->fault_address = read32(unit, VTD_REG_FEADDR) | (u64)read32(unit, VTD_REG_FEUADDR) << 32;
}

int vtd_hw_init(struct vtd_unit *unit, unsigned int index, const struct jailhouse_iommu *info)
{
	int err;

	printk("DMAR unit @0x%llx/0x%x\n", info->base, info->size);
	*unit = (struct vtd_unit){ .index = index, .size = info->size };
	unit->queue = page_alloc(&mem_pool, 1);
	unit->regs = hv_map(hpa(info->base), info->size, PG_READ | PG_WRITE | PG_DEVICE);
	if (!unit->regs || !unit->queue)
		return trace_error(-ENOMEM);
	unit->cap = mmio_read64(unit->regs + VTD_REG_CAP);
	unit->ecap = mmio_read64(unit->regs + VTD_REG_ECAP);
	err = check_capabilities(unit);
	if (!err)
		err = check_use(unit, info->base);
	if (!err)
		remember_fault_event(unit);
	return err ? err : queue_start(unit);
}

int vtd_hw_translate(struct vtd_unit *unit, hpa_t root_table)
{
	int err;

	if (unit->translating)
		return 0;
	mmio_write64(unit->regs + VTD_REG_RTADDR, root_table.raw);
	err = command(unit, ROOT_TABLE, true, true);
	/* Contexts of the table before may be remembered (10.4.5). */
	if (!err)
		err = vtd_hw_invalidate(unit);
	if (!err)
		err = command(unit, TRANSLATION, true, true);
	unit->translating = !err;
	return err;
}

/* The table's size is 2^(S + 1) in the register (10.4.29). */
int vtd_hw_remap(struct vtd_unit *unit, const struct vtd_irq_table *table)
{
	int err;

	mmio_write64(unit->regs + VTD_REG_IRTA, table->entries.raw | (table->order - 1) |
		     (table->x2apic ? VTD_IRTA_X2APIC : 0));
	err = command(unit, IRQ_TABLE, true, true);
	unit->remapping = !err;
	if (!err)
		err = vtd_hw_invalidate(unit);
	if (!err && (read32(unit, VTD_REG_GSTS) & COMPATIBILITY))
		err = command(unit, COMPATIBILITY, false, false);
	return err ? err : command(unit, INTERRUPTS, true, true);
}

int vtd_hw_stop_remapping(struct vtd_unit *unit)
{
	int err;

	if (!unit->root.queue) {
		unit->remapping = false;
		return command(unit, INTERRUPTS, false, false);
	}
	mmio_write64(unit->regs + VTD_REG_IRTA, unit->root.irta);
	err = command(unit, IRQ_TABLE, true, true);
	if (!err)
		err = vtd_hw_invalidate(unit);
	unit->remapping = false;
	return err;
}

/*
 * A queue begins at its first place, and Linux goes on where it was: until there the unit
 * gets waits to carry out.  Linux's page is as it was afterwards.
 */
static void root_queue_start(struct vtd_unit *unit)
{
	u64 done = virt_to_hpa((const void *)&unit->done).raw;
	struct vtd_descriptor *queue = unit->root.queue, *kept = unit->queue;
	unsigned int n;

	__builtin_memcpy(kept, queue, PAGE_SIZE);
	for (n = 0; n < unit->root.tail / sizeof(*queue); n++)
		queue[n] = (struct vtd_descriptor){ INV_WAIT | DONE << 32, done };
	mmio_write64(unit->regs + VTD_REG_IQT, 0);
	mmio_write64(unit->regs + VTD_REG_IQA, unit->root.iqa);
	command(unit, QUEUE, true, true);
	mmio_write64(unit->regs + VTD_REG_IQT, unit->root.tail);
	for (n = 0; n < PATIENCE; n++)
		if (mmio_read64(unit->regs + VTD_REG_IQH) == unit->root.tail)
			break;
	__builtin_memcpy(queue, kept, PAGE_SIZE);
}

static void restore_fault_event(struct vtd_unit *unit)
{
	write32(unit, VTD_REG_FECTL, FECTL_MASKED);
	write32(unit, VTD_REG_FEDATA, unit->fault_data);
	write32(unit, VTD_REG_FEADDR, (u32)unit->fault_address);
	write32(unit, VTD_REG_FEUADDR, (u32)(unit->fault_address >> 32));
	write32(unit, VTD_REG_FECTL, unit->fault_control);
}

void vtd_hw_exit(struct vtd_unit *unit)
{
	if (unit->translating)
		command(unit, TRANSLATION, false, false);
	if (unit->queue_on) {
		restore_fault_event(unit);
		/* It has to end with a wait (6.5.2): an unused one does not, says QEMU's model. */
		vtd_hw_invalidate(unit);
		command(unit, QUEUE, false, false);
	}
	if (unit->root_queue_off)
		root_queue_start(unit);
	vtd_root_forget(unit);
	if (unit->regs)
		hv_unmap(unit->regs, unit->size);
	page_free(&mem_pool, unit->queue, 1);
	*unit = (struct vtd_unit){ 0 };
}

/* --- Faults ----------------------------------------------------------------------------- */

void vtd_hw_fault_target(struct vtd_unit *unit, u32 apic_id)
{
	write32(unit, VTD_REG_FECTL, FECTL_MASKED);
	write32(unit, VTD_REG_FEDATA, FAULT_NMI);
	write32(unit, VTD_REG_FEADDR, MSI_BASE | (apic_id & 0xff) << 12);
	write32(unit, VTD_REG_FEUADDR, apic_id & ~0xffU);
	write32(unit, VTD_REG_FECTL, 0);
}

void vtd_hw_fault_mask(struct vtd_unit *unit)
{
	write32(unit, VTD_REG_FECTL, FECTL_MASKED);
}

/* Fault recording registers (10.4.14): two words, of which the upper one tells whether they count. */
bool vtd_hw_next_fault(struct vtd_unit *unit, struct vtd_fault *fault)
{
	u8 *first = unit->regs + CAP_FAULTS(unit->cap), *record;
	unsigned int n, count = CAP_NUM_FAULTS(unit->cap);
	u64 high;

	for (n = 0; n < count; n++) {
		record = first + n * FAULT_SIZE;
		high = mmio_read64(record + 8);
		if (!(high & FAULT_RECORDED))
			continue;
		fault->info = mmio_read64(record) & PAGE_MASK;
		fault->source = (u16)high;
		fault->reason = (u8)(high >> 32);
		fault->type = high >> 62 & 1;
		mmio_write64(record + 8, FAULT_RECORDED);
		return true;
	}
	/* Without this no further event is sent once one was lost (7.3.1). */
	write32(unit, VTD_REG_FSTS, FSTS_ERRORS);
	return false;
}
