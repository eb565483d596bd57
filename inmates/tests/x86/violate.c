// SPDX-License-Identifier: GPL-2.0-only
/*
 * One access that a cell must not get away with, chosen by what=<name>.
 *
 * Parameters: addr, size, value, port, msr, reg, dest, dev, count; cpu=<n>
 * lets the n-th other CPU of the cell do it while this one goes on (line ALIVE
 * every 100 ms, messages answered).
 *
 * Output: WHAT <name>, CPU <apic id>, GO; then, if the hypervisor lets the
 * program go on, RESULT survived or RESULT exception <n> error <x>, VALUE <x>
 * where something was read, DONE violate ok.  Not returning is the point of
 * most of these.
 */
#include "hypercalls.h"
#include "report.h"

struct violation {
	const char *name;
	void (*act)(void *arg);
	/* What the parameters are when absent */
	u64 address, size, value;
};

static struct {
	u64 address, size, value, count;
	u64 result;
	bool has_result;
} par;

static const struct violation *chosen;
static volatile bool other_done;

static void set_result(u64 value)
{
	par.result = value;
	par.has_result = true;
}

/* --- memory --- */

static void map_target(void)
{
	map_range(par.address, par.size, MAP_CACHED);
}

static void mem_read(void *arg __maybe_unused)
{
	void *p = (void *)(unsigned long)par.address;

	map_target();
	switch (par.size) {
	case 1:
		set_result(mmio_read8(p));
		break;
	case 2:
		set_result(mmio_read16(p));
		break;
	case 8:
		set_result(mmio_read64(p));
		break;
	default:
		set_result(mmio_read32(p));
		break;
	}
}

static void mem_write(void *arg __maybe_unused)
{
	void *p = (void *)(unsigned long)par.address;

	map_target();
	switch (par.size) {
	case 1:
		mmio_write8(p, par.value);
		break;
	case 2:
		mmio_write16(p, par.value);
		break;
	case 8:
		mmio_write64(p, par.value);
		break;
	default:
		mmio_write32(p, par.value);
		break;
	}
}

static void mem_execute(void *arg __maybe_unused)
{
	map_target();
	((void (*)(void))(unsigned long)par.address)();
}

/* Accesses that no decoder of MOVs understands, on a trapped address. */
static void mem_movs(void *arg __maybe_unused)
{
	static u64 buffer;
	void *from = (void *)(unsigned long)par.address, *to = &buffer;

	map_target();
	asm volatile("movsb" : "+S" (from), "+D" (to) : : "memory");
}

static void mem_xchg(void *arg __maybe_unused)
{
	u32 value = par.value;

	map_target();
	asm volatile("xchgl %0, %1" : "+r" (value)
		: "m" (*(volatile u32 *)(unsigned long)par.address) : "memory");
	set_result(value);
}

static void mem_push(void *arg __maybe_unused)
{
	map_target();
	asm volatile("mov %%rsp, %%rcx; mov %0, %%rsp; push %%rax; mov %%rcx, %%rsp"
		: : "r" (par.address + 8) : "rcx", "memory");
}

static void mem_stos_rep(void *arg __maybe_unused)
{
	void *to = (void *)(unsigned long)par.address;
	unsigned long count = par.count;

	map_target();
	asm volatile("rep stosq" : "+D" (to), "+c" (count)
		: "a" (par.value) : "memory");
}

/* The page table itself lies where the cell has no memory. */
static void page_table_outside(void *arg __maybe_unused)
{
	cr3_write(par.address);
}

/* A descriptor table there: reading it is the processor's doing. */
static void gdt_outside(void *arg __maybe_unused)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) ptr = { 0xff, par.address };

	map_target();
	asm volatile("lgdt %0; mov %1, %%fs" : : "m" (ptr), "r" (SEG_DATA));
}

/* --- ports --- */

static void port_read(void *arg __maybe_unused)
{
	switch (par.size) {
	case 1:
		set_result(port_in8(par.address));
		break;
	case 2:
		set_result(port_in16(par.address));
		break;
	default:
		set_result(port_in32(par.address));
		break;
	}
}

static void port_write(void *arg __maybe_unused)
{
	switch (par.size) {
	case 1:
		port_out8(par.address, par.value);
		break;
	case 2:
		port_out16(par.address, par.value);
		break;
	default:
		port_out32(par.address, par.value);
		break;
	}
}

static void port_string(void *arg __maybe_unused)
{
	static u8 buffer[16];
	void *to = buffer;
	unsigned long count = par.count < 16 ? par.count : 16;

	asm volatile("rep insb" : "+D" (to), "+c" (count)
		: "d" ((u16)par.address) : "memory");
}

/* --- registers --- */

static void do_rdmsr(void *arg __maybe_unused)
{
	set_result(msr_read(par.address));
}

static void do_wrmsr(void *arg __maybe_unused)
{
	msr_write(par.address, par.value);
}

static void do_xsetbv(void *arg __maybe_unused)
{
	if (!cmdline_flag("no-osxsave", false))
		cr4_write(cr4_read() | X86_CR4_OSXSAVE);
	asm volatile("xsetbv" : : "c" ((u32)par.address),
		"a" ((u32)par.value), "d" ((u32)(par.value >> 32)));
}

static void cr0_set(void *arg __maybe_unused)
{
	cr0_write(cr0_read() | par.value);
	set_result(cr0_read());
}

static void cr0_clear(void *arg __maybe_unused)
{
	cr0_write(cr0_read() & ~par.value);
	set_result(cr0_read());
}

static void cr4_set(void *arg __maybe_unused)
{
	cr4_write(cr4_read() | par.value);
	set_result(cr4_read());
}

static void cr8_set(void *arg __maybe_unused)
{
	asm volatile("mov %0, %%cr8" : : "r" (par.value));
	asm volatile("mov %%cr8, %0" : "=r" (par.result));
	par.has_result = true;
}

static void do_cpuid(void *arg __maybe_unused)
{
	u64 n;

	for (n = 0; n < par.count; n++)
		set_result(cpuid(par.address, 0).ecx);
}

/* --- local and I/O APIC --- */

static void apic_set(void *arg __maybe_unused)
{
	apic_write(par.address, par.value);
}

static void apic_icr(void *arg __maybe_unused)
{
	/* address: destination */
	apic_send_ipi(par.address, par.value);
}

static void ioapic_set(void *arg __maybe_unused)
{
	ioapic_init();
	ioapic_write(par.address, par.value);
	set_result(ioapic_read(par.address));
}

static void ioapic_raw(void *arg __maybe_unused)
{
	ioapic_init();
	mmio_write32((void *)(IOAPIC_BASE + par.address), par.value);
}

/* --- PCI: address is bdf << 16 | register --- */

static void pci_get(void *arg __maybe_unused)
{
	set_result(pci_read(par.address >> 16, par.address & 0xfff, par.size));
}

static void pci_set(void *arg __maybe_unused)
{
	pci_write(par.address >> 16, par.address & 0xfff, par.value, par.size);
}

static u64 mmconfig_address(void)
{
	return comm_region()->pci_mmconfig_base + ((par.address >> 16) << 12) +
		(par.address & 0xfff);
}

static void mmconfig_get(void *arg)
{
	par.address = mmconfig_address();
	mem_read(arg);
}

static void mmconfig_set(void *arg)
{
	par.address = mmconfig_address();
	mem_write(arg);
}

/* --- instructions --- */

#define DEFINE_INSN(name, text)						\
static void do_##name(void *arg __maybe_unused)				\
{									\
	asm volatile(text : : "a" (par.address), "c" (0), "d" (0)	\
		: "memory", "cc");					\
}
DEFINE_INSN(vmrun, "vmrun")
DEFINE_INSN(vmload, "vmload")
DEFINE_INSN(vmsave, "vmsave")
DEFINE_INSN(stgi, "stgi")
DEFINE_INSN(clgi, "clgi")
DEFINE_INSN(skinit, "skinit")
DEFINE_INSN(invlpga, "invlpga")
DEFINE_INSN(vmcall, "vmcall")
DEFINE_INSN(vmxoff, ".byte 0x0f, 0x01, 0xc4")
DEFINE_INSN(wbinvd, "wbinvd")
DEFINE_INSN(invd, "invd")
DEFINE_INSN(rsm, "rsm")
DEFINE_INSN(monitor, "monitor")
DEFINE_INSN(icebp, ".byte 0xf1")
DEFINE_INSN(hlt_forever, "cli; hlt")
DEFINE_INSN(spin_forever, "cli; 1: pause; jmp 1b")

static void triple_fault(void *arg __maybe_unused)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) none = { 0, 0 };

	asm volatile("lidt %0; int3" : : "m" (none));
}

/* --- hypercalls --- */

/* address: another cell's CPU, value: own CPU number */
static void hypercall_table(void *arg __maybe_unused)
{
	print_hypercalls(par.value, par.address);
}

static void one_hypercall(void *arg __maybe_unused)
{
	/* dest is the second argument */
	set_result((u32)hypercall(par.address, par.value,
				  cmdline_int("dest", 0)));
}

/* --- choice --- */

static const struct violation violations[] = {
	{ "mem-read", mem_read, 0x10000000, 4, 0 },
	{ "mem-write", mem_write, 0x10000000, 4, 0x5a5a5a5a },
	{ "mem-exec", mem_execute, 0x10000000, 4, 0 },
	{ "mem-movs", mem_movs, 0x10000000, 4, 0 },
	{ "mem-xchg", mem_xchg, 0x10000000, 4, 0 },
	{ "mem-push", mem_push, 0x10000000, 4, 0 },
	{ "mem-stos", mem_stos_rep, 0x10000000, 8, 0 },
	{ "hv-mem", mem_write, 0x3a000000, 4, 0 },
	{ "page-table", page_table_outside, 0x10000000, 4, 0 },
	{ "gdt", gdt_outside, 0x10000000, 4, 0 },
	/* In the 32-bit sub-page region of test-subpage */
	{ "unaligned", mem_read, 0x800002, 4, 0 },
	{ "subpage-width", mem_read, 0x800000, 2, 0 },
	{ "subpage-gap", mem_read, 0x800080, 4, 0 },
	{ "subpage-ro", mem_write, 0x800100, 4, 0 },
	{ "port-in", port_read, 0x70, 1, 0 },
	{ "port-out", port_write, 0x70, 1, 0 },
	{ "string-io", port_string, 0x70, 1, 0 },
	{ "rdmsr", do_rdmsr, 0xc0010117, 8, 0 },
	{ "wrmsr", do_wrmsr, 0x200, 8, 0 },
	{ "apicbase", do_wrmsr, MSR_APIC_BASE, 8, 0xfee00000 },
	{ "efer-svme", do_wrmsr, MSR_EFER, 8, 0x500 },
	{ "efer-reserved", do_wrmsr, MSR_EFER, 8, 0xffff0000 },
	{ "pat", do_wrmsr, MSR_PAT, 8, 0x0202020202020202 },
	{ "xsetbv", do_xsetbv, 0, 8, ~0ULL },
	{ "cr0-set", cr0_set, 0, 8, 0x100000000 },
	{ "cr0-clear", cr0_clear, 0, 8, X86_CR0_PE },
	{ "cr4-set", cr4_set, 0, 8, X86_CR4_LA57 },
	{ "cr8", cr8_set, 0, 8, 0xf },
	{ "cpuid", do_cpuid, JAILHOUSE_CPUID_SIGNATURE, 8, 0 },
	{ "apic-lvt", apic_set, APIC_REG_LVT_LINT0, 4, 0x700 },
	{ "apic-nmi", apic_set, APIC_REG_LVT_TIMER, 4, APIC_LVT_NMI },
	{ "apic-ldr", apic_set, APIC_REG_LDR, 4, 0xff000000 },
	{ "apic-reserved", apic_set, APIC_REG_SVR, 4, 0xffffffff },
	{ "apic-icr", apic_icr, 0, 4, APIC_ICR_FIXED | 0x40 },
	{ "nmi-ipi", apic_icr, 0, 4, APIC_ICR_NMI | APIC_ICR_ASSERT },
	{ "foreign-ipi", apic_icr, 0, 4, 0x20 | APIC_ICR_ASSERT },
	{ "foreign-init", apic_icr, 0, 4, APIC_ICR_INIT | APIC_ICR_ASSERT },
	{ "foreign-sipi", apic_icr, 0, 4, APIC_ICR_SIPI | APIC_ICR_ASSERT },
	{ "smi-ipi", apic_icr, 0, 4, 0x200 | APIC_ICR_ASSERT },
	{ "init-all", apic_icr, 0, 4, APIC_ICR_OTHERS | APIC_ICR_INIT },
	{ "nmi-all", apic_icr, 0, 4, APIC_ICR_OTHERS | APIC_ICR_NMI },
	{ "apic-mmio-read", mem_read, 0xfee00020, 4, 0 },
	{ "apic-mmio-write", mem_write, 0xfee00080, 4, 0 },
	{ "apic-mmio-odd", mem_write, 0xfee00084, 4, 0 },
	{ "ioapic", ioapic_set, 0x10, 4, 0 },
	{ "ioapic-raw", ioapic_raw, 0x20, 4, 0 },
	{ "pci-read", pci_get, 0x00100000, 4, 0 },
	{ "pci-write", pci_set, 0x00100004, 2, 0 },
	{ "mmconfig-read", mmconfig_get, 0x00100000, 4, 0 },
	{ "mmconfig-write", mmconfig_set, 0x00100004, 4, 0 },
	{ "vmrun", do_vmrun, 0x10000, 8, 0 },
	{ "vmload", do_vmload, 0x10000, 8, 0 },
	{ "vmsave", do_vmsave, 0x10000, 8, 0 },
	{ "stgi", do_stgi, 0, 8, 0 },
	{ "clgi", do_clgi, 0, 8, 0 },
	{ "skinit", do_skinit, 0, 8, 0 },
	{ "invlpga", do_invlpga, 0, 8, 0 },
	{ "vmcall", do_vmcall, 5, 8, 0 },
	{ "vmxoff", do_vmxoff, 0, 8, 0 },
	{ "wbinvd", do_wbinvd, 0, 8, 0 },
	{ "invd", do_invd, 0, 8, 0 },
	{ "rsm", do_rsm, 0, 8, 0 },
	{ "monitor", do_monitor, 0x10000, 8, 0 },
	{ "icebp", do_icebp, 0, 8, 0 },
	{ "hlt", do_hlt_forever, 0, 8, 0 },
	{ "spin", do_spin_forever, 0, 8, 0 },
	{ "triple-fault", triple_fault, 0, 8, 0 },
	{ "hypercall-table", hypercall_table, 0, 8, 2 },
	{ "hypercall", one_hypercall, 0, 8, 0 },
};

static const struct violation *find_violation(const char *name)
{
	const struct violation *v;

	for (v = violations; v < violations + ARRAY_SIZE(violations); v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return 0;
}

/* addr, port, msr, reg, dest and dev are names of the same thing. */
static void read_parameters(const struct violation *v)
{
	static const char *const names[] = {
		"addr", "port", "msr", "reg", "dest", "nr",
	};
	unsigned int n;

	par.address = v->address;
	for (n = 0; n < ARRAY_SIZE(names); n++)
		par.address = cmdline_int(names[n], par.address);
	par.size = cmdline_int("size", v->size);
	par.value = cmdline_int("value", v->value);
	par.count = cmdline_int("count", 1);
	if (v->act == pci_get || v->act == pci_set ||
	    v->act == mmconfig_get || v->act == mmconfig_set)
		par.address = (cmdline_int("dev", v->address >> 16) << 16) |
			cmdline_int("reg", v->address & 0xffff);
}

static void act(void)
{
	int vector;

	printf("CPU %u\nGO\n", apic_id());
	vector = trap_catch(chosen->act, 0);
	if (vector < 0)
		printf("RESULT survived\n");
	else
		printf("RESULT exception %d error %lx\n", vector,
		       trap_caught.error);
	if (vector < 0 && par.has_result)
		printf("VALUE %llx\n", par.result);
	other_done = true;
}

static void watch_other(void)
{
	unsigned int n = 0;

	while (!other_done) {
		delay_us(100000);
		printf("ALIVE %u\n", ++n);
		comm_serve();
	}
}

void inmate_main(void)
{
	char name[24] = "";
	int cpu = cmdline_int("cpu", 0);

	apic_init();
	cmdline_find("what", name, sizeof(name));
	chosen = find_violation(name);
	printf("WHAT %s\n", name);
	if (!chosen) {
		printf("ERROR unknown violation\n");
		report_done("violate", false);
	}
	read_parameters(chosen);
	if (cpu == 0) {
		act();
	} else if (smp_wait_for_others() < (unsigned int)cpu ||
		   !smp_start_cpu(smp_other_id(cpu - 1), act)) {
		printf("ERROR no such CPU\n");
		report_done("violate", false);
	} else {
		watch_other();
	}
	report_done("violate", true);
}
