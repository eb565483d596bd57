// SPDX-License-Identifier: GPL-2.0-only
/* The physical local APIC, in either mode. */
#include <core/cell.h>
#include <core/cpu.h>
#include <core/paging.h>
#include <core/printk.h>
#include <arch/apic.h>
#include <arch/apic_hw.h>
#include <arch/apic_regs.h>
#include <arch/io.h>
#include <arch/registers.h>


bool using_x2apic;

void *xapic_page;
u16 cpu_of_apic_id[MAX_APIC_ID + 1];

static void xapic_wait_sent(void)
{
	while (xapic_read(APIC_REG_ICR) & ICR_PENDING)
		asm volatile("pause");
}

/* dest: an APIC id, or a logical destination when icr_lo says so. */
static void xapic_send(u32 icr_lo, u32 dest)
{
	u32 hi;

	xapic_wait_sent();
	/* The guest may be between its two writes: leave the upper half as it was. */
	hi = xapic_read(APIC_REG_ICR_HI);
	xapic_write(APIC_REG_ICR_HI, dest << XAPIC_DEST_SHIFT);
	xapic_write(APIC_REG_ICR, icr_lo);
	xapic_write(APIC_REG_ICR_HI, hi);
}

void apic_hw_send(u32 icr_lo, u32 dest)
{
	if (using_x2apic) {
		/* WRMSR to x2APIC registers does not serialise (bugs.md A48). */
		asm volatile("mfence; lfence" ::: "memory");
		msr_write(MSR_X2APIC_BASE + APIC_REG_ICR, (u64)dest << 32 | icr_lo);
	} else {
		xapic_send(icr_lo, dest);
	}
}

/* The shorthand needs no destination: the upper half of the ICR stays as it is. */
void apic_hw_send_self(u32 icr_lo)
{
	if (using_x2apic) {
		apic_hw_send(icr_lo, 0);
		return;
	}
	xapic_wait_sent();
	xapic_write(APIC_REG_ICR, icr_lo);
}

void apic_send_nmi(struct per_cpu *cpu)
{
	apic_hw_send(DELIVERY_NMI << 8 | ICR_ASSERT, cpu->arch.apic_id);
}

void apic_eoi(void)
{
	apic_hw_write(APIC_REG_EOI, 0);
}

static int check_mode(u8 wanted)
{
	if ((wanted == JAILHOUSE_APIC_MODE_XAPIC && using_x2apic) ||
	    (wanted == JAILHOUSE_APIC_MODE_X2APIC && !using_x2apic))
		return trace_error(-EIO);
	return 0;
}

int apic_init(void)
{
	u64 base = msr_read(MSR_APIC_BASE);

	if (!(base & APIC_BASE_EN) || (base & APIC_BASE_ADDR) != XAPIC_BASE) {
		printk("ERROR: local APIC is off or not at 0x%llx\n", XAPIC_BASE);
		return trace_error(-EIO);
	}
	using_x2apic = base & APIC_BASE_EXTD;
	if (!using_x2apic) {
		xapic_page = hv_map(hpa(XAPIC_BASE), PAGE_SIZE,
				    PG_READ | PG_WRITE | PG_DEVICE);
		if (!xapic_page)
			return trace_error(-ENOMEM);
	}
	printk("Using x%sAPIC\n", using_x2apic ? "2" : "");
	return check_mode(system_config->platform_info.x86.apic_mode);
}

void apic_exit(void)
{
	if (xapic_page)
		hv_unmap(xapic_page, PAGE_SIZE);
	xapic_page = NULL;
}

static u32 own_id(void)
{
	u32 id = apic_hw_read(APIC_REG_ID);

	return using_x2apic ? id : id >> XAPIC_DEST_SHIFT;
}

int apic_cpu_init(struct per_cpu *cpu)
{
	struct arch_percpu *arch = &cpu->arch;
	u64 base = msr_read(MSR_APIC_BASE);

	if (!(base & APIC_BASE_EXTD) == using_x2apic)
		return trace_error(-EIO);
	arch->apic_id = own_id();
	if (arch->apic_id > MAX_APIC_ID)
		return trace_error(-ERANGE);
	if (cpu_of_apic_id[arch->apic_id])
		return trace_error(-EBUSY);
	cpu_of_apic_id[arch->apic_id] = cpu->cpu_id + 1;
	arch->sipi_vector = SIPI_NONE;
	return 0;
}

void apic_update_logical_mask(struct cell *cell)
{
	u32 mask = 0;
	int cpu;

	for_each_cpu(cpu, cell)
		if (cpu < XAPIC_MAX_LOGICAL)
			mask |= 1U << cpu;
	cell->arch.xapic_logical_mask = mask;
}

static void mask_lvt(unsigned int reg)
{
	apic_hw_write(reg, apic_hw_read(reg) | LVT_MASKED);
}

/* Version register: highest LVT entry; CMCI exists from 6 on (APM 2, 16.3.4). */
static void mask_all_lvt(void)
{
	unsigned int highest = (apic_hw_read(APIC_REG_VERSION) >> 16) & 0xff;

	mask_lvt(APIC_REG_LVTT);
	mask_lvt(APIC_REG_LVT0);
	mask_lvt(APIC_REG_LVT1);
	mask_lvt(APIC_REG_LVTERR);
	if (highest >= 4)
		mask_lvt(APIC_REG_LVTPC);
	if (highest >= 5)
		mask_lvt(APIC_REG_LVTTHMR);
	if (highest >= 6)
		mask_lvt(APIC_REG_LVTCMCI);
}

static bool any_bit(unsigned int first_reg)
{
	unsigned int n;

	for (n = 0; n < 8; n++)
		if (apic_hw_read(first_reg + n))
			return true;
	return false;
}

/* In service: EOI.  Requested: have them delivered to our IDT, which acknowledges. */
static void drain(void)
{
	unsigned int turns;

	for (turns = 0; turns < 256 && any_bit(APIC_REG_ISR0); turns++)
		apic_eoi();
	for (turns = 0; turns < 256 && any_bit(APIC_REG_IRR0); turns++)
		vcpu_accept_interrupts();
}

void apic_clear(void)
{
	mask_all_lvt();
	/* Timer off and out of TSC-deadline mode, before its divider (decisions.md 7). */
	apic_hw_write(APIC_REG_LVTT, LVT_MASKED | (apic_hw_read(APIC_REG_LVTT) & 0xff));
	apic_hw_write(APIC_REG_TMICT, 0);
	apic_hw_write(APIC_REG_TDCR, TDCR_DIVIDE_16);
	apic_hw_write(APIC_REG_TPR, 0);
	apic_hw_write(APIC_REG_SVR, SVR_ENABLE | SVR_RESET);
	drain();
	/* The first write latches what has happened, the second clears it (APM 2, 16.4.6). */
	apic_hw_write(APIC_REG_ESR, 0);
	apic_hw_write(APIC_REG_ESR, 0);
	apic_hw_write(APIC_REG_SVR, SVR_RESET);
}
