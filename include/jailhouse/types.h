/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fixed-width integers for freestanding users of the public headers:
 * hypervisor, inmates and configuration files.  The Linux driver has its own.
 */
#ifndef JAILHOUSE_TYPES_H
#define JAILHOUSE_TYPES_H

#ifdef __KERNEL__
#include <linux/types.h>
#elif !defined(__ASSEMBLER__)

typedef signed char s8;
typedef unsigned char u8;
typedef signed short s16;
typedef unsigned short u16;
typedef signed int s32;
typedef unsigned int u32;
typedef signed long long s64;
typedef unsigned long long u64;

#ifdef JAILHOUSE_HOST_BUILD
/* Host unit tests: libc brings the double-underscore forms itself. */
#include <linux/types.h>
#else
typedef s8 __s8;
typedef u8 __u8;
typedef s16 __s16;
typedef u16 __u16;
typedef s32 __s32;
typedef u32 __u32;
typedef s64 __s64;
typedef u64 __u64;
#endif

#endif /* !__ASSEMBLER__ */
#endif
