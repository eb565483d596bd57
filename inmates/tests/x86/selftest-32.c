// SPDX-License-Identifier: GPL-2.0-only
/* The library's 32-bit build. */
#include "selftest.c"
