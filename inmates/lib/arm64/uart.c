/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* UARTs of ARM boards, as far as text goes out. */
#include <inmate.h>
#include <jailhouse/arm_uarts.h>

const struct uart_driver uart_drivers[] = {
	{ "PL011", JAILHOUSE_CON_TYPE_PL011, pl011_ready, pl011_send, pl011_init },
	{ "XUARTPS", JAILHOUSE_CON_TYPE_XUARTPS, xuartps_ready, xuartps_send, xuartps_init },
	{ "MVEBU", JAILHOUSE_CON_TYPE_MVEBU, mvebu_ready, mvebu_send, 0 },
	{ "HSCIF", JAILHOUSE_CON_TYPE_HSCIF, hscif_ready, hscif_send, 0 },
	{ "SCIFA", JAILHOUSE_CON_TYPE_SCIFA, scifa_ready, scifa_send, 0 },
	{ "IMX", JAILHOUSE_CON_TYPE_IMX, imx_ready, imx_send, imx_init },
	{ "IMX-LPUART", JAILHOUSE_CON_TYPE_IMX_LPUART, lpuart_ready, lpuart_send, 0 },
	{ "SCIF", JAILHOUSE_CON_TYPE_SCIF, scif_ready, scif_send, 0 },
	{ .name = 0 },
};
