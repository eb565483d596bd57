/* SPDX-License-Identifier: GPL-2.0-only */
/* Raw access to ports and device memory. Host tests bring a fake of this file. */
#ifndef ARCH_IO_H
#define ARCH_IO_H

#include <core/types.h>

static inline u8 inb(u16 port)
{
	u8 v;
	asm volatile("inb %1,%0" : "=a" (v) : "Nd" (port));
	return v;
}
static inline u16 inw(u16 port)
{
	u16 v;
	asm volatile("inw %1,%0" : "=a" (v) : "Nd" (port));
	return v;
}
static inline u32 inl(u16 port)
{
	u32 v;
	asm volatile("inl %1,%0" : "=a" (v) : "Nd" (port));
	return v;
}
static inline void outb(u8 v, u16 port)
{
	asm volatile("outb %0,%1" : : "a" (v), "Nd" (port));
}
static inline void outw(u16 v, u16 port)
{
	asm volatile("outw %0,%1" : : "a" (v), "Nd" (port));
}
static inline void outl(u32 v, u16 port)
{
	asm volatile("outl %0,%1" : : "a" (v), "Nd" (port));
}

/* Device memory: exactly one access of the given width. */
static inline u8 mmio_read8(const void *a) { return *(const volatile u8 *)a; }
static inline u16 mmio_read16(const void *a) { return *(const volatile u16 *)a; }
static inline u32 mmio_read32(const void *a) { return *(const volatile u32 *)a; }
static inline u64 mmio_read64(const void *a) { return *(const volatile u64 *)a; }
static inline void mmio_write8(void *a, u8 v) { *(volatile u8 *)a = v; }
static inline void mmio_write16(void *a, u16 v) { *(volatile u16 *)a = v; }
static inline void mmio_write32(void *a, u32 v) { *(volatile u32 *)a = v; }
static inline void mmio_write64(void *a, u64 v) { *(volatile u64 *)a = v; }

#endif
