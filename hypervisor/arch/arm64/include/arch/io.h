/* SPDX-License-Identifier: GPL-2.0-only */
/* Device memory: exactly one access of the given width. There are no ports. */
#ifndef ARCH_IO_H
#define ARCH_IO_H

#include <core/types.h>

static inline u8 inb(u16 port) { (void)port; return 0xff; }
static inline void outb(u8 v, u16 port) { (void)v; (void)port; }

static inline u8 mmio_read8(const void *a) { return *(const volatile u8 *)a; }
static inline u16 mmio_read16(const void *a) { return *(const volatile u16 *)a; }
static inline u32 mmio_read32(const void *a) { return *(const volatile u32 *)a; }
static inline u64 mmio_read64(const void *a) { return *(const volatile u64 *)a; }
static inline void mmio_write8(void *a, u8 v) { *(volatile u8 *)a = v; }
static inline void mmio_write16(void *a, u16 v) { *(volatile u16 *)a = v; }
static inline void mmio_write32(void *a, u32 v) { *(volatile u32 *)a = v; }
static inline void mmio_write64(void *a, u64 v) { *(volatile u64 *)a = v; }

#endif
