/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Interrupt descriptor table, dispatch, and recovery from exceptions. */
#include <inmate.h>

#define GATE_PRESENT_INTR	0x8e

struct gate {
	u16 offset_low;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset_mid;
#ifdef __x86_64__
	u32 offset_high;
	u32 reserved;
#endif
} __attribute__((packed));

struct table_ptr {
	u16 limit;
	unsigned long base;
} __attribute__((packed));

#ifdef __x86_64__
#define SEG_CODE	SEG_CODE64
#else
#define SEG_CODE	SEG_CODE32
#endif

extern u8 trap_stubs[], trap_landing[];
unsigned long trap_catch_sp;
struct trap_info trap_caught;
void trap_dispatch(struct trap_frame *frame);

static struct gate idt[256] __attribute__((aligned(16)));
static trap_handler handlers[256];

void trap_load(void)
{
	struct table_ptr ptr = {
		.limit = sizeof(idt) - 1,
		.base = (unsigned long)idt,
	};

	asm volatile("lidt %0" : : "m" (ptr));
}

/* Programs lie in the first megabyte. */
static void set_gate(unsigned int vector, unsigned long entry)
{
	idt[vector].offset_low = entry;
	idt[vector].offset_mid = entry >> 16;
	idt[vector].selector = SEG_CODE;
	idt[vector].type = GATE_PRESENT_INTR;
}

void trap_init(void)
{
	unsigned int vector;

	for (vector = 0; vector < 256; vector++)
		set_gate(vector, (unsigned long)trap_stubs + vector * 16);
	trap_load();
}

void trap_set_entry(unsigned int vector, void (*entry)(void))
{
	set_gate(vector, (unsigned long)entry);
}

#ifdef __x86_64__
void trap_set_ist(unsigned int vector, unsigned int ist)
{
	idt[vector].ist = ist;
}
#endif

void trap_set_handler(unsigned int vector, trap_handler handler)
{
	handlers[vector] = handler;
}

static void __noreturn trap_die(struct trap_frame *frame)
{
	printf("EXCEPTION %lu error 0x%lx rip 0x%lx cr2 0x%lx\n",
	       frame->vector, frame->error, frame->rip, cr2_read());
	comm_set_state(JAILHOUSE_CELL_FAILED);
	halt();
}

void trap_unwind(struct trap_frame *frame)
{
	trap_caught = (struct trap_info){
		.vector = frame->vector,
		.error = frame->error,
		.rip = frame->rip,
		.cr2 = cr2_read(),
	};
	/* Finds its stack itself: a 32-bit IRET keeps the current one. */
	frame->rip = (unsigned long)trap_landing;
	frame->cs = SEG_CODE;
	frame->rflags &= ~(X86_RFLAGS_TF | X86_RFLAGS_AC);
#ifdef __x86_64__
	frame->ss = SEG_DATA;
#endif
}

void trap_dispatch(struct trap_frame *frame)
{
	if (handlers[frame->vector]) {
		handlers[frame->vector](frame);
		if (frame->vector >= 32 && frame->vector != VECTOR_SPURIOUS)
			apic_eoi();
	} else if (frame->vector == VECTOR_SPURIOUS) {
		return;
	} else if (frame->vector < 32 && trap_catch_sp) {
		trap_unwind(frame);
	} else {
		trap_die(frame);
	}
}

struct msr_access {
	u32 msr;
	u64 value;
};

static void do_msr_read(void *arg)
{
	struct msr_access *access = arg;

	access->value = msr_read(access->msr);
}

static void do_msr_write(void *arg)
{
	struct msr_access *access = arg;

	msr_write(access->msr, access->value);
}

bool msr_read_safe(u32 msr, u64 *value)
{
	struct msr_access access = { .msr = msr };

	if (trap_catch(do_msr_read, &access) >= 0)
		return false;
	*value = access.value;
	return true;
}

bool msr_write_safe(u32 msr, u64 value)
{
	struct msr_access access = { .msr = msr, .value = value };

	return trap_catch(do_msr_write, &access) < 0;
}
