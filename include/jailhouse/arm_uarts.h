/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * UARTs of ARM boards, as far as text goes out (abi.md 1.12): what the hypervisor and
 * the inmates' library have in common. For one C file of each, which defines the types
 * u8 to u32 and mmio_read*() and mmio_write*() before and has a table of them.
 */
#ifndef JAILHOUSE_ARM_UARTS_H
#define JAILHOUSE_ARM_UARTS_H

/* --- PL011 (DDI 0183, 3.2) --- */

#define PL011_DR	0x00
#define PL011_FR	0x18
#define   FR_BUSY	(1U << 3)
#define   FR_TXFF	(1U << 5)
#define PL011_IBRD	0x24
#define PL011_LCRH	0x2c
#define   LCRH_8BIT	0x60
#define PL011_CR	0x30
#define   CR_ON		0x3101	/* enable, transmit, RTS and OUT1 */
/* Not busy before it is set up: a character takes no longer. */
#define PL011_SPINS	1000000

static bool pl011_ready(char *base)
{
	return !(mmio_read32(base + PL011_FR) & (FR_TXFF | FR_BUSY));
}

static void pl011_send(char *base, u8 c)
{
	mmio_write32(base + PL011_DR, c);
}

static void pl011_init(char *base, u32 divider)
{
	unsigned int n;

	if (!divider)
		return;
	mmio_write32(base + PL011_CR, 0);
	for (n = 0; n < PL011_SPINS; n++)
		if (!(mmio_read32(base + PL011_FR) & FR_BUSY))
			break;
	mmio_write32(base + PL011_IBRD, divider);
	mmio_write32(base + PL011_LCRH, LCRH_8BIT);
	mmio_write32(base + PL011_CR, CR_ON);
}

/* --- Cadence UART of Zynq and ZynqMP (UG1085, register reference) --- */

#define XUARTPS_CR	0x00
#define   CR_TX_ON	0x14	/* transmitter on, receiver on */
#define XUARTPS_SR	0x2c
#define   SR_TX_EMPTY	(1U << 3)
#define XUARTPS_FIFO	0x30

static bool xuartps_ready(char *base)
{
	return mmio_read32(base + XUARTPS_SR) & SR_TX_EMPTY;
}

static void xuartps_send(char *base, u8 c)
{
	mmio_write32(base + XUARTPS_FIFO, c);
}

/* Also without a divider: its transmitter is off until somebody wants it. */
static void xuartps_init(char *base, u32 divider)
{
	(void)divider;
	mmio_write32(base + XUARTPS_CR, CR_TX_ON);
}

/* --- i.MX UART (i.MX 8M Plus reference manual, UART) --- */

#define IMX_UTXD	0x40
#define IMX_UCR1	0x80
#define   UCR1_UARTEN	(1U << 0)
#define IMX_UCR2	0x84
#define   UCR2_TX_ON	0x4027	/* no RTS, 8 bits, both directions on, not in reset */
#define IMX_UTS		0xb4
#define   UTS_TXEMPTY	(1U << 6)

/* Linux' reboot switches it off (bugs.md): then there is nowhere to write to. */
static bool imx_ready(char *base)
{
	return (mmio_read32(base + IMX_UCR1) & UCR1_UARTEN) &&
		(mmio_read32(base + IMX_UTS) & UTS_TXEMPTY);
}

static void imx_send(char *base, u8 c)
{
	mmio_write32(base + IMX_UTXD, c);
}

/* On, where nobody was before; its baud rate is not a divider: it stays what it is. */
static void imx_init(char *base, u32 divider)
{
	if (!divider)
		return;
	mmio_write32(base + IMX_UCR1, UCR1_UARTEN);
	mmio_write32(base + IMX_UCR2, UCR2_TX_ON);
}

/* --- i.MX LPUART (i.MX 8QM reference manual, LPUART) --- */

#define LPUART_STAT	0x14
#define   STAT_TDRE	(1U << 23)
#define LPUART_DATA	0x1c

static bool lpuart_ready(char *base)
{
	return mmio_read32(base + LPUART_STAT) & STAT_TDRE;
}

static void lpuart_send(char *base, u8 c)
{
	mmio_write32(base + LPUART_DATA, c);
}

/* --- Marvell Armada 3700 --- */

#define MVEBU_TSH	0x04
#define MVEBU_STAT	0x0c
#define   STAT_TX_FULL	(1U << 11)

static bool mvebu_ready(char *base)
{
	return !(mmio_read32(base + MVEBU_STAT) & STAT_TX_FULL);
}

static void mvebu_send(char *base, u8 c)
{
	mmio_write32(base + MVEBU_TSH, c);
}

/* --- Renesas: status bits are cleared by writing 0 after they were read as 1 --- */

struct renesas {
	u16 status, data, ready, clear;
};

static bool renesas_ready(char *base, const struct renesas *type)
{
	return mmio_read16(base + type->status) & type->ready;
}

static void renesas_send(char *base, u8 c, const struct renesas *type)
{
	mmio_write8(base + type->data, c);
	mmio_write16(base + type->status,
		     mmio_read16(base + type->status) & (u16)~type->clear);
}

#define RENESAS(name, ...)							\
	static const struct renesas name = { __VA_ARGS__ };			\
	static bool name##_ready(char *base) { return renesas_ready(base, &name); } \
	static void name##_send(char *base, u8 c) { renesas_send(base, c, &name); }

RENESAS(hscif, .status = 0x10, .data = 0x0c, .ready = 1 << 5, .clear = 3 << 5)
RENESAS(scifa, .status = 0x14, .data = 0x20, .ready = 1 << 5, .clear = 3 << 5)
RENESAS(scif, .status = 0x10, .data = 0x0c, .ready = 3 << 5, .clear = 3 << 5)

#endif
