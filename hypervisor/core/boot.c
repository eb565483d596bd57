// SPDX-License-Identifier: GPL-2.0-only
/*
 * The boot story (abi.md 2.6), and the way back.
 *
 * All online CPUs come in at the same time.  The first to get the lock is the
 * master: it sets up what there is once.  Then each CPU in turn takes over
 * Linux' state.  The master starts the units and maps the root cell.  All CPUs
 * then enter the guest - or, if anything failed anywhere, all of them go back
 * to Linux with the same error.
 */
#include <core/boot.h>
#include <core/cell_internal.h>
#include <core/config.h>
#include <core/cpu.h>
#include <core/printk.h>
#include <core/sections.h>
#include <core/unit.h>
#include <core/version.h>
#include <arch/cpu.h>
#include <arch/paging.h>
#include <lib/bitmap.h>
#include <lib/spinlock.h>

/* Linux calls all CPUs at once; an emulator may starve one of them for a while. */
#define MEET_TIMEOUT_MS		30000
#define NO_CPU			(~0U)

enum { UNDECIDED = 0, GO = 1 };	/* negative: error */

static struct {
	u32 lock;
	unsigned int master;
	unsigned int entered, prepared, restored;	/* CPUs */
	int decision;
	unsigned int units_running;
	bool arch_touched;
} boot = { .master = NO_CPU };

struct config_limits machine_limits;

/* --- Agreement ------------------------------------------------------------------ */

static int decision(void)
{
	return __atomic_load_n(&boot.decision, __ATOMIC_ACQUIRE);
}

/* The first word counts. */
static void decide(int value)
{
	int undecided = UNDECIDED;

	if (value != UNDECIDED)
		__atomic_compare_exchange_n(&boot.decision, &undecided, value, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Until all CPUs have been here, or it does not matter any more. */
static void meet(unsigned int *counter)
{
	u64 end = ticks_from_now(MEET_TIMEOUT_MS);

	__atomic_add_fetch(counter, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(counter, __ATOMIC_ACQUIRE) < hypervisor_header.online_cpus &&
	       decision() == UNDECIDED) {
		if ((s64)(arch_ticks() - end) > 0)
			decide(-EBUSY);
		cpu_relax();
	}
}

static void wait_for_decision(void)
{
	u64 end = ticks_from_now(MEET_TIMEOUT_MS);

	while (decision() == UNDECIDED) {
		if ((s64)(arch_ticks() - end) > 0)
			decide(-EBUSY);
		cpu_relax();
	}
}

/* --- Early: the master alone ------------------------------------------------------ */

static void limits_init(void)
{
	machine_limits = (struct config_limits){
		.hv_start = hypervisor_header.region_phys,
		.hv_size = hypervisor_header.region_size,
		.max_phys = 1ULL << 52,		/* until arch_early_init() knows better */
		.max_guest_phys = 1ULL << 52,
		.max_cpus = hypervisor_header.max_cpus,
		.mmconfig_base = system_config->platform_info.pci_mmconfig_base,
		.mmconfig_size = (system_config->platform_info.pci_mmconfig_end_bus + 1ULL) << 20,
	};
}

static int map_to_root(const void *virt, const void *contents)
{
	const struct jailhouse_memory page = {
		.phys_start = virt_to_hpa(contents).raw,
		.virt_start = virt_to_hpa(virt).raw,
		.size = PAGE_SIZE,
		.flags = JAILHOUSE_MEM_READ,
	};

	return arch_map_memory_region(&root_cell, &page);
}

/* Linux may read where the hypervisor is without being parked; it sees zeroes, and the log. */
static int map_own_region_to_root(void)
{
	bool show_log = system_config->flags & JAILHOUSE_SYS_VIRTUAL_DEBUG_CONSOLE;
	const void *empty = page_alloc(&mem_pool, 1);
	const void *log_page = __image_start + hypervisor_header.console_page;
	int err = empty ? 0 : trace_error(-ENOMEM);

	for (u64 offset = 0; offset < hypervisor_header.region_size && !err; offset += PAGE_SIZE)
		err = map_to_root(__image_start + offset, empty);
	if (!err && show_log)
		err = map_to_root(log_page, log_page);
	return err;
}

static int early_memory(void)
{
	int err = hv_paging_init();

	if (err)
		return err;
	hv_paging_activate();
	return 0;
}

static int early_init(unsigned int cpu_id)
{
	u64 config_size = hypervisor_header.config_size;
	int err = early_memory();

	if (config_size >= sizeof(*system_config))
		console_init();
	printk("\nInitializing Jailhouse hypervisor %s on CPU %u\n", hypervisor_version, cpu_id);
	printk("Code location: %p\n", __text_start);
	if (err)
		return trace_error(err);

	limits_init();
	err = config_check_system(system_config, config_size, &machine_limits);
	if (!err)
		err = root_cell_init();
	this_cpu()->cell = &root_cell;
	if (!err) {
		boot.arch_touched = true;
		err = arch_early_init();
	}
	/* Again, with the address widths that this machine really has. */
	if (!err)
		err = config_check_system(system_config, config_size, &machine_limits);
	if (!err)
		err = arch_cell_init(&root_cell);
	if (!err)
		err = map_own_region_to_root();
	if (err)
		return err;
	page_pools_report("after early setup");
	printk("Initializing processors:\n");
	return 0;
}

/* --- Each CPU, one after the other -------------------------------------------------- */

static int cpu_init(struct per_cpu *cpu)
{
	int err;

	hv_paging_activate();
	cpu->cell = &root_cell;
	printk(" CPU %u... ", cpu->cpu_id);
	err = cell_owns_cpu(&root_cell, cpu->cpu_id) ? arch_cpu_init(cpu) : trace_error(-EINVAL);
	printk(err ? "FAILED\n" : "OK\n");
	cpu->initialized = !err;
	return err;
}

static void prepare(struct per_cpu *cpu)
{
	spin_lock(&boot.lock);
	if (boot.master == NO_CPU && decision() == UNDECIDED) {
		boot.master = cpu->cpu_id;
		decide(early_init(cpu->cpu_id));
	}
	if (decision() == UNDECIDED)
		decide(cpu_init(cpu));
	spin_unlock(&boot.lock);
}

/* --- Late: the master, all CPUs prepared --------------------------------------------- */

static int units_start(void)
{
	int err;

	for (; units[boot.units_running]; boot.units_running++) {
		const struct unit *unit = units[boot.units_running];

		printk("Initializing unit: %s\n", unit->name);
		err = unit->init ? unit->init() : 0;
		if (err)
			return err;
	}
	return 0;
}

static void units_stop(void)
{
	while (boot.units_running--)
		if (units[boot.units_running]->shutdown)
			units[boot.units_running]->shutdown();
	boot.units_running = 0;
}

static void report_skipped_devices(void)
{
	const struct jailhouse_cell_desc *desc = root_cell.config;
	const struct jailhouse_pci_device *dev = jailhouse_cell_pci_devices(desc);
	unsigned int count = 0;

	for (unsigned int n = 0; n < desc->num_pci_devices; n++)
		count += dev[n].type == JAILHOUSE_PCI_TYPE_IVSHMEM;
	if (count)
		printk("ivshmem: not implemented yet, %u device(s) of the root cell skipped\n",
		       count);
}

static int late_init(void)
{
	unsigned long cpus = bitmap_count(root_cell.cpus, hypervisor_header.max_cpus);
	int err;

	if (cpus != hypervisor_header.online_cpus) {
		printk("Root cell has %lu CPUs, but %u are online\n", cpus,
		       hypervisor_header.online_cpus);
		return trace_error(-EINVAL);
	}
	err = units_start();
	if (!err)
		err = cell_units_init(&root_cell);
	if (!err)
		err = root_map_all();
	if (err)
		return err;
	report_skipped_devices();
	cell_commit(NULL);
	page_pools_report("after late setup");
	printk("Activating hypervisor\n");
	return 0;
}

static void complete(void)
{
	int err = decision() == UNDECIDED ? late_init() : decision();

	decide(err ? err : GO);
	if (decision() != GO)
		units_stop();
}

/* Each CPU undoes its own part, the master what there is once when the others are out. */
static int give_up(struct per_cpu *cpu)
{
	u64 end = ticks_from_now(MEET_TIMEOUT_MS);

	if (cpu->initialized)
		arch_cpu_restore(cpu);
	__atomic_add_fetch(&boot.restored, 1, __ATOMIC_ACQ_REL);
	if (cpu->cpu_id != boot.master)
		return decision();
	while (__atomic_load_n(&boot.restored, __ATOMIC_ACQUIRE) <
	       __atomic_load_n(&boot.entered, __ATOMIC_ACQUIRE) &&
	       (s64)(arch_ticks() - end) < 0)
		cpu_relax();
	if (boot.arch_touched)
		arch_shutdown();
	return decision();
}

int boot_cpu(unsigned int cpu_id)
{
	struct per_cpu *cpu = this_cpu();

	cpu->cpu_id = cpu_id;
	system_config = (struct jailhouse_system *)per_cpu(hypervisor_header.max_cpus);

	meet(&boot.entered);
	prepare(cpu);
	meet(&boot.prepared);
	if (cpu_id == boot.master)
		complete();
	else
		wait_for_decision();

	if (decision() != GO)
		return give_up(cpu);
	arch_cpu_activate();
}

/* --- Leaving --------------------------------------------------------------------------- */

/* Root CPUs come in by hypercall 0, as they came by boot_cpu(). */
static struct leaving {
	u32 lock;
	unsigned int arrived;
	volatile bool done;	/* hang reports look at it */
} leaving;

/* Without the last CPU nobody leaves; the last of those that waited lets others manage again. */
static int stop_waiting(void)
{
	bool done;

	spin_lock(&leaving.lock);
	done = leaving.done;
	if (!done && --leaving.arrived == 0)
		management_done();
	spin_unlock(&leaving.lock);
	return done ? 0 : trace_error(-EBUSY);
}

static int wait_for_all(void)
{
	u64 end = ticks_from_now(MEET_TIMEOUT_MS);

	while (!leaving.done) {
		if ((s64)(arch_ticks() - end) > 0)
			return stop_waiting();
		cpu_relax();
	}
	return 0;
}

/* The last one to come restores the machine; all others are in the hypervisor. */
static void arrive(void)
{
	if (++leaving.arrived < bitmap_count(root_cell.cpus, hypervisor_header.max_cpus))
		return;
	printk("Shutting down hypervisor\n");
	units_stop();
	leaving.done = true;
}

int hypervisor_disable(void)
{
	int err = 0;

	spin_lock(&leaving.lock);
	if (root_cell.next || (leaving.arrived == 0 && !management_try()))
		err = trace_error(-EBUSY);
	else
		arrive();
	spin_unlock(&leaving.lock);

	if (!err)
		err = wait_for_all();
	if (err)
		return err;
	printk(" Releasing CPU %u\n", this_cpu()->cpu_id);
	return 0;
}
