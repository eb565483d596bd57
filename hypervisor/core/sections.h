/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Symbols of the linker script (arch/<arch>/hypervisor.lds), all page aligned:
 * header and text (RX), read-only data, then what is written.
 */
#ifndef CORE_SECTIONS_H
#define CORE_SECTIONS_H

extern char __image_start[];	/* = link_address, the header */
extern char __text_start[], __text_end[];	/* code; the header's page may be in it */
extern char __rodata_start[], __rodata_end[];
extern char __core_end[];	/* end of BSS, multiple of percpu_size */

#define __header_section	__attribute__((section(".header"), used))
#define __console_section	__attribute__((section(".console"), used))

#endif
