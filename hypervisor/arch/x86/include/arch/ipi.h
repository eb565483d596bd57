/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupts between CPUs of a cell (arch/x86/ipi.c). */
#ifndef ARCH_IPI_H
#define ARCH_IPI_H

#include <core/percpu.h>

/*
 * The running guest wrote its ICR; hi as in the register: an id in its upper
 * byte (xAPIC) or the whole destination (x2APIC format).  false: violation.
 */
bool ipi_send(u32 lo, u32 hi, bool x2apic_format);

/* What INIT and SIPI ask of this CPU, one at a time, in order. */
enum ipi_event { IPI_EVENT_NONE, IPI_EVENT_INIT, IPI_EVENT_SIPI };
enum ipi_event ipi_next_event(struct per_cpu *cpu, unsigned int *vector);
/* The cell starts or stops this CPU: what was signalled before is void. */
void ipi_forget_events(struct per_cpu *cpu);

#endif
