/* SPDX-License-Identifier: GPL-2.0-only */
/* Virtual machine control block (APM 2, appendix B), exit codes (appendix C). */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include <core/types.h>

struct svm_segment {
	u16 selector;
	u16 attr;	/* type, S, DPL, P in 0-7; AVL, L, D, G in 8-11 */
	u32 limit;
	u64 base;
};

struct vmcb {
	/* Control area */
	u32 intercept_cr;
	u32 intercept_dr;
	u32 intercept_exceptions;
	u32 intercept_misc1;
	u32 intercept_misc2;
	u32 intercept_misc3;
	u8 reserved0[0x3c - 0x18];
	u16 pause_threshold, pause_count;
	u64 iopm_base;
	u64 msrpm_base;
	u64 tsc_offset;
	u32 asid;
	u8 tlb_control;
	u8 reserved1[3];
	u64 vintr;
	u64 interrupt_shadow;
	u64 exitcode;
	u64 exitinfo1;
	u64 exitinfo2;
	u64 exitintinfo;
	u64 np_enable;
	u64 avic_apic_bar;
	u64 ghcb;
	u64 eventinj;
	u64 n_cr3;
	u64 lbr_enable;
	u32 clean;
	u32 reserved2;
	u64 next_rip;
	u8 fetched_count;
	u8 fetched[15];
	u8 reserved3[0x400 - 0xe0];

	/* State save area */
	struct svm_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	u8 reserved4[0x4cb - 0x4a0];
	u8 cpl;
	u32 reserved5;
	u64 efer;
	u8 reserved6[0x548 - 0x4d8];
	u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
	u8 reserved7[0x5d8 - 0x580];
	u64 rsp;
	u64 s_cet, ssp, isst;
	u64 rax;
	u64 star, lstar, cstar, sfmask, kernel_gs_base;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
	u64 cr2;
	u8 reserved8[0x668 - 0x648];
	u64 g_pat;
	u64 debugctl;
	u8 reserved9[0x1000 - 0x678];
};

_Static_assert(offsetof(struct vmcb, iopm_base) == 0x40, "VMCB");
_Static_assert(offsetof(struct vmcb, exitcode) == 0x70, "VMCB");
_Static_assert(offsetof(struct vmcb, eventinj) == 0xa8, "VMCB");
_Static_assert(offsetof(struct vmcb, next_rip) == 0xc8, "VMCB");
_Static_assert(offsetof(struct vmcb, tr) == 0x490, "VMCB");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "VMCB");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "VMCB");
_Static_assert(offsetof(struct vmcb, rax) == 0x5f8, "VMCB");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640, "VMCB");
_Static_assert(offsetof(struct vmcb, g_pat) == 0x668, "VMCB");
_Static_assert(sizeof(struct vmcb) == 0x1000, "VMCB");

/* intercept_misc1 */
#define INTERCEPT_NMI		(1U << 1)
#define INTERCEPT_CPUID		(1U << 18)
#define INTERCEPT_INVD		(1U << 22)
#define INTERCEPT_INVLPGA	(1U << 26)
#define INTERCEPT_IOIO		(1U << 27)
#define INTERCEPT_MSR		(1U << 28)
#define INTERCEPT_SHUTDOWN	(1U << 31)
/* intercept_misc2 */
#define INTERCEPT_VMRUN		(1U << 0)
#define INTERCEPT_VMMCALL	(1U << 1)
#define INTERCEPT_VMLOAD	(1U << 2)
#define INTERCEPT_VMSAVE	(1U << 3)
#define INTERCEPT_STGI		(1U << 4)
#define INTERCEPT_CLGI		(1U << 5)
#define INTERCEPT_SKINIT	(1U << 6)
#define INTERCEPT_XSETBV	(1U << 13)

#define TLB_FLUSH_ALL		1

#define EVENTINJ_EXCEPTION	(3U << 8)
#define EVENTINJ_ERROR_VALID	(1U << 11)
#define EVENTINJ_VALID		(1U << 31)

#define EXIT_EXCEPTION(n)	(0x40 + (n))
#define EXIT_NMI		0x61
#define EXIT_CPUID		0x72
#define EXIT_INVD		0x76
#define EXIT_INVLPGA		0x7a
#define EXIT_IOIO		0x7b
#define EXIT_MSR		0x7c
#define EXIT_SHUTDOWN		0x7f
#define EXIT_VMRUN		0x80
#define EXIT_VMMCALL		0x81
#define EXIT_VMLOAD		0x82
#define EXIT_VMSAVE		0x83
#define EXIT_STGI		0x84
#define EXIT_CLGI		0x85
#define EXIT_SKINIT		0x86
#define EXIT_XSETBV		0x8d
#define EXIT_NPF		0x400
#define EXIT_INVALID		(~0ULL)

/* exitinfo1 of EXIT_IOIO */
#define IOIO_IN			(1U << 0)
#define IOIO_STRING		(1U << 2)
#define IOIO_REP		(1U << 3)
#define IOIO_SIZE(v)		(((v) >> 4) & 7)
#define IOIO_PORT(v)		((u16)((v) >> 16))
/* exitinfo1 of EXIT_NPF: a page-fault error code */
#define NPF_WRITE		(1U << 1)
#define NPF_FETCH		(1U << 4)
#define NPF_PAGE_WALK		(1ULL << 33)

#endif
