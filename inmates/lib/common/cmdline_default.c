/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Linked in when the program does not bring a buffer of its own size. */
#include <inmate.h>

CMDLINE_BUFFER(CMDLINE_DEFAULT_SIZE);
