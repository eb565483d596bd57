/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page of code that is mapped at the same virtual address in Linux' and
 * in the hypervisor's page tables (stub.S; docs/image-contract.md).
 */
#ifndef DRIVER_X86_STUB_H
#define DRIVER_X86_STUB_H

#include <jailhouse/image.h>

/* Intel's way, not AMD's (features.c). */
bool arch_uses_vmx(void);

/*
 * AMD.  Interrupts off.  Saves Linux' state in the handover area, sets EFER.SVME,
 * clears GIF, switches to the page table at cr3 and jumps to entry with
 *   RDI = cpu_id, RSI = percpu; RSP is still Linux' and not mapped.
 * Returns, through jailhouse_stub_resume (as guest, RAX = 0, RFLAGS = 2) or
 * jailhouse_stub_leave (RAX = negative errno).
 *
 * @handover: this CPU's area as Linux maps it
 * @cr3:      physical address of the boot page tables
 * @entry:    address of the hypervisor's entry point in these tables
 * @cpu_id:   Linux' number of this CPU
 * @percpu:   this CPU's area as the hypervisor maps it
 */
int jailhouse_stub_enter(struct jailhouse_x86_handover *handover, u64 cr3,
			 u64 entry, u64 cpu_id, u64 percpu);

/*
 * Intel, the same: without SVME and CLGI, but on the window's stack and with its
 * descriptor tables, filled by window_fill().  The way back is
 *   jailhouse_vmx_leave, with TR and LDTR loaded and the window's tables.
 */
int jailhouse_vmx_enter(struct jailhouse_x86_handover *handover, u64 cr3,
			u64 entry, u64 cpu_id, u64 percpu);
void jailhouse_vmx_leave(void);
void jailhouse_vmx_nmi(void);
void jailhouse_vmx_mc(void);

/* This CPU's, before jailhouse_vmx_enter() (window.c). */
void window_fill(struct jailhouse_x86_handover *handover);

/*
 * Never called by the driver: the way back, jumped to by the hypervisor with
 *   RDI = the handover area as Linux maps it (linux_virt + offset),
 *   RSI = Linux' CR3 (as in the handover area, PCID bits included),
 *   GIF and IF clear, CR4.PGE and CR4.PCIDE clear, EFER.SVME set,
 *   GDTR and IDTR loaded with Linux' values (their tables need not be mapped),
 *   FS, GS, TR, LDTR, system call and SYSENTER MSRs loaded (VMLOAD).
 * Everything else comes out of the handover area.
 */
void jailhouse_stub_leave(void);

/* Where Linux continues as guest: rip of the handover area. */
void jailhouse_stub_resume(void);

#endif
