// SPDX-License-Identifier: GPL-2.0-only
/* The image's header: what the driver finds at its start (jailhouse/image.h). */
#include <jailhouse/cell-config.h>
#include <core/boot.h>
#include <core/sections.h>
#include <arch/asm-offsets.h>

/* Sizes and offsets are differences of symbols, which the linker script computes. */
extern char header_core_size[], header_entry[], header_console_page[];

struct jailhouse_image_header hypervisor_header __header_section = {
	.signature = JAILHOUSE_IMAGE_SIGNATURE,
	.image_version = JAILHOUSE_IMAGE_VERSION,
	.architecture = JAILHOUSE_ARM64,
	.core_size = (unsigned long)header_core_size,
	.percpu_size = PERCPU_SIZE,
	.link_address = HV_LINK_ADDRESS,
	.entry = (unsigned long)header_entry,
	.console_page = (unsigned long)header_console_page,
};
