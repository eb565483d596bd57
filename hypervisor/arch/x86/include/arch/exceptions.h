/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypervisor's own descriptor tables (arch/x86/exceptions.c). */
#ifndef ARCH_EXCEPTIONS_H
#define ARCH_EXCEPTIONS_H

/* GDT, IDT and segment registers of the calling CPU. */
void descriptor_tables_load(void);

#include <arch/percpu.h>

/* Leave through the stub, with what is in the handover area (of the vendor). */
void linux_return(const struct desc_ptr *gdtr, const struct desc_ptr *idtr)
	__attribute__((noreturn));

#endif
