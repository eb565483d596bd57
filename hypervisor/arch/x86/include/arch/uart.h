/* SPDX-License-Identifier: GPL-2.0-only */
/* PCs have 8250s and nothing else. */
#ifndef ARCH_UART_H
#define ARCH_UART_H

#include <core/uart.h>

static inline const struct uart_driver *arch_uart_driver(unsigned int type)
{
	(void)type;
	return NULL;
}

#endif
