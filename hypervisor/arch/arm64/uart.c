// SPDX-License-Identifier: GPL-2.0-only
/* UARTs of ARM boards, as far as text goes out (abi.md 1.12). */
#include <arch/io.h>
#include <arch/uart.h>
#include <jailhouse/arm_uarts.h>
#include <jailhouse/cell-config.h>

static const struct uart_driver drivers[] = {
	[JAILHOUSE_CON_TYPE_PL011] = { pl011_ready, pl011_send, pl011_init },
	[JAILHOUSE_CON_TYPE_XUARTPS] = { xuartps_ready, xuartps_send, xuartps_init },
	[JAILHOUSE_CON_TYPE_MVEBU] = { mvebu_ready, mvebu_send, NULL },
	[JAILHOUSE_CON_TYPE_HSCIF] = { hscif_ready, hscif_send, NULL },
	[JAILHOUSE_CON_TYPE_SCIFA] = { scifa_ready, scifa_send, NULL },
	[JAILHOUSE_CON_TYPE_IMX] = { imx_ready, imx_send, imx_init },
	[JAILHOUSE_CON_TYPE_IMX_LPUART] = { lpuart_ready, lpuart_send, NULL },
	[JAILHOUSE_CON_TYPE_SCIF] = { scif_ready, scif_send, NULL },
};

const struct uart_driver *arch_uart_driver(unsigned int type)
{
	return type < ARRAY_SIZE(drivers) && drivers[type].ready ? &drivers[type] : NULL;
}
