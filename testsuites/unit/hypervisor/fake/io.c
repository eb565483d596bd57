// SPDX-License-Identifier: GPL-2.0-only
#include <arch/io.h>

u32 (*fake_port_read)(u16 port, unsigned int size);
void (*fake_port_write)(u16 port, unsigned int size, u32 value);
u64 (*fake_mmio_read)(const void *address, unsigned int size);
void (*fake_mmio_write)(void *address, unsigned int size, u64 value);

u64 fake_mmio_load(const void *address, unsigned int size)
{
	u64 value = 0;

	if (fake_mmio_read)
		return fake_mmio_read(address, size);
	__builtin_memcpy(&value, address, size);
	return value;
}

void fake_mmio_store(void *address, unsigned int size, u64 value)
{
	if (fake_mmio_write)
		fake_mmio_write(address, size, value);
	else
		__builtin_memcpy(address, &value, size);
}
