// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every register of the GIC that a cell sees, in every size: what belongs to
 * others, and what the architecture does not have (IHI 0069 12.1.3), reads 0 and
 * ignores writes.  The cell owns the SPIs own= and second=.
 * short: only that these arrive.
 *
 * Output: FAILED <what> <address> <size> <value> (the first ones), then
 * READS <n>, WRITES <n>, DONE gic-matrix ok|failed.
 */
#include "report.h"

#define SHOWN		20
#define WAIT_MS		1000

#define GICD_SGIR	0x0f00
#define GICD_ISENABLER	0x0100
#define GICD_ICENABLER	0x0180
#define GICD_ISPENDR	0x0200
#define GICD_IPRIORITYR	0x0400
#define GICD_ITARGETSR	0x0800
#define GICD_ICFGR	0x0c00
#define GICD_ICFGR_END	0x0d00
#define GICD_SOURCES	0x0f10
#define GICD_SOURCES_END 0x0f30
#define GICD_IROUTER	0x6000
#define GICD_IROUTER_END (0x6000 + 8 * 1020)
#define GICR_CTLR	0x00
#define GICR_TYPER	0x08
#define GICR_WAKER	0x14
#define SGI_FRAME	0x10000
#define FRAMES		0x20000
#define ID_BYTES	0x30
#define MAINTENANCE	25

static unsigned int own[2], failures, reads, writes;
static char *dist;
static bool v3;

static void fail(const char *what, u64 address, unsigned int size, u64 value)
{
	if (failures++ < SHOWN)
		printf("FAILED %s 0x%llx %u 0x%llx\n", what, address, size, value);
}

static u64 any_read(const char *address, unsigned int size)
{
	reads++;
	return size == 1 ? mmio_read8(address) : size == 2 ? mmio_read16(address) :
		size == 4 ? mmio_read32(address) : mmio_read64(address);
}

static void any_write(char *address, unsigned int size, u64 value)
{
	writes++;
	if (size == 1)
		mmio_write8(address, (u8)value);
	else if (size == 2)
		mmio_write16(address, (u16)value);
	else if (size == 4)
		mmio_write32(address, (u32)value);
	else
		mmio_write64(address, value);
}

/* --- What may be read as something else than 0 ------------------------------------ */

static bool is_own(unsigned int irq)
{
	return irq == own[0] || irq == own[1];
}

/* Bits of own interrupts in an access of `bits` bits each, from interrupt `first` on. */
static u64 own_mask(unsigned int first, unsigned int bits, unsigned int size)
{
	u64 mask = 0;
	unsigned int n;

	for (n = 0; n < size * 8 / bits; n++)
		if (is_own(first + n))
			mask |= ((1ULL << bits) - 1) << (n * bits);
	return mask;
}

static u64 if_size(bool valid, u64 mask)
{
	return valid ? mask : 0;
}

/* Offsets that both the distributor and the SGI frame have; first: of its interrupts. */
static bool is_bits(u64 offset)
{
	return offset >= 0x80 && offset < GICD_IPRIORITYR;
}

static u64 private_mask(u64 offset, unsigned int size)
{
	u64 index = offset & 0x3ff;

	if (is_bits(offset))
		return if_size(size == 4 && (offset & 0x7f) == 0, ~(1U << MAINTENANCE));
	if (offset >= GICD_IPRIORITYR && offset < GICD_ITARGETSR && index < 32)
		return if_size(size == 1 || size == 4,
			       size == 1 ? index != MAINTENANCE ? 0xff : 0 :
			       index == (MAINTENANCE & ~3U) ?
			       ~(0xffU << (MAINTENANCE % 4 * 8)) : 0xffffffff);
	if (!v3 && offset >= GICD_ITARGETSR && offset < GICD_ICFGR && index < 32)
		return if_size(size == 1 || size == 4, 0xffffffff);
	if (offset >= GICD_ICFGR && offset < GICD_ICFGR + 8)
		return if_size(size == 4, 0xffffffff);
	return 0;
}

static bool is_private(u64 offset)
{
	if (v3)
		return false;
	if (is_bits(offset))
		return (offset & 0x7f) < 4;
	if (offset >= GICD_IPRIORITYR && offset < GICD_ICFGR)
		return (offset & 0x3ff) < 32;
	return offset >= GICD_ICFGR && offset < GICD_ICFGR + 8;
}

static u64 dist_mask(u64 offset, unsigned int size)
{
	u64 ids = v3 ? 0xffd0 : 0x0fd0;

	if (is_private(offset))
		return private_mask(offset, size);
	if (offset < 0x0c || (offset >= ids && offset < ids + ID_BYTES))
		return if_size(size == 4, 0xffffffff);
	if (is_bits(offset))
		return if_size(size == 4, own_mask((unsigned int)(offset & 0x7f) * 8, 1, 4));
	if (offset >= GICD_IPRIORITYR && offset < GICD_ITARGETSR)
		return if_size(size == 1 || size == 4,
			       own_mask((unsigned int)offset - GICD_IPRIORITYR, 8, size));
	if (!v3 && offset >= GICD_ITARGETSR && offset < GICD_ICFGR)
		return if_size(size == 1 || size == 4,
			       own_mask((unsigned int)offset - GICD_ITARGETSR, 8, size));
	if (!v3 && offset >= GICD_SOURCES && offset < GICD_SOURCES_END)
		return if_size(size == 1 || size == 4, 0xffffffff);
	if (offset >= GICD_ICFGR && offset < GICD_ICFGR_END)
		return if_size(size == 4, own_mask((unsigned int)(offset - GICD_ICFGR) * 4, 2, 4));
	if (v3 && offset >= GICD_IROUTER && offset < GICD_IROUTER_END)
		return if_size(size >= 4 && is_own((unsigned int)(offset - GICD_IROUTER) / 8), ~0ULL);
	return 0;
}

/* Control frame of a redistributor: discovery is for everybody. */
static u64 control_mask(u64 offset, unsigned int size, bool mine)
{
	if (offset == GICR_TYPER || offset == GICR_TYPER + 4)
		return if_size(size >= 4, ~0ULL);
	if (offset == 4 || offset >= 0xffd0 || (mine && (offset == GICR_CTLR || offset == GICR_WAKER)))
		return if_size(size >= 4, ~0ULL);
	return 0;
}

static u64 redist_mask(u64 offset, unsigned int size, bool mine)
{
	if (offset < SGI_FRAME)
		return control_mask(offset, size, mine);
	return mine ? private_mask(offset - SGI_FRAME, size) : 0;
}

/* --- The matrix ---------------------------------------------------------------------- */

static const unsigned int sizes[] = { 1, 2, 4, 8 };

static void read_dist(u64 end)
{
	unsigned int n;
	u64 offset, value;

	for (n = 0; n < ARRAY_SIZE(sizes); n++)
		for (offset = 0; offset < end; offset += sizes[n]) {
			value = any_read(dist + offset, sizes[n]);
			if (value & ~dist_mask(offset, sizes[n]))
				fail("distributor", offset, sizes[n], value);
		}
}

static bool routes_own(u64 offset, unsigned int size)
{
	u64 end = offset + size;
	unsigned int n;

	for (n = 0; n < 2; n++) {
		u64 start = v3 ? GICD_IROUTER + 8 * own[n] : GICD_ITARGETSR + own[n];

		if (offset < start + (v3 ? 8 : 1) && end > start)
			return true;
	}
	return false;
}

/* All but what would end this program: routing an own interrupt to everybody. */
static void write_dist(u64 end)
{
	unsigned int n;
	u64 offset;

	for (n = 0; n < ARRAY_SIZE(sizes); n++)
		for (offset = 0; offset < end; offset += sizes[n])
			if (!routes_own(offset, sizes[n]))
				any_write(dist + offset, sizes[n], ~0ULL);
}

static void do_redist(char *redist, bool mine)
{
	unsigned int n;
	u64 offset, value;

	/* All of the registers, then one in a page */
	for (n = 0; n < ARRAY_SIZE(sizes); n++)
		for (offset = 0; offset < FRAMES; offset += offset % SGI_FRAME < 0x1000 ||
		     offset % SGI_FRAME >= 0xff00 ? sizes[n] : 0x100) {
			any_write(redist + offset, sizes[n], ~0ULL);
			value = any_read(redist + offset, sizes[n]);
			if (value & ~redist_mask(offset, sizes[n], mine))
				fail(mine ? "redistributor" : "foreign redistributor", offset,
				     sizes[n], value);
		}
}

static void do_redists(void)
{
	char *redist = (char *)comm_region()->arm.gicr_base;
	u64 typer;

	do {
		typer = mmio_read64(redist + GICR_TYPER);
		do_redist(redist, redist + SGI_FRAME == (char *)gic_private_base());
		redist += FRAMES;
	} while (!(typer & 1 << 4));
}

/* --- And it still works ---------------------------------------------------------------- */

static volatile unsigned int got;

static void handle(unsigned int irq __maybe_unused)
{
	got++;
}

static void check_own_interrupt(unsigned int irq)
{
	unsigned int ms;

	got = 0;
	irq_set_handler(irq, handle);
	mmio_write32(dist + GICD_ICFGR + irq / 16 * 4, 2U << (irq % 16 * 2));
	gic_set_priority(irq, 0x40);
	gic_enable_irq(irq);
	irq_enable();
	mmio_write32(dist + GICD_ISPENDR + irq / 32 * 4, 1U << (irq % 32));
	for (ms = 0; ms < WAIT_MS && !got; ms++)
		delay_us(1000);
	irq_disable();
	if (got != 1)
		fail("own interrupt", irq, 0, got);
	if (mmio_read8(dist + GICD_IPRIORITYR + irq) != 0x40)
		fail("own priority", irq, 1, mmio_read8(dist + GICD_IPRIORITYR + irq));
	gic_disable_irq(irq);
}

void inmate_main(void)
{
	u64 end;
	unsigned int n;

	gic_init();
	v3 = gic_version() == 3;
	dist = (char *)comm_region()->arm.gicd_base;
	own[0] = (unsigned int)cmdline_int("own", 70);
	own[1] = (unsigned int)cmdline_int("second", 77);
	end = v3 ? 0x10000 : 0x1000;
	for (n = 0; n < 2; n++)
		check_own_interrupt(own[n]);
	if (!cmdline_flag("short", false)) {
		read_dist(end);
		write_dist(end);
		read_dist(end);
		if (v3)
			do_redists();
	}
	/* What the writes have set is this cell's own. */
	for (n = 0; n < 2; n++)
		mmio_write32(dist + GICD_ICENABLER + own[n] / 32 * 4, 1U << (own[n] % 32));
	printf("READS %u\nWRITES %u\n", reads, writes);
	report_done("gic-matrix", failures == 0);
}
