/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* x86 half of the inmate library. */
#ifndef ARCH_INMATE_H
#define ARCH_INMATE_H

#define COMM_REGION_BASE	0x100000UL
#define CMDLINE_BASE		0x1000UL
/* RAM every cell has: the image, stacks and the heap are below. */
#define LOW_RAM_END		0x100000UL
#define SMP_MAX_CPUS_ASM	256

#ifdef __x86_64__
#define STACK_REG		"rsp"
#else
#define STACK_REG		"esp"
#endif

#include <arch/processor.h>

#ifndef __ASSEMBLER__

/* --- traps and interrupts --- */

struct trap_frame {
#ifdef __x86_64__
	unsigned long r15, r14, r13, r12, r11, r10, r9, r8;
	unsigned long rdi, rsi, rbp, rbx, rdx, rcx, rax;
#else
	unsigned long rdi, rsi, rbp, unused_sp, rbx, rdx, rcx, rax;
#endif
	unsigned long vector, error, rip, cs, rflags;
	/* 32-bit: only there when the privilege level changed */
	unsigned long rsp, ss;
};

#define VECTOR_DB		1
#define VECTOR_NMI		2
#define VECTOR_UD		6
#define VECTOR_DF		8
#define VECTOR_GP		13
#define VECTOR_PF		14
#define VECTOR_AC		17
#define VECTOR_SPURIOUS		0xff

/* What a CPU came with; filled by head.S, in 32-bit programs up to rflags. */
struct boot_state {
	u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
	u16 cs, ds, es, fs, gs, ss;
	u32 cr0, cr3, cr4;
	u16 gdt_limit;
	u32 gdt_base;
	u16 idt_limit;
	u32 idt_base;
	u32 rflags;
	u64 r8_to_r15[8];
} __attribute__((packed));

extern const volatile struct boot_state boot_state;

typedef void (*trap_handler)(struct trap_frame *frame);

void trap_init(void);
/* Loads the common IDT on the calling CPU. */
void trap_load(void);
/* Vectors from 32 on get their EOI after the handler. */
void trap_set_handler(unsigned int vector, trap_handler handler);
/* The CPU goes to `entry` itself, which saves what it uses and ends with IRET. */
void trap_set_entry(unsigned int vector, void (*entry)(void));
#ifdef __x86_64__
/* Stack of the task state segment for a vector; 0: the current stack. */
void trap_set_ist(unsigned int vector, unsigned int ist);
#endif

/*
 * Calls fn(arg). Returns -1, or the vector of the exception that ended it;
 * trap_caught then tells more. One CPU at a time.
 */
int trap_catch(void (*fn)(void *arg), void *arg);
/* For a handler that wants to end a trap_catch() itself. */
void trap_unwind(struct trap_frame *frame);

struct trap_info {
	unsigned long vector, error, rip, cr2;
};
extern struct trap_info trap_caught;

/* msr_read() and msr_write() that survive #GP: false when it came. */
bool msr_read_safe(u32 msr, u64 *value);
bool msr_write_safe(u32 msr, u64 value);

/* --- memory --- */

enum map_type { MAP_CACHED, MAP_UNCACHED };

/* Identity map, in 2 MiB (64-bit) or 4 MiB (32-bit) pages. */
void map_range(u64 start, u64 size, enum map_type type);

/* --- time --- */

#define PM_TIMER_HZ		3579545UL
#define PM_TIMER_MASK		0x00ffffff	/* 24 or 32 bits wide */

void time_init(void);
unsigned long tsc_khz(void);
/* Undivided clock of the local APIC timer. */
unsigned long apic_khz(void);
u64 tsc_to_ns(u64 ticks);
static inline u64 tsc_ns(void)
{
	return tsc_to_ns(tsc_read());
}
/*
 * Nanoseconds since the first call, from the PM timer; must be called at
 * least every 4 seconds.  Without a PM timer it is the TSC.
 */
u64 pm_timer_ns(void);

static inline u64 clock_ns(void)
{
	return pm_timer_ns();
}
void delay_us(unsigned long us);

/* --- local APIC: x2APIC interface, which works in both modes --- */

#define APIC_REG_ID		0x02
#define APIC_REG_VERSION	0x03
#define APIC_REG_TPR		0x08
#define APIC_REG_EOI		0x0b
#define APIC_REG_LDR		0x0d
#define APIC_REG_DFR		0x0e
#define APIC_REG_SVR		0x0f
#define APIC_REG_ISR0		0x10
#define APIC_REG_TMR0		0x18
#define APIC_REG_IRR0		0x20
#define APIC_REG_ESR		0x28
#define APIC_REG_LVT_CMCI	0x2f
#define APIC_REG_ICR		0x30
#define APIC_REG_LVT_TIMER	0x32
#define APIC_REG_LVT_THERMAL	0x33
#define APIC_REG_LVT_PMC	0x34
#define APIC_REG_LVT_LINT0	0x35
#define APIC_REG_LVT_LINT1	0x36
#define APIC_REG_LVT_ERROR	0x37
#define APIC_REG_TIMER_INITIAL	0x38
#define APIC_REG_TIMER_CURRENT	0x39
#define APIC_REG_TIMER_DIVIDE	0x3e

#define APIC_LVT_MASKED		0x00010000
#define APIC_LVT_NMI		0x00000400
#define APIC_LVT_PERIODIC	0x00020000
#define APIC_LVT_TSC_DEADLINE	0x00040000

#define APIC_ICR_FIXED		0x00000000
#define APIC_ICR_NMI		0x00000400
#define APIC_ICR_INIT		0x00000500
#define APIC_ICR_SIPI		0x00000600
#define APIC_ICR_ASSERT		0x00004000
#define APIC_ICR_SELF		0x00040000
#define APIC_ICR_ALL		0x00080000
#define APIC_ICR_OTHERS		0x000c0000

static inline u32 apic_read(unsigned int reg)
{
	return msr_read(MSR_X2APIC_BASE + reg);
}

static inline void apic_write(unsigned int reg, u32 value)
{
	msr_write(MSR_X2APIC_BASE + reg, value);
}

void apic_init(void);
u32 apic_id(void);
void apic_eoi(void);
void apic_send_ipi(u32 destination, u32 icr_low);
/* One-shot timer of this CPU on the given vector; then arm it. */
void apic_timer_init(unsigned int vector);
void apic_timer_arm_ns(u64 ns);

/*
 * What is left until then, for the line above.  0: it has passed since somebody last
 * looked, as a virtual CPU may stand still anywhere; the difference would be a minute.
 */
static inline u64 time_left(u64 until, u64 now)
{
	return until > now ? until - now : 0;
}
bool apic_timer_uses_deadline(void);

/* --- IOAPIC --- */

#define IOAPIC_BASE		0xfec00000UL
#define IOAPIC_LEVEL		0x00008000
#define IOAPIC_ACTIVE_LOW	0x00002000
#define IOAPIC_MASKED		0x00010000

void ioapic_init(void);
u32 ioapic_read(unsigned int reg);
void ioapic_write(unsigned int reg, u32 value);
/* Routes a pin to the calling CPU. */
void ioapic_set_pin(unsigned int pin, unsigned int vector, u32 flags);

/* --- PCI configuration space through ports --- */

#define PCI_ID_ANY		0xffff
#define PCI_CFG_VENDOR		0x00
#define PCI_CFG_DEVICE		0x02
#define PCI_CFG_COMMAND		0x04
#define  PCI_CMD_IO		0x0001
#define  PCI_CMD_MEMORY		0x0002
#define  PCI_CMD_MASTER		0x0004
#define  PCI_CMD_INTX_OFF	0x0400
#define PCI_CFG_STATUS		0x06
#define  PCI_STATUS_CAPS	0x0010
#define PCI_CFG_CLASS		0x0a	/* class << 8 | subclass */
#define PCI_CFG_BAR		0x10
#define PCI_CFG_CAPS		0x34

#define PCI_BDF(bus, dev, fn)	((bus) << 8 | (dev) << 3 | (fn))
#define PCI_CAP_MSI		0x05
#define PCI_CAP_MSIX		0x11

u32 pci_read(u16 bdf, unsigned int reg, unsigned int size);
void pci_write(u16 bdf, unsigned int reg, u32 value, unsigned int size);
/* From start on; -1 when there is none. */
int pci_find_device(u16 vendor, u16 device, u16 start);
int pci_find_class(u16 class_code, u16 start);
/* Offset of the capability, 0 when there is none. */
unsigned int pci_find_cap(u16 bdf, u8 id);
u64 pci_bar(u16 bdf, unsigned int bar);
/* Both send to the calling CPU. */
bool pci_msi_set_vector(u16 bdf, unsigned int vector);
bool pci_msix_set_vector(u16 bdf, unsigned int vector, unsigned int index);

/* --- other CPUs of the cell --- */

#define SMP_MAX_CPUS		SMP_MAX_CPUS_ASM

/* Waits until all other CPUs are there; returns how many. */
unsigned int smp_wait_for_others(void);
/* APIC id of the n-th other CPU. */
u32 smp_other_id(unsigned int n);
/* Starts a halted CPU by INIT and SIPI; false when it does not come. */
bool smp_start_cpu(u32 apic_id, void (*entry)(void));

/* --- hypercalls --- */

void hypercall_init(void);
s32 hypercall(u32 code, unsigned long arg1, unsigned long arg2);

#endif /* !__ASSEMBLER__ */
#endif
