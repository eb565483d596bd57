/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included first by the Makefile: everything is in one image, so that no
 * reference goes through a GOT.  (-fvisibility is for definitions only.)
 */
#ifndef __ASSEMBLER__
#pragma GCC visibility push(hidden)
#endif
