// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PCI device with a legacy interrupt: an NE2000 network card (RTL8029), which
 * raises its INTx line, level-triggered, whenever a remote DMA is complete: a
 * transfer between its own memory and its data port, so that nothing else moves.
 *
 * Output: Found 10ec:8029 at <bdf>, I/O at <port>, INTx received (ISR: 40) each
 * 100 ms, on IOAPIC pin irq=<n>.
 */
#include <inmate.h>

#define NE2K_VENDOR		0x10ec
#define NE2K_DEVICE		0x8029
#define NE2K_VECTOR		32
#define PERIOD_US		100000

#define NE2K_CR			0x00
#define  NE2K_CR_START		0x02
#define  NE2K_CR_READ		0x08
#define  NE2K_CR_IDLE		0x20
#define NE2K_ISR		0x07
#define  NE2K_RDMA_DONE		0x40
#define NE2K_RSAR0		0x08
#define NE2K_RSAR1		0x09
#define NE2K_RBCR0		0x0a
#define NE2K_RBCR1		0x0b
#define NE2K_IMR		0x0f
#define NE2K_DATA		0x10
#define NE2K_RESET		0x1f

static u16 card;

static void card_interrupt(struct trap_frame *frame __maybe_unused)
{
	u8 status = port_in8(card + NE2K_ISR);

	printf("INTx received (ISR: %02x)\n", status);
	/* Write 1 to clear: lowers the line. */
	port_out8(card + NE2K_ISR, status);
}

/* Reads one byte of the card's memory, at its start. */
static void transfer(void)
{
	port_out8(card + NE2K_RBCR0, 1);
	port_out8(card + NE2K_RBCR1, 0);
	port_out8(card + NE2K_RSAR0, 0);
	port_out8(card + NE2K_RSAR1, 0);
	port_out8(card + NE2K_CR, NE2K_CR_START | NE2K_CR_READ);
	port_in8(card + NE2K_DATA);
}

static void card_init(void)
{
	port_out8(card + NE2K_RESET, port_in8(card + NE2K_RESET));
	port_out8(card + NE2K_CR, NE2K_CR_START | NE2K_CR_IDLE);
	port_out8(card + NE2K_ISR, 0xff);
	port_out8(card + NE2K_IMR, NE2K_RDMA_DONE);
}

void inmate_main(void)
{
	int bdf = pci_find_device(NE2K_VENDOR, NE2K_DEVICE, 0);

	apic_init();
	if (bdf < 0) {
		printf("No device found!\n");
		halt();
	}
	card = pci_bar(bdf, 0);
	printf("Found 10ec:8029 at %02x:%02x.%x, I/O at %04x\n",
	       bdf >> 8, bdf >> 3 & 0x1f, bdf & 7, card);
	ioapic_init();
	trap_set_handler(NE2K_VECTOR, card_interrupt);
	ioapic_set_pin(cmdline_int("irq", pci_read(bdf, 0x3c, 1)), NE2K_VECTOR, IOAPIC_LEVEL);
	pci_write(bdf, PCI_CFG_COMMAND, PCI_CMD_IO, 2);
	card_init();
	irq_enable();
	for (;;) {
		transfer();
		delay_us(PERIOD_US);
	}
}
