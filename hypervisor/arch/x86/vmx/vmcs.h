/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual machine control structure: fields (SDM 3D, appendix B), controls
 * (SDM 3C, 24), exits (SDM 3D, appendix C).
 */
#ifndef VMX_VMCS_H
#define VMX_VMCS_H

#include <core/types.h>

/* --- Fields --- */

#define VMCS_VPID		0x0000
#define VMCS_IO_BITMAP_A	0x2000
#define VMCS_IO_BITMAP_B	0x2002
#define VMCS_MSR_BITMAP		0x2004
#define VMCS_EPTP		0x201a
#define VMCS_XSS_BITMAP		0x202c
#define VMCS_GUEST_PHYSICAL	0x2400
#define VMCS_LINK		0x2800

#define VMCS_PIN		0x4000
#define VMCS_PRIMARY		0x4002
#define VMCS_EXCEPTIONS		0x4004
#define VMCS_PF_MASK		0x4006
#define VMCS_PF_MATCH		0x4008
#define VMCS_CR3_TARGETS	0x400a
#define VMCS_EXIT		0x400c
#define VMCS_EXIT_STORES	0x400e
#define VMCS_EXIT_LOADS		0x4010
#define VMCS_ENTRY		0x4012
#define VMCS_ENTRY_LOADS	0x4014
#define VMCS_ENTRY_EVENT	0x4016
#define VMCS_ENTRY_ERROR	0x4018
#define VMCS_ENTRY_LENGTH	0x401a
#define VMCS_SECONDARY		0x401e

#define VMCS_INSN_ERROR		0x4400
#define VMCS_REASON		0x4402
#define VMCS_EXIT_EVENT		0x4404
#define VMCS_EXIT_ERROR		0x4406
#define VMCS_VECTORING		0x4408
#define VMCS_INSN_LENGTH	0x440c
#define VMCS_QUALIFICATION	0x6400

/* Segments: n counts ES, CS, SS, DS, FS, GS, LDTR, TR; GDTR and IDTR have base and limit only. */
enum vmcs_segment {
	SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_GDTR, SEG_IDTR
};
#define VMCS_GUEST_SELECTOR(n)	(0x0800 + 2 * (n))
#define VMCS_GUEST_LIMIT(n)	(0x4800 + 2 * (n))
#define VMCS_GUEST_RIGHTS(n)	(0x4814 + 2 * (n))
#define VMCS_GUEST_BASE(n)	(0x6806 + 2 * (n))

#define VMCS_GUEST_DEBUGCTL	0x2802
#define VMCS_GUEST_PAT		0x2804
#define VMCS_GUEST_EFER		0x2806
#define VMCS_INTERRUPTIBILITY	0x4824
#define VMCS_ACTIVITY		0x4826
#define VMCS_GUEST_SYSENTER_CS	0x482a
#define VMCS_PREEMPTION_TIMER	0x482e
#define VMCS_CR0_MASK		0x6000
#define VMCS_CR4_MASK		0x6002
#define VMCS_CR0_SHADOW		0x6004
#define VMCS_CR4_SHADOW		0x6006
#define VMCS_GUEST_CR0		0x6800
#define VMCS_GUEST_CR3		0x6802
#define VMCS_GUEST_CR4		0x6804
#define VMCS_GUEST_DR7		0x681a
#define VMCS_GUEST_RSP		0x681c
#define VMCS_GUEST_RIP		0x681e
#define VMCS_GUEST_RFLAGS	0x6820
#define VMCS_PENDING_DEBUG	0x6822
#define VMCS_GUEST_SYSENTER_ESP	0x6824
#define VMCS_GUEST_SYSENTER_EIP	0x6826

#define VMCS_HOST_SELECTOR(n)	(0x0c00 + 2 * (n))	/* ES to GS */
#define VMCS_HOST_TR_SELECTOR	0x0c0c
#define VMCS_HOST_PAT		0x2c00
#define VMCS_HOST_EFER		0x2c02
#define VMCS_HOST_SYSENTER_CS	0x4c00
#define VMCS_HOST_CR0		0x6c00
#define VMCS_HOST_CR3		0x6c02
#define VMCS_HOST_CR4		0x6c04
#define VMCS_HOST_FS_BASE	0x6c06
#define VMCS_HOST_GS_BASE	0x6c08
#define VMCS_HOST_TR_BASE	0x6c0a
#define VMCS_HOST_GDTR_BASE	0x6c0c
#define VMCS_HOST_IDTR_BASE	0x6c0e
#define VMCS_HOST_SYSENTER_ESP	0x6c10
#define VMCS_HOST_SYSENTER_EIP	0x6c12
#define VMCS_HOST_RSP		0x6c14
#define VMCS_HOST_RIP		0x6c16

/* --- Controls (SDM 3C, 24.6 to 24.8) --- */

#define PIN_NMI_EXITING		(1U << 3)
#define PIN_VIRTUAL_NMI		(1U << 5)
#define PIN_PREEMPTION_TIMER	(1U << 6)

#define PRIMARY_IO_BITMAPS	(1U << 25)
#define PRIMARY_MSR_BITMAPS	(1U << 28)
#define PRIMARY_SECONDARY	(1U << 31)

#define SECONDARY_EPT		(1U << 1)
#define SECONDARY_RDTSCP	(1U << 3)
#define SECONDARY_VPID		(1U << 5)
#define SECONDARY_UNRESTRICTED	(1U << 7)
#define SECONDARY_INVPCID	(1U << 12)
#define SECONDARY_XSAVES	(1U << 20)
#define SECONDARY_WAITPKG	(1U << 26)

#define EXIT_SAVE_DEBUG		(1U << 2)
#define EXIT_HOST_64BIT		(1U << 9)
#define EXIT_LOAD_PAT		(1U << 19)
#define EXIT_SAVE_EFER		(1U << 20)
#define EXIT_LOAD_EFER		(1U << 21)

#define ENTRY_LOAD_DEBUG	(1U << 2)
#define ENTRY_LONG_MODE		(1U << 9)
#define ENTRY_LOAD_PAT		(1U << 14)
#define ENTRY_LOAD_EFER		(1U << 15)

#define ACTIVITY_ACTIVE		0
#define ACTIVITY_HLT		1

/* Blocking by STI and MOV SS (SDM 3C, 24.4.2) */
#define INTERRUPTIBILITY_SHADOW	3U

/* Access rights (SDM 3C, 24.4.1) */
#define RIGHTS_L		(1U << 13)
#define RIGHTS_D		(1U << 14)
#define RIGHTS_UNUSABLE		(1U << 16)
#define RIGHTS_DPL(v)		(((v) >> 5) & 3)

/* Events, to inject and reported (SDM 3C, 24.8.3, 24.9.2) */
#define EVENT_VALID		(1U << 31)
#define EVENT_ERROR		(1U << 11)
#define EVENT_TYPE_MASK		(7U << 8)
#define EVENT_NMI		(2U << 8)
#define EVENT_HARDWARE		(3U << 8)
#define EVENT_PRIVILEGED	(5U << 8)	/* INT1 */
#define EVENT_VECTOR(v)		((v) & 0xffU)

/* --- Exits (SDM 3D, appendix C) --- */

#define REASON_ENTRY_FAILED	(1U << 31)
#define REASON_EVENT		0
#define REASON_TRIPLE_FAULT	2
#define REASON_CPUID		10
#define REASON_GETSEC		11
#define REASON_INVD		13
#define REASON_VMCALL		18
#define REASON_VMCLEAR		19	/* first of the VMX instructions */
#define REASON_VMXON		27	/* last of them */
#define REASON_CR		28
#define REASON_IO		30
#define REASON_RDMSR		31
#define REASON_WRMSR		32
#define REASON_EPT_VIOLATION	48
#define REASON_INVEPT		50
#define REASON_TIMER		52
#define REASON_INVVPID		53
#define REASON_XSETBV		55
#define REASON_VMFUNC		59

/* Qualification of control-register accesses (SDM 3C, table 27-3) */
#define CR_NUMBER(q)		((q) & 0xf)
#define CR_TYPE(q)		(((q) >> 4) & 3)	/* 0: MOV to */
#define CR_GPR(q)		(((q) >> 8) & 0xf)
/* Of I/O instructions (table 27-5) */
#define IO_SIZE(q)		(((q) & 7) + 1)
#define IO_IN(q)		(((q) >> 3) & 1)
#define IO_STRING_OR_REP(q)	(((q) >> 4) & 3)
#define IO_PORT(q)		((u16)((q) >> 16))
/* Of EPT violations (table 27-7) */
#define EPT_QUAL_WRITE		(1U << 1)
#define EPT_QUAL_LINEAR		(1U << 7)	/* a linear address is involved */
#define EPT_QUAL_FINAL		(1U << 8)	/* and this is its translation, not a walk */

/* --- Access --- */

#ifndef JAILHOUSE_HOST_BUILD

static inline u64 vmcs_read(unsigned long field)
{
	u64 value;

	asm volatile("vmread %1, %0" : "=rm" (value) : "r" (field) : "cc");
	return value;
}

static inline void vmcs_write(unsigned long field, u64 value)
{
	asm volatile("vmwrite %1, %0" : : "r" (field), "rm" (value) : "cc", "memory");
}

#endif
#endif
