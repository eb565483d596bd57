/* SPDX-License-Identifier: GPL-2.0-only */
/* The UART behind the debug console (core/uart.c); console_init() is there. */
#ifndef CORE_UART_H
#define CORE_UART_H

/* As it is, no line end conversion. Nothing before console_init(). */
void uart_putc(char c);

#endif
