/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Memory from the end of the image to the end of low RAM.  Nothing is ever
 * given back.  RAM is dirty: every allocation is cleared.
 */
#include <inmate.h>

extern u8 __image_end[];

static unsigned long heap_pos;

void heap_init(void)
{
	heap_pos = (unsigned long)__image_end;
}

unsigned long heap_available(void)
{
	return LOW_RAM_END - heap_pos;
}

void *heap_alloc(unsigned long size, unsigned long align)
{
	unsigned long start = ALIGN_UP(heap_pos, align);

	if (start > LOW_RAM_END || size > LOW_RAM_END - start) {
		printf("FATAL: out of heap, %lu bytes wanted\n", size);
		comm_set_state(JAILHOUSE_CELL_FAILED);
		halt();
	}
	heap_pos = start + size;
	return memset((void *)start, 0, size);
}
