/* SPDX-License-Identifier: GPL-2.0-only */
/* What the test module needs of the architecture: tests/x86.c, tests/arm64.c. */
#ifndef DRIVER_TESTS_ARCH_H
#define DRIVER_TESTS_ARCH_H

#ifdef CONFIG_X86_64
#include "../x86/hypercall.h"
#else
#include "../arm64/hypercall.h"
#endif
#include "hvcall.h"

/* NULL: there is no such operation here.  Run on the chosen CPU, interrupts off. */
typedef void (*hvcall_operation)(struct hvcall *call);
hvcall_operation hvcall_arch_operation(unsigned int op);

#endif
