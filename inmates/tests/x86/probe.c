// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a CPU finds when its cell starts, for comparison with the contract:
 * REG, SEG, TABLE (first instruction), MSR, DR, APIC, CPUID, COMM lines.
 */
#include "report.h"

static const struct {
	const char *name;
	u32 msr;
} msrs[] = {
	{ "TSC", 0x10 },
	{ "APIC_BASE", MSR_APIC_BASE },
	{ "SYSENTER_CS", 0x174 },
	{ "SYSENTER_ESP", 0x175 },
	{ "SYSENTER_EIP", 0x176 },
	{ "DEBUGCTL", 0x1d9 },
	{ "PAT", MSR_PAT },
	{ "MTRR_DEF_TYPE", MSR_MTRR_DEF_TYPE },
	{ "EFER", MSR_EFER },
	{ "STAR", 0xc0000081 },
	{ "LSTAR", 0xc0000082 },
	{ "CSTAR", 0xc0000083 },
	{ "SFMASK", 0xc0000084 },
	{ "FS_BASE", 0xc0000100 },
	{ "GS_BASE", 0xc0000101 },
	{ "KERNEL_GS_BASE", 0xc0000102 },
	{ "TSC_AUX", 0xc0000103 },
	{ "SYSCFG", 0xc0010010 },
	{ "VM_CR", 0xc0010114 },
	{ "VM_HSAVE_PA", 0xc0010117 },
};

static const struct {
	const char *name;
	u8 reg;
} apic_regs[] = {
	{ "ID", APIC_REG_ID },
	{ "VERSION", APIC_REG_VERSION },
	{ "TPR", APIC_REG_TPR },
	{ "LDR", APIC_REG_LDR },
	{ "SVR", APIC_REG_SVR },
	{ "ESR", APIC_REG_ESR },
	{ "ICR", APIC_REG_ICR },
	{ "LVT_TIMER", APIC_REG_LVT_TIMER },
	{ "LVT_THERMAL", APIC_REG_LVT_THERMAL },
	{ "LVT_PMC", APIC_REG_LVT_PMC },
	{ "LVT_LINT0", APIC_REG_LVT_LINT0 },
	{ "LVT_LINT1", APIC_REG_LVT_LINT1 },
	{ "LVT_ERROR", APIC_REG_LVT_ERROR },
	{ "TIMER_INITIAL", APIC_REG_TIMER_INITIAL },
	{ "TIMER_CURRENT", APIC_REG_TIMER_CURRENT },
	{ "TIMER_DIVIDE", APIC_REG_TIMER_DIVIDE },
};

static void print_registers(void)
{
	const volatile struct boot_state *s = &boot_state;
	unsigned int n;

	printf("REG eax %x ecx %x edx %x ebx %x\n", s->eax, s->ecx, s->edx,
	       s->ebx);
	printf("REG esp %x ebp %x esi %x edi %x\n", s->esp, s->ebp, s->esi,
	       s->edi);
	for (n = 0; n < 8; n++)
		printf("REG r%u %llx\n", 8 + n, s->r8_to_r15[n]);
	printf("REG cr0 %x cr3 %x cr4 %x rflags %x\n", s->cr0, s->cr3, s->cr4,
	       s->rflags);
	printf("SEG cs %x ds %x es %x fs %x gs %x ss %x\n", s->cs, s->ds,
	       s->es, s->fs, s->gs, s->ss);
	printf("TABLE gdt %x %x idt %x %x\n", s->gdt_base, s->gdt_limit,
	       s->idt_base, s->idt_limit);
}

static void print_debug_registers(void)
{
	unsigned long dr0, dr3, dr6, dr7;

	asm volatile("mov %%dr0, %0" : "=r" (dr0));
	asm volatile("mov %%dr3, %0" : "=r" (dr3));
	asm volatile("mov %%dr6, %0" : "=r" (dr6));
	asm volatile("mov %%dr7, %0" : "=r" (dr7));
	printf("DR dr0 %lx dr3 %lx dr6 %lx dr7 %lx\n", dr0, dr3, dr6, dr7);
}

static void print_msr(const char *kind, const char *name, u32 msr)
{
	u64 value;

	if (msr_read_safe(msr, &value))
		printf("%s %s %llx\n", kind, name, value);
	else
		printf("%s %s gp\n", kind, name);
}

static void print_bits(const char *name, unsigned int first)
{
	unsigned int n;
	u64 value;

	printf("APIC %s", name);
	for (n = 0; n < 8; n++)
		if (msr_read_safe(MSR_X2APIC_BASE + first + n, &value))
			printf(" %llx", value);
		else
			printf(" gp");
	printf("\n");
}

static void print_apic(void)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(apic_regs); n++)
		print_msr("APIC", apic_regs[n].name,
			  MSR_X2APIC_BASE + apic_regs[n].reg);
	print_bits("ISR", APIC_REG_ISR0);
	print_bits("TMR", APIC_REG_TMR0);
	print_bits("IRR", APIC_REG_IRR0);
}

static void print_cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_result r = cpuid(leaf, subleaf);

	printf("CPUID %x.%x %x %x %x %x\n", leaf, subleaf, r.eax, r.ebx, r.ecx,
	       r.edx);
}

static void print_cpuid_leaves(void)
{
	u32 leaf, last = cpuid(0, 0).eax;

	for (leaf = 0; leaf <= last && leaf < 0x20; leaf++)
		print_cpuid(leaf, 0);
	print_cpuid(0xd, 1);
	for (leaf = 0x40000000; leaf <= 0x40000002; leaf++)
		print_cpuid(leaf, 0);
	last = cpuid(0x80000000, 0).eax;
	for (leaf = 0x80000000; leaf <= last && leaf < 0x80000020; leaf++)
		print_cpuid(leaf, 0);
}

static void print_comm(void)
{
	const u8 *p = (void *)COMM_REGION_BASE;
	unsigned int n, i;
	bool rest = false;

	for (n = 0; n < 80; n += 16) {
		printf("COMM %x", n);
		for (i = 0; i < 16; i++)
			printf(" %02x", p[n + i]);
		printf("\n");
	}
	for (; n < PAGE_SIZE; n++)
		rest |= p[n] != 0;
	printf("COMM rest %s\n", rest ? "dirty" : "zero");
}

void inmate_main(void)
{
	unsigned int n;
	u32 ss;

	asm volatile("mov %%ss, %0" : "=r" (ss));
	print_registers();
	print_debug_registers();
	for (n = 0; n < ARRAY_SIZE(msrs); n++)
		print_msr("MSR", msrs[n].name, msrs[n].msr);
	print_apic();
	print_cpuid_leaves();
	print_comm();
	printf("CPUS other %u\n", smp_wait_for_others());
	report_done("probe", ss == SEG_DATA);
}
