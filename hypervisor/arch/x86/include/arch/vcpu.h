/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vendor interface: implemented once in svm/, once in vmx/; the image
 * has one of them.  Everything else in arch/x86 is common.
 */
#ifndef ARCH_VCPU_H
#define ARCH_VCPU_H

#include <arch/insn.h>
#include <core/percpu.h>
#include <core/cell.h>
#include <core/paging.h>

extern const struct page_format nested_page_format;	/* NPT / EPT */

/* Machine-wide and per-CPU set-up (called by arch_early_init etc.) */
int vcpu_vendor_init(void);
void vcpu_vendor_exit(void);
int vcpu_cell_init(struct cell *cell);
void vcpu_cell_exit(struct cell *cell);
int vcpu_init(struct per_cpu *cpu);
void vcpu_exit(struct per_cpu *cpu);
void vcpu_activate(void) __noreturn;
void vcpu_leave(void) __noreturn;
void vcpu_park(void);
void vcpu_reset(unsigned int sipi_vector);	/* 0x100: cell start, at cpu_reset_address */
void vcpu_flush_tlb(void);
/* The NMI handler: an entry that is on its way must end at once. */
void vcpu_exit_soon(void);
void vcpu_skip_instruction(unsigned int length);
void vcpu_set_rip(u64 rip);
void vcpu_inject_exception(unsigned int vector, bool has_error, u32 error);

/* What vcpu_leave() hands to Linux of the registers that every exit saves. */
static inline void handover_registers(struct jailhouse_x86_handover *h,
				      const struct guest_regs *regs)
{
	h->rsp = regs->rsp;
	h->rbp = regs->rbp;
	h->rbx = regs->rbx;
	h->r12 = regs->r12;
	h->r13 = regs->r13;
	h->r14 = regs->r14;
	h->r15 = regs->r15;
	h->rcx = regs->rcx;
	h->rdx = regs->rdx;
	h->rsi = regs->rsi;
	h->rdi = regs->rdi;
	h->r8 = regs->r8;
	h->r9 = regs->r9;
	h->r10 = regs->r10;
	h->r11 = regs->r11;
	h->rax = 0;
}

/* Guest state that common code looks at */
struct vcpu_state {
	u64 rip, rflags, cr0, cr3, cr4, efer;
	u16 cs_selector;
	u64 cs_base;
	u32 cs_attr;		/* access rights as in a VMCB (APM 2 15.5) */
	unsigned int cpl;
};
void vcpu_get_state(struct vcpu_state *state);
enum insn_mode vcpu_insn_mode(const struct vcpu_state *state);

/* --- Exits that common code handles.  false: violation, line already printed; the caller parks. --- */

struct pio_exit {
	u16 port;
	unsigned int size;	/* 1, 2, 4 */
	bool in;
	bool string_or_rep;
};
/* true: the caller goes on behind the instruction. */
bool x86_handle_pio(struct guest_regs *regs, const struct pio_exit *io);	/* pio.c */

/* Nested page fault: fetch, decode, dispatch, write back, skip. */
bool x86_handle_mmio(struct guest_regs *regs, gpa_t addr, bool is_write);	/* mmio_exit.c */

/*
 * Fetch the instruction bytes at CS:RIP through the guest's own page tables
 * (guest_walk.c). Returns how many bytes could be read (0..15).
 */
unsigned int vcpu_fetch(const struct vcpu_state *state, u8 bytes[INSN_MAX_LENGTH]);
/* What the CPU itself reported (decode assists), often 0. */
unsigned int vcpu_fetched_bytes(u8 bytes[INSN_MAX_LENGTH]);

/* Fetch + decode in one, for the xAPIC page. Prints and returns false if not possible. */
bool vcpu_decode(struct insn *insn);
/* Finish a load: merge value into the register as the instruction demands. */
void vcpu_store_result(struct guest_regs *regs, const struct insn *insn, u64 value);
/* The value a store writes. */
u64 vcpu_operand(const struct guest_regs *regs, const struct insn *insn);

/*
 * The caller has skipped the instruction.  mask: the bits of arguments that count
 * (abi.md 3.1: 32 outside 64-bit code); 0 for a guest that may not call: CPL not 0,
 * or virtual-8086 mode.
 */
void x86_handle_hypercall(struct guest_regs *regs, u64 mask);
/* Management requests, INIT and SIPI: whatever waits for this CPU, until nothing does. */
void x86_handle_events(void);
/*
 * May a warning that the guest can cause at will be printed now?  A few a
 * second and CPU: the console is everybody's, and slow.
 */
bool guest_line_allowed(void);
/* FP, debug and PMU state of the calling CPU to reset values (decisions.md 13). */
void x86_reset_moved_cpu(void);
/* The caller has skipped the instruction. cr4: the guest's. */
void x86_handle_cpuid(struct guest_regs *regs, u64 cr4);
bool x86_handle_xsetbv(struct guest_regs *regs);
bool x86_handle_msr_read(struct guest_regs *regs);
bool x86_handle_msr_write(struct guest_regs *regs);

#endif
