/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Exceptions: interrupts go to gic.c, others are caught or end the program. */
#include <inmate.h>

#define KIND_SYNC	4	/* from EL1 with its own stack pointer */
#define KIND_IRQ	5

void trap_handle(unsigned long kind, struct trap_frame *frame);
void irq_dispatch(void);

static struct {
	bool armed;
	int class;
	u64 jump[14];	/* x19 to x30, sp */
} catcher;

/* Where trap_catch() continues; the class is its result. */
int catch_call(u64 *jump, void (*fn)(void *arg), void *arg);
void catch_land(u64 *jump, long result);

asm("	.text\n"
    "catch_call:\n"
    "	stp x19, x20, [x0]\n"
    "	stp x21, x22, [x0, #0x10]\n"
    "	stp x23, x24, [x0, #0x20]\n"
    "	stp x25, x26, [x0, #0x30]\n"
    "	stp x27, x28, [x0, #0x40]\n"
    "	stp x29, x30, [x0, #0x50]\n"
    "	mov x3, sp\n"
    "	str x3, [x0, #0x60]\n"
    "	str x30, [sp, #-16]!\n"
    "	mov x3, x1\n"
    "	mov x0, x2\n"
    "	blr x3\n"
    "	ldr x30, [sp], #16\n"
    "	mov x0, #-1\n"
    "	ret\n"
    "catch_land:\n"
    "	ldp x19, x20, [x0]\n"
    "	ldp x21, x22, [x0, #0x10]\n"
    "	ldp x23, x24, [x0, #0x20]\n"
    "	ldp x25, x26, [x0, #0x30]\n"
    "	ldp x27, x28, [x0, #0x40]\n"
    "	ldp x29, x30, [x0, #0x50]\n"
    "	ldr x3, [x0, #0x60]\n"
    "	mov sp, x3\n"
    "	mov x0, x1\n"
    "	ret\n");

int trap_catch(void (*fn)(void *arg), void *arg)
{
	int result;

	catcher.armed = true;
	memory_barrier();
	result = catch_call(catcher.jump, fn, arg);
	catcher.armed = false;
	return result;
}

static void __noreturn unexpected(unsigned long kind, const struct trap_frame *frame)
{
	printf("FATAL: exception %lu, ESR 0x%08llx, FAR 0x%llx, PC 0x%llx\n", kind,
	       sysreg_read(esr_el1), sysreg_read(far_el1), frame->elr);
	comm_set_state(JAILHOUSE_CELL_FAILED);
	halt();
}

void trap_handle(unsigned long kind, struct trap_frame *frame)
{
	if (kind == KIND_IRQ) {
		irq_dispatch();
	} else if (kind == KIND_SYNC && catcher.armed) {
		catcher.class = (int)(sysreg_read(esr_el1) >> 26 & 0x3f);
		catcher.armed = false;
		/* Straight out of the exception: nothing of its frame is needed. */
		catch_land(catcher.jump, catcher.class);
	} else {
		unexpected(kind, frame);
	}
}
