/* SPDX-License-Identifier: GPL-2.0-only */
/* The UART behind the debug console (core/uart.c); console_init() is there. */
#ifndef CORE_UART_H
#define CORE_UART_H

#include <core/types.h>

/* A UART that is not an 8250: registers at base, mapped as device memory. */
struct uart_driver {
	bool (*ready)(char *base);		/* takes a character */
	void (*send)(char *base, u8 c);
	void (*init)(char *base, u32 divider);	/* only with a divider; may be NULL */
};

/* As it is, no line end conversion. Nothing before console_init(). */
void uart_putc(char c);

#endif
