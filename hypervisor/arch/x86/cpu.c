// SPDX-License-Identifier: GPL-2.0-only
/* A CPU's way from Linux into the hypervisor, and back (docs/image-contract.md). */
#include <core/boot.h>
#include <core/cell.h>
#include <core/config.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <core/sections.h>
#include <arch/apic.h>
#include <arch/cpu.h>
#include <arch/exceptions.h>
#include <arch/ipi.h>
#include <arch/paging.h>
#include <arch/registers.h>
#include <arch/vcpu.h>

_Static_assert(1UL << PERCPU_SHIFT == PERCPU_SIZE, "PERCPU_SHIFT");
_Static_assert(sizeof(struct per_cpu) <= PERCPU_SIZE - PERCPU_MIN_STACK, "stack too small");
_Static_assert(offsetof(struct jailhouse_x86_handover, rsp) == JAILHOUSE_HANDOVER_RSP, "rsp");
_Static_assert(offsetof(struct jailhouse_x86_handover, rip) == JAILHOUSE_HANDOVER_RIP, "rip");
_Static_assert(offsetof(struct jailhouse_x86_handover, efer) == JAILHOUSE_HANDOVER_EFER, "efer");
_Static_assert(offsetof(struct jailhouse_x86_handover, rax) == JAILHOUSE_HANDOVER_RAX, "rax");
_Static_assert(offsetof(struct jailhouse_x86_handover, r11) == JAILHOUSE_HANDOVER_R11, "r11");
_Static_assert(offsetof(struct jailhouse_x86_handover, cs) == JAILHOUSE_HANDOVER_CS, "cs");
_Static_assert(offsetof(struct jailhouse_x86_handover, es) == JAILHOUSE_HANDOVER_ES, "es");
_Static_assert(offsetof(struct jailhouse_x86_handover, fs) == JAILHOUSE_HANDOVER_FS, "fs");
_Static_assert(offsetof(struct jailhouse_x86_handover, gs_base) == JAILHOUSE_HANDOVER_GS_BASE, "gs_base");
_Static_assert(offsetof(struct jailhouse_x86_handover, gdtr) == JAILHOUSE_HANDOVER_GDTR, "gdtr");
_Static_assert(offsetof(struct jailhouse_x86_handover, idtr) == JAILHOUSE_HANDOVER_IDTR, "idtr");
_Static_assert(offsetof(struct jailhouse_x86_handover, window_gdt) == JAILHOUSE_WINDOW_GDT, "GDT");
_Static_assert(offsetof(struct jailhouse_x86_handover, window_idt) == JAILHOUSE_WINDOW_IDT, "IDT");
_Static_assert(offsetof(struct jailhouse_x86_handover, pending) == JAILHOUSE_WINDOW_IDT + JAILHOUSE_WINDOW_IDT_SIZE, "pending");
_Static_assert(sizeof(struct jailhouse_x86_handover) == JAILHOUSE_HANDOVER_SIZE, "size");

#define CPUID_1_ECX_XSAVE	(1U << 26)
#define CPUID_ADDRESS_SIZES	0x80000008

/*
 * TSC ticks of a millisecond when neither configuration nor driver know:
 * faster than any CPU, so that waits become longer, never shorter.
 */
#define TSC_KHZ_UNKNOWN		6000000

/* CR4 bits of Linux that this hypervisor does not carry over. */
static const struct {
	u64 bit;
	const char *name;
} refused_cr4[] = {
	{ CR4_LA57, "five-level paging (CR4.LA57); boot with no5lvl" },
	{ CR4_CET, "control-flow enforcement (CR4.CET); boot with nousershstk" },
	{ CR4_FRED, "flexible return and event delivery (CR4.FRED); boot with fred=off" },
};

static struct desc_ptr linux_table(const struct jailhouse_x86_table *table)
{
	return (struct desc_ptr){ table->limit, table->base };
}

static void linux_state_save(struct linux_state *state)
{
	const struct jailhouse_x86_handover *h = &this_cpu()->handover;

	state->cr0 = cr0_read();
	state->cr2 = cr2_read();
	state->dr6 = dr6_read();
	state->dr7 = dr7_read();
	asm volatile("mov %%ss, %0" : "=r" (state->ss));
	state->gdtr = linux_table(&h->gdtr);
	state->idtr = linux_table(&h->idtr);
}

static void __noreturn entry_failed(struct per_cpu *cpu, int error)
{
	const struct linux_state *state = &cpu->arch.linux_state;

	cpu->handover.rax = (s64)error;
	cr0_write(state->cr0);
	dr7_write(state->dr7);
	linux_return(&state->gdtr, &state->idtr);
}

/* Not needed by the hypervisor itself; XSETBV on behalf of a cell is. */
static void enable_xsave(void)
{
	if (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)
		cr4_write(cr4_read() | CR4_OSXSAVE);
}

/* From entry.S, on the CPU's own stack, with the driver's tables. */
void __noreturn x86_cpu_entry(unsigned int cpu_id);
void __noreturn x86_cpu_entry(unsigned int cpu_id)
{
	struct per_cpu *cpu = this_cpu();

	linux_state_save(&cpu->arch.linux_state);
	cr4_write(cr4_read() & ~CR4_CET);
	dr7_write(DR7_INIT);
	descriptor_tables_load();
	enable_xsave();
	entry_failed(cpu, boot_cpu(cpu_id));
}

/* With SME active Linux' tables have the C bit, beyond the physical address width (APM 2, 7.10). */
static bool memory_is_encrypted(u64 linux_cr3)
{
	return linux_cr3 & ~(machine_limits.max_phys - 1) & ~CR3_NO_FLUSH;
}

static int check_linux_state(const struct per_cpu *cpu)
{
	unsigned int n;

	if (memory_is_encrypted(cpu->handover.cr3)) {
		printk("ERROR: not supported: memory encryption; boot with mem_encrypt=off\n");
		return trace_error(-EIO);
	}
	for (n = 0; n < ARRAY_SIZE(refused_cr4); n++)
		if (cpu->handover.cr4 & refused_cr4[n].bit) {
			printk("ERROR: not supported: %s\n", refused_cr4[n].name);
			return trace_error(-EIO);
		}
	return 0;
}

int arch_early_init(void)
{
	u32 sizes = cpuid(CPUID_ADDRESS_SIZES, 0).eax;
	int err;

	hv_paging_activate();
	machine_limits.max_phys = 1ULL << (sizes & 0xff);
	/* Nested tables have four levels here: 48 bits (APM 2, 15.25.3). */
	machine_limits.max_guest_phys = MIN(machine_limits.max_phys, 1ULL << 48);

	err = check_linux_state(this_cpu());
	if (!err)
		err = apic_init();
	if (!err)
		err = vcpu_vendor_init();
	return err;
}

int arch_cpu_init(struct per_cpu *cpu)
{
	int err;

	hv_paging_activate();
	err = check_linux_state(cpu);
	if (!err)
		err = apic_cpu_init(cpu);
	if (!err)
		err = vcpu_init(cpu);
	if (err)
		return err;
	printk("(APIC ID %u) ", cpu->arch.apic_id);
	return 0;
}

void arch_cpu_activate(void)
{
	vcpu_activate();
}

void arch_cpu_restore(struct per_cpu *cpu)
{
	vcpu_exit(cpu);
}

void arch_shutdown(void)
{
	vcpu_vendor_exit();
	apic_exit();
}

void arch_cpu_leave(void)
{
	vcpu_leave();
}

void arch_cpu_moved(struct per_cpu *cpu)
{
	cpu->arch.moved = true;
}

void arch_cpu_forget_signals(struct per_cpu *cpu)
{
	ipi_forget_events(cpu);
}

void arch_cpu_kick(struct per_cpu *cpu)
{
	apic_send_nmi(cpu);
}

void arch_flush_stage2(void)
{
	vcpu_flush_tlb();
}

u64 arch_ticks(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a" (lo), "=d" (hi));
	return lo | (u64)hi << 32;
}

u64 arch_ticks_per_ms(void)
{
	u32 khz = system_config->platform_info.x86.tsc_khz;

	return khz ? khz : TSC_KHZ_UNKNOWN;
}
