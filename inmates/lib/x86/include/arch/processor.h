/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Instructions and registers of an x86 CPU. */
#ifndef ARCH_PROCESSOR_H
#define ARCH_PROCESSOR_H

#define X86_CR0_PE		0x00000001
#define X86_CR0_WP		0x00010000
#define X86_CR0_AM		0x00040000
#define X86_CR0_NW		0x20000000
#define X86_CR0_CD		0x40000000
#define X86_CR0_PG		0x80000000

#define X86_CR4_PSE		0x00000010
#define X86_CR4_PAE		0x00000020
#define X86_CR4_OSFXSR		0x00000200
#define X86_CR4_OSXMMEXCPT	0x00000400
#define X86_CR4_LA57		0x00001000
#define X86_CR4_VMXE		0x00002000
#define X86_CR4_OSXSAVE		0x00040000

#define X86_RFLAGS_TF		0x00000100
#define X86_RFLAGS_IF		0x00000200
#define X86_RFLAGS_AC		0x00040000

#define MSR_APIC_BASE		0x0000001b
#define MSR_PAT			0x00000277
#define MSR_MTRR_DEF_TYPE	0x000002ff
#define MSR_MTRR_ENABLE		0x00000800
#define MSR_TSC_DEADLINE	0x000006e0
#define MSR_X2APIC_BASE		0x00000800
#define MSR_EFER		0xc0000080
#define EFER_LME		0x00000100

#define SEG_CODE32		0x08
#define SEG_DATA		0x10
#define SEG_CODE64		0x18
#define SEG_USER_DATA		0x20
#define SEG_USER_CODE64		0x28
#define SEG_TSS			0x30

#ifndef __ASSEMBLER__

struct cpuid_result {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid_result cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_result r;

	asm volatile("cpuid"
		: "=a" (r.eax), "=b" (r.ebx), "=c" (r.ecx), "=d" (r.edx)
		: "a" (leaf), "c" (subleaf));
	return r;
}

static inline u64 msr_read(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (msr) : "memory");
	return low | ((u64)high << 32);
}

static inline void msr_write(u32 msr, u64 value)
{
	asm volatile("wrmsr"
		: : "c" (msr), "a" ((u32)value), "d" ((u32)(value >> 32))
		: "memory");
}

#define DEFINE_CR(n)							\
static inline unsigned long cr##n##_read(void)				\
{									\
	unsigned long value;						\
	asm volatile("mov %%cr" #n ", %0" : "=r" (value) : : "memory");	\
	return value;							\
}									\
static inline void cr##n##_write(unsigned long value)			\
{									\
	asm volatile("mov %0, %%cr" #n : : "r" (value) : "memory");	\
}
DEFINE_CR(0)
DEFINE_CR(2)
DEFINE_CR(3)
DEFINE_CR(4)
#undef DEFINE_CR

static inline u64 tsc_read(void)
{
	u32 low, high;

	/* lfence: not executed ahead of what is measured. */
	asm volatile("lfence; rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return low | ((u64)high << 32);
}

static inline void cpu_relax(void)
{
	asm volatile("pause" : : : "memory");
}

static inline void memory_barrier(void)
{
	asm volatile("lock; addl $0, (%%" STACK_REG ")" : : : "memory", "cc");
}

static inline void irq_enable(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void irq_disable(void)
{
	asm volatile("cli" : : : "memory");
}

static inline unsigned long irq_save(void)
{
	unsigned long flags;

	asm volatile("pushf; pop %0; cli" : "=r" (flags) : : "memory");
	return flags;
}

static inline void irq_restore(unsigned long flags)
{
	asm volatile("push %0; popf" : : "rm" (flags) : "memory", "cc");
}

/* Sleeps until an interrupt has been served. Interrupts are off before and after. */
static inline void irq_wait(void)
{
	asm volatile("sti; hlt; cli" : : : "memory");
}

static inline u8 port_in8(u16 port)
{
	u8 v;

	asm volatile("inb %1, %0" : "=a" (v) : "dN" (port));
	return v;
}

static inline u16 port_in16(u16 port)
{
	u16 v;

	asm volatile("inw %1, %0" : "=a" (v) : "dN" (port));
	return v;
}

static inline u32 port_in32(u16 port)
{
	u32 v;

	asm volatile("inl %1, %0" : "=a" (v) : "dN" (port));
	return v;
}

static inline void port_out8(u16 port, u8 v)
{
	asm volatile("outb %0, %1" : : "a" (v), "dN" (port));
}

static inline void port_out16(u16 port, u16 v)
{
	asm volatile("outw %0, %1" : : "a" (v), "dN" (port));
}

static inline void port_out32(u16 port, u32 v)
{
	asm volatile("outl %0, %1" : : "a" (v), "dN" (port));
}

/* MMIO must be a plain MOV: that is what a hypervisor decodes. */
#define DEFINE_MMIO(bits, constraint)					\
static inline u##bits mmio_read##bits(const void *address)		\
{									\
	u##bits v;							\
	asm volatile("mov %1, %0" : "=" constraint (v)			\
		: "m" (*(const volatile u##bits *)address) : "memory");	\
	return v;							\
}									\
static inline void mmio_write##bits(void *address, u##bits v)		\
{									\
	asm volatile("mov %1, %0" : "=m" (*(volatile u##bits *)address)	\
		: constraint (v) : "memory");				\
}
DEFINE_MMIO(8, "q")
DEFINE_MMIO(16, "r")
DEFINE_MMIO(32, "r")
#ifdef __x86_64__
DEFINE_MMIO(64, "r")
#endif
#undef DEFINE_MMIO

#endif /* !__ASSEMBLER__ */
#endif
