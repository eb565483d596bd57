/* SPDX-License-Identifier: GPL-2.0-only */
/* Ports and device memory are whatever the test says (fake/io.c). */
#ifndef FAKE_ARCH_IO_H
#define FAKE_ARCH_IO_H

#include <core/types.h>

/* NULL: ports read all ones and swallow writes; device memory is memory. */
extern u32 (*fake_port_read)(u16 port, unsigned int size);
extern void (*fake_port_write)(u16 port, unsigned int size, u32 value);
extern u64 (*fake_mmio_read)(const void *address, unsigned int size);
extern void (*fake_mmio_write)(void *address, unsigned int size, u64 value);

u64 fake_mmio_load(const void *address, unsigned int size);
void fake_mmio_store(void *address, unsigned int size, u64 value);

static inline u32 fake_in(u16 port, unsigned int size)
{
	return fake_port_read ? fake_port_read(port, size) : ~0U;
}
static inline void fake_out(u16 port, unsigned int size, u32 value)
{
	if (fake_port_write)
		fake_port_write(port, size, value);
}

static inline u8 inb(u16 port) { return (u8)fake_in(port, 1); }
static inline u16 inw(u16 port) { return (u16)fake_in(port, 2); }
static inline u32 inl(u16 port) { return fake_in(port, 4); }
static inline void outb(u8 v, u16 port) { fake_out(port, 1, v); }
static inline void outw(u16 v, u16 port) { fake_out(port, 2, v); }
static inline void outl(u32 v, u16 port) { fake_out(port, 4, v); }

static inline u8 mmio_read8(const void *a) { return (u8)fake_mmio_load(a, 1); }
static inline u16 mmio_read16(const void *a) { return (u16)fake_mmio_load(a, 2); }
static inline u32 mmio_read32(const void *a) { return (u32)fake_mmio_load(a, 4); }
static inline u64 mmio_read64(const void *a) { return fake_mmio_load(a, 8); }
static inline void mmio_write8(void *a, u8 v) { fake_mmio_store(a, 1, v); }
static inline void mmio_write16(void *a, u16 v) { fake_mmio_store(a, 2, v); }
static inline void mmio_write32(void *a, u32 v) { fake_mmio_store(a, 4, v); }
static inline void mmio_write64(void *a, u64 v) { fake_mmio_store(a, 8, v); }

#endif
