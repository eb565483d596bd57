/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_FIRMWARE_H
#define ARCH_FIRMWARE_H

#include <core/types.h>

/* SMC of ours: function and one argument (Arm DEN 0028); x0. */
long firmware_call(u32 function, u64 arg);

#endif
