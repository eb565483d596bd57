/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Console record: where text goes, for the hypervisor and for cells. */
#ifndef JAILHOUSE_CONSOLE_H
#define JAILHOUSE_CONSOLE_H

#define JAILHOUSE_CON_TYPE_NONE		0
#define JAILHOUSE_CON_TYPE_EFIFB	1
#define JAILHOUSE_CON_TYPE_8250		2
#define JAILHOUSE_CON_TYPE_PL011	3
#define JAILHOUSE_CON_TYPE_XUARTPS	4
#define JAILHOUSE_CON_TYPE_MVEBU	5
#define JAILHOUSE_CON_TYPE_HSCIF	6
#define JAILHOUSE_CON_TYPE_SCIFA	7
#define JAILHOUSE_CON_TYPE_IMX		8
#define JAILHOUSE_CON_TYPE_IMX_LPUART	9
#define JAILHOUSE_CON_TYPE_SCIF		10

/* Flags: bit 0 access, bit 1 register distance, bit 2 framebuffer mode */
#define JAILHOUSE_CON_ACCESS_PIO	0x0000
#define JAILHOUSE_CON_ACCESS_MMIO	0x0001
#define JAILHOUSE_CON_REGDIST_1		0x0000
#define JAILHOUSE_CON_REGDIST_4		0x0002
#define JAILHOUSE_CON_FB_1024x768	0x0000
#define JAILHOUSE_CON_FB_1920x1080	0x0004
/* Clear the clock gate bit instead of setting it */
#define JAILHOUSE_CON_INVERTED_GATE	0x1000
/* Write 0 to register 8 of the 8250 when initialising it */
#define JAILHOUSE_CON_MDR_QUIRK		0x2000

#ifndef __ASSEMBLER__

struct jailhouse_console {
	__u64 address;		/* MMIO address or port */
	__u32 size;		/* bytes, MMIO only */
	__u16 type;
	__u16 flags;
	__u32 divider;		/* 0: leave the UART as it is */
	__u32 gate_nr;
	__u64 clock_reg;	/* 0: no clock gate */
} __attribute__((packed));

#endif
#endif
