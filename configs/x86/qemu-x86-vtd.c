/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Root cell of the reference machine (qemu-x86.c) with an IOMMU: QEMU's
 * -device intel-iommu,intremap=on.  It is on no bus: every other address is the same.
 *
 * Kernel: memmap=82M$0x3a000000 intel_iommu=off
 */
#define QEMU_X86_VTD
#include "qemu-x86.c"
