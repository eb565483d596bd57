/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Private contract between the Linux driver and the hypervisor image
 * (docs/image-contract.md).  Both come from this tree and are built together;
 * image_version makes a mixed pair fail with a message instead of a crash.
 *
 * Layout of the hypervisor memory, from its start:
 *   image file, BSS (up to core_size), max_cpus per-CPU areas of percpu_size,
 *   the system configuration, then pages the hypervisor owns.
 * In the hypervisor's own tables all of it is linear from link_address.
 */
#ifndef JAILHOUSE_IMAGE_H
#define JAILHOUSE_IMAGE_H

#define JAILHOUSE_IMAGE_SIGNATURE	"JAILHOUS"
#define JAILHOUSE_IMAGE_VERSION		2

/* Offsets in struct jailhouse_x86_handover, for assembly */
#define JAILHOUSE_HANDOVER_RSP		0x00
#define JAILHOUSE_HANDOVER_RBP		0x08
#define JAILHOUSE_HANDOVER_RBX		0x10
#define JAILHOUSE_HANDOVER_R12		0x18
#define JAILHOUSE_HANDOVER_R13		0x20
#define JAILHOUSE_HANDOVER_R14		0x28
#define JAILHOUSE_HANDOVER_R15		0x30
#define JAILHOUSE_HANDOVER_RIP		0x38
#define JAILHOUSE_HANDOVER_CR3		0x40
#define JAILHOUSE_HANDOVER_CR4		0x48
#define JAILHOUSE_HANDOVER_EFER		0x50
#define JAILHOUSE_HANDOVER_RAX		0x58
#define JAILHOUSE_HANDOVER_RCX		0x60
#define JAILHOUSE_HANDOVER_RDX		0x68
#define JAILHOUSE_HANDOVER_RSI		0x70
#define JAILHOUSE_HANDOVER_RDI		0x78
#define JAILHOUSE_HANDOVER_R8		0x80
#define JAILHOUSE_HANDOVER_R9		0x88
#define JAILHOUSE_HANDOVER_R10		0x90
#define JAILHOUSE_HANDOVER_R11		0x98
#define JAILHOUSE_HANDOVER_RFLAGS	0xa0
#define JAILHOUSE_HANDOVER_CS		0xa8
#define JAILHOUSE_HANDOVER_DS		0xb0
#define JAILHOUSE_HANDOVER_ES		0xb8
#define JAILHOUSE_HANDOVER_FS		0xc0
#define JAILHOUSE_HANDOVER_GS		0xc8
#define JAILHOUSE_HANDOVER_FS_BASE	0xd0
#define JAILHOUSE_HANDOVER_GS_BASE	0xd8
#define JAILHOUSE_HANDOVER_GDTR		0xe0
#define JAILHOUSE_HANDOVER_IDTR		0xf0
#define JAILHOUSE_WINDOW_GDT		0x120
#define JAILHOUSE_WINDOW_IDT		0x1a0
#define JAILHOUSE_HANDOVER_SIZE		0x600

/* Bytes: Linux' selectors of TSS and LDT fit; vectors up to machine checks */
#define JAILHOUSE_WINDOW_GDT_SIZE	0x80
#define JAILHOUSE_WINDOW_IDT_SIZE	0x130

/* What came while Linux could not take it */
#define JAILHOUSE_PENDING_NMI		1
#define JAILHOUSE_PENDING_MC		2

#ifndef __ASSEMBLER__

#include <jailhouse/types.h>

struct jailhouse_image_header {
	char signature[8];
	/* Fixed at build time */
	__u32 image_version;
	__u32 architecture;	/* JAILHOUSE_X86, ... */
	__u64 core_size;	/* header to end of BSS, multiple of percpu_size */
	__u64 percpu_size;	/* power of two, at least 4096 */
	__u64 link_address;	/* virtual address of this header */
	__u64 entry;		/* offset of the entry point */
	__u64 console_page;	/* offset of the log page */
	/* Written by the driver before the first CPU enters */
	__u32 max_cpus;		/* highest CPU in the root bitmap + 1 */
	__u32 online_cpus;	/* CPUs that will enter */
	__u64 region_phys;	/* hypervisor memory */
	__u64 region_size;
	__u64 config_size;	/* bytes copied behind the per-CPU areas */
	__u64 linux_virt;	/* Linux's mapping of the region (writable) */
	/* x86: the stub's page, mapped at the same address in both tables */
	__u64 stub_virt;
	__u64 stub_phys;
	__u64 stub_leave;	/* virtual address of the way back in it */
	/*
	 * Intel: Linux' address of the per-CPU areas, whose first pages are mapped
	 * there in both tables; else 0.
	 */
	__u64 window;
};

/*
 * First bytes of each per-CPU area (x86).  The entry stub fills rsp (points at
 * the return address) to r15, rip, cr3, cr4, efer, rflags and cs to es with
 * Linux's values.
 * On the way back (a failed entry or a disable) the hypervisor fills all of it
 * and jumps to stub_leave, which restores CR3, CR4, EFER and every register.
 */
struct jailhouse_x86_table {
	__u16 limit;
	__u64 base;
	__u8 unused[6];
} __attribute__((packed));

struct jailhouse_x86_segment {
	__u16 selector;
	__u16 unused;
	__u32 limit;
	__u64 base;
};

struct jailhouse_x86_handover {
	__u64 rsp, rbp, rbx, r12, r13, r14, r15;
	__u64 rip, cr3, cr4, efer;
	__u64 rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11;
	__u64 rflags, cs, ds, es;
	/* Intel: and what VMSAVE and VMLOAD do on AMD; gdtr and idtr on both */
	__u64 fs, gs, fs_base, gs_base;
	struct jailhouse_x86_table gdtr, idtr;
	struct jailhouse_x86_segment tr, ldtr;
	/*
	 * Intel: where NMIs and machine checks go while neither Linux' descriptor
	 * tables and stacks are mapped nor ours: recorded in pending.
	 */
	__u64 window_gdt[JAILHOUSE_WINDOW_GDT_SIZE / 8];
	__u64 window_idt[JAILHOUSE_WINDOW_IDT_SIZE / 8];
	__u64 pending;
	__u64 window_stack[(JAILHOUSE_HANDOVER_SIZE - 0x2d8) / 8];
};

/* Log page: at console_page, readable by Linux. */
#define JAILHOUSE_CONSOLE_SIZE	2048
struct jailhouse_virt_console {
	volatile __u32 busy;
	volatile __u32 tail;	/* bytes ever written */
	char content[JAILHOUSE_CONSOLE_SIZE];
};

#endif /* !__ASSEMBLER__ */
#endif
