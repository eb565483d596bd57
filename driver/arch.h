/* SPDX-License-Identifier: GPL-2.0-only */
/* What the module asks of the architecture (x86/, arm64/). */
#ifndef DRIVER_ARCH_H
#define DRIVER_ARCH_H

#include <jailhouse/cell-config.h>
#include <jailhouse/image.h>

/* arch_hypercall(), ARCH_CONFIG; ARCH_PINNED_CPU where there is such a CPU */
#ifdef CONFIG_X86_64
#include "x86/hypercall.h"
#elif defined(CONFIG_ARM64)
#include "arm64/hypercall.h"
#include "arm64/caches.h"
#else
#error "only x86-64 and arm64 are implemented"
#endif

/* Firmware file for this machine; NULL: no (usable) virtualisation. */
const char *arch_firmware_name(void);

/* CPU features and states, on every online CPU. 0 or an error of abi 2.5, with a line. */
int arch_check_cpus(void);

/* Replace what the configuration leaves to be measured. May sleep. */
int arch_fill_config(struct jailhouse_system *config);

/* Build and free what is needed to enter; the header is completed. */
int arch_prepare_entry(struct jailhouse_image_header *header, u64 phys, u64 size);
void arch_finish_entry(void);

#ifdef CONFIG_ARM64
/* Nothing changes in the hypervisor's memory any more: CPUs with caches off shall see it. */
void arch_last_preparation(void);
/* What was written will be read with caches off, and executed. */
static inline void arch_publish_image(const void *image, size_t size)
{
	caches_clean(image, size);
	caches_invalidate_instructions();
}
#else
static inline void arch_last_preparation(void) { }
static inline void arch_publish_image(const void *image, size_t size) { }
#endif

/* On every CPU at the same time, interrupts off. Returns what the hypervisor returns. */
int arch_enter(unsigned int cpu);

/* On every CPU, interrupts off, when it is Linux' own again. */
void arch_left(void);

/* Counters that this architecture adds to the common ones: names in order. */
extern const char * const arch_stat_names[];
extern const unsigned int arch_num_stats;

#endif
