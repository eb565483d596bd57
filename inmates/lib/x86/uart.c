/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* PCs have 8250s and nothing else. */
#include <inmate.h>

const struct uart_driver uart_drivers[] = {
	{ .name = 0 },
};
