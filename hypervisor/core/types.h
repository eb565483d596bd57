/* SPDX-License-Identifier: GPL-2.0-only */
/* Integers, address spaces and small helpers used everywhere. */
#ifndef CORE_TYPES_H
#define CORE_TYPES_H

#include <jailhouse/types.h>

#ifdef JAILHOUSE_HOST_BUILD
#include <stdbool.h>
#include <stddef.h>
#else
typedef _Bool bool;
#define true	1
#define false	0
typedef __SIZE_TYPE__ size_t;
#define NULL	((void *)0)
#define offsetof(type, member)	__builtin_offsetof(type, member)
#endif

/*
 * Host-physical and guest-physical addresses are types of their own, so that
 * one is never taken for the other; hypervisor-virtual addresses are pointers.
 */
typedef struct { u64 raw; } hpa_t;
typedef struct { u64 raw; } gpa_t;

static inline hpa_t hpa(u64 raw) { return (hpa_t){ raw }; }
static inline gpa_t gpa(u64 raw) { return (gpa_t){ raw }; }

#define INVALID_HPA	hpa(~0ULL)

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096ULL
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define PAGE_OFFS_MASK	(PAGE_SIZE - 1)
#define PAGE_ALIGN(x)	(((x) + PAGE_SIZE - 1) & PAGE_MASK)
#define PAGES(x)	(((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)

#define BITS_PER_LONG	64
#define __packed	__attribute__((packed))
#define __aligned(n)	__attribute__((aligned(n)))
#define __noreturn	__attribute__((noreturn))
#define __used		__attribute__((used))
#define __cold		__attribute__((cold, noinline))
#define __must_check	__attribute__((warn_unused_result))
#define __printf(f, a)	__attribute__((format(printf, f, a)))

#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/* Negative return values of interfaces: Linux's numbers (abi.md 3.3). */
#define EPERM	1
#define ENOENT	2
#define EIO	5
#define E2BIG	7
#define ENOMEM	12
#define EBUSY	16
#define EEXIST	17
#define ENODEV	19
#define EINVAL	22
#define ERANGE	34
#define ENOSYS	38

#endif
