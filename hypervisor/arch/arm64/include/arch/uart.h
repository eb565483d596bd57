/* SPDX-License-Identifier: GPL-2.0-only */
/* UARTs of ARM boards (arch/arm64/uart.c). */
#ifndef ARCH_UART_H
#define ARCH_UART_H

#include <core/uart.h>

/* NULL: unknown type */
const struct uart_driver *arch_uart_driver(unsigned int type);

#endif
