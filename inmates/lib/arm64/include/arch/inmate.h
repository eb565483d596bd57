/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* arm64 half of the inmate library. */
#ifndef ARCH_INMATE_H
#define ARCH_INMATE_H

#define COMM_REGION_BASE	0x80000000UL
#ifndef CONFIG_INMATE_BASE
#define CONFIG_INMATE_BASE	0UL
#endif
/* RAM every cell has: the image, stacks and the heap are below. */
#define LOW_RAM_END		(CONFIG_INMATE_BASE + 0x10000UL)

/* --- processor --- */

#define sysreg_read(name) ({						\
	u64 __value;							\
	asm volatile("mrs %0, " #name : "=r" (__value) : : "memory");	\
	__value;							\
})
#define sysreg_write(name, value)					\
	asm volatile("msr " #name ", %0\n\tisb" : : "r" ((u64)(value)) : "memory")

static inline void cpu_relax(void)
{
	asm volatile("yield" : : : "memory");
}

static inline void memory_barrier(void)
{
	asm volatile("dmb ish" : : : "memory");
}

static inline void irq_enable(void)
{
	asm volatile("msr daifclr, #2" : : : "memory");
}

static inline void irq_disable(void)
{
	asm volatile("msr daifset, #2" : : : "memory");
}

static inline unsigned long irq_save(void)
{
	unsigned long flags = sysreg_read(daif);

	irq_disable();
	return flags;
}

static inline void irq_restore(unsigned long flags)
{
	asm volatile("msr daif, %0" : : "r" (flags) : "memory");
}

/* Waits for one interrupt and lets it be handled; called and returns with interrupts off. */
static inline void irq_wait(void)
{
	asm volatile("wfi\n\t"
		     "msr daifclr, #2\n\t"
		     "isb\n\t"
		     "msr daifset, #2" : : : "memory");
}

static inline u8 mmio_read8(const volatile void *a) { return *(const volatile u8 *)a; }
static inline u16 mmio_read16(const volatile void *a) { return *(const volatile u16 *)a; }
static inline u32 mmio_read32(const volatile void *a) { return *(const volatile u32 *)a; }
static inline u64 mmio_read64(const volatile void *a) { return *(const volatile u64 *)a; }
static inline void mmio_write8(volatile void *a, u8 v) { *(volatile u8 *)a = v; }
static inline void mmio_write16(volatile void *a, u16 v) { *(volatile u16 *)a = v; }
static inline void mmio_write32(volatile void *a, u32 v) { *(volatile u32 *)a = v; }
static inline void mmio_write64(volatile void *a, u64 v) { *(volatile u64 *)a = v; }

/* There are no ports. */
static inline u8 port_in8(unsigned long port) { (void)port; return 0xff; }
static inline void port_out8(unsigned long port, u8 v) { (void)port; (void)v; }

/* What the first CPU came with in x0 and x1. */
extern u64 boot_context[2];

/* --- traps --- */

struct trap_frame {
	u64 x[31];
	u64 elr, spsr;
	u64 unused;
};

/*
 * Calls fn(arg). Returns -1, or the exception class (ESR_EL1.EC) of the
 * synchronous exception that ended it.  One CPU at a time.
 */
int trap_catch(void (*fn)(void *arg), void *arg);

/* --- memory --- */

enum map_type { MAP_CACHED, MAP_UNCACHED };

/* Identity map, in 2 MiB pages. All that is not mapped otherwise is mapped as device memory. */
void map_range(u64 start, u64 size, enum map_type type);

/* --- time --- */

#define TIMER_IRQ		27	/* PPI of the virtual timer */

u64 timer_ticks(void);
u64 timer_frequency(void);
u64 timer_ticks_to_ns(u64 ticks);
u64 timer_ns_to_ticks(u64 ns);

static inline u64 clock_ns(void)
{
	return timer_ticks_to_ns(timer_ticks());
}

/* One-shot, at this value of the counter. */
void timer_arm(u64 ticks);
void timer_stop(void);
void delay_us(unsigned long us);

/* --- interrupts --- */

#define MAX_IRQS		1020

typedef void (*irq_handler)(unsigned int irq);

/* CPU interface (each CPU); the first call also finds out which GIC it is. */
void gic_init(void);
unsigned int gic_version(void);
/* Also for SGIs. On SPIs: routes it to the calling CPU. */
void gic_enable_irq(unsigned int irq);
void gic_disable_irq(unsigned int irq);
void gic_set_priority(unsigned int irq, u8 priority);
/* SGI to a CPU of this cell by its MPIDR (GICv2: interface number = Aff0) */
void gic_send_sgi(u64 mpidr, unsigned int sgi);
/* Registers of INTIDs 0-31 of the calling CPU, in the distributor's layout */
void *gic_private_base(void);
void irq_set_handler(unsigned int irq, irq_handler handler);

/* --- other CPUs of the cell --- */

#define MPIDR_MASK		0xff00ffffffUL

static inline u64 cpu_mpidr(void)
{
	return sysreg_read(mpidr_el1) & MPIDR_MASK;
}

/* MPIDR of the n-th CPU of the cell other than the calling one; false: there are not so many. */
bool smp_other_mpidr(unsigned int n, u64 *mpidr);
/* Starts a CPU that is off; the PSCI result. */
long smp_start_cpu(u64 mpidr, void (*entry)(void));

/* --- calls --- */

#define PSCI_VERSION		0x84000000UL
#define PSCI_CPU_SUSPEND	0xc4000001UL
#define PSCI_CPU_OFF		0x84000002UL
#define PSCI_CPU_ON		0xc4000003UL
#define PSCI_AFFINITY_INFO	0xc4000004UL
#define PSCI_FEATURES		0x8400000aUL

long smc(u64 function, u64 arg1, u64 arg2, u64 arg3);
s32 hypercall(u32 code, unsigned long arg1, unsigned long arg2);

#endif
