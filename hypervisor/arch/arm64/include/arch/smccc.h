/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_SMCCC_H
#define ARCH_SMCCC_H

/* Once: what the firmware knows. */
void smccc_init(void);

#endif
