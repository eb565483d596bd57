/* SPDX-License-Identifier: GPL-2.0-only */
/* Control registers, model-specific registers, CPUID: names and access. */
#ifndef ARCH_REGISTERS_H
#define ARCH_REGISTERS_H

#include <core/types.h>

#define CR0_PE			(1UL << 0)
#define CR0_ET			(1UL << 4)
#define CR0_NW			(1UL << 29)
#define CR0_CD			(1UL << 30)
#define CR0_PG			(1UL << 31)
#define CR3_NO_FLUSH		(1UL << 63)
#define CR4_PSE			(1UL << 4)
#define CR4_PAE			(1UL << 5)
#define CR4_PGE			(1UL << 7)
#define CR4_LA57		(1UL << 12)
#define CR4_PCIDE		(1UL << 17)
#define CR4_OSXSAVE		(1UL << 18)
#define CR4_CET			(1UL << 23)
#define CR4_FRED		(1UL << 32)

#define EFER_LME		(1UL << 8)
#define EFER_LMA		(1UL << 10)
#define EFER_NXE		(1UL << 11)
#define EFER_SVME		(1UL << 12)

#define RFLAGS_FIXED		(1UL << 1)
#define RFLAGS_VM		(1UL << 17)

#define DR6_INIT		0xffff0ff0UL
#define DR7_INIT		0x400UL

#define MSR_APIC_BASE		0x01b
#define MSR_PAT			0x277
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MSR_DEBUGCTL		0x1d9
#define MSR_XSS			0xda0
#define MSR_X2APIC_BASE		0x800
#define MSR_X2APIC_END		0x83f
#define MSR_EFER		0xc0000080
#define MSR_VM_CR		0xc0010114
#define MSR_VM_HSAVE_PA		0xc0010117

#define APIC_BASE_EXTD		(1UL << 10)
#define APIC_BASE_EN		(1UL << 11)
#define APIC_BASE_ADDR		0xffffffffff000UL
#define MTRR_ENABLE		(1UL << 11)
#define PAT_RESET		0x0007040600070406UL
#define VM_CR_SVMDIS		(1UL << 4)

#define XCPT_DB			1
#define XCPT_NMI		2
#define XCPT_UD			6
#define XCPT_GP			13
#define XCPT_AC			17
#define XCPT_MC			18

struct cpuid { u32 eax, ebx, ecx, edx; };

#ifdef JAILHOUSE_HOST_BUILD
/* Host tests bring fakes. */
u64 msr_read(u32 msr);
void msr_write(u32 msr, u64 value);
bool msr_read_safe(u32 msr, u64 *value);
bool msr_write_safe(u32 msr, u64 value);
struct cpuid cpuid(u32 leaf, u32 sub);
void cache_write_back(void);
void cache_line_write_back(const void *address);
#else

/* All of this CPU's caches, and what others hold of them: milliseconds. */
static inline void cache_write_back(void)
{
	asm volatile("wbinvd" : : : "memory");
}

/* For hardware that does not look into caches */
static inline void cache_line_write_back(const void *address)
{
	asm volatile("clflush %0; mfence" : : "m" (*(const u8 *)address) : "memory");
}

static inline u64 msr_read(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a" (lo), "=d" (hi) : "c" (msr) : "memory");
	return lo | (u64)hi << 32;
}

static inline void msr_write(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c" (msr), "a" ((u32)value), "d" ((u32)(value >> 32)) : "memory");
}

/* false: the CPU does not know the register (#GP), or refuses the value. */
bool msr_read_safe(u32 msr, u64 *value);
bool msr_write_safe(u32 msr, u64 value);

static inline struct cpuid cpuid(u32 leaf, u32 sub)
{
	struct cpuid r;

	asm volatile("cpuid" : "=a" (r.eax), "=b" (r.ebx), "=c" (r.ecx), "=d" (r.edx)
		     : "a" (leaf), "c" (sub));
	return r;
}

#define REGISTER_ACCESSORS(name)					\
static inline u64 name##_read(void)					\
{									\
	u64 v;								\
	asm volatile("mov %%" #name ", %0" : "=r" (v) : : "memory");	\
	return v;							\
}									\
static inline void name##_write(u64 v)					\
{									\
	asm volatile("mov %0, %%" #name : : "r" (v) : "memory");	\
}
REGISTER_ACCESSORS(cr0)
REGISTER_ACCESSORS(cr2)
REGISTER_ACCESSORS(cr3)
REGISTER_ACCESSORS(cr4)
REGISTER_ACCESSORS(dr6)
REGISTER_ACCESSORS(dr7)
#undef REGISTER_ACCESSORS

#endif
#endif
