// SPDX-License-Identifier: GPL-2.0-only
/* Finds an Intel HDA controller and makes it send one MSI after another. */
#include <inmate.h>

#define CLASS_HDA		0x0403
#define HDA_VECTOR		32

#define HDA_GCTL		0x08
#define  HDA_GCTL_RUN		0x1
#define HDA_WAKEEN		0x0c
#define HDA_STATESTS		0x0e
#define HDA_INTCTL		0x20
#define  HDA_INTCTL_GLOBAL	0x80000000
#define  HDA_INTCTL_CONTROLLER	0x40000000

#define RESET_TIMEOUT_MS	100

static u8 *hda;

static void hda_interrupt(struct trap_frame *frame __maybe_unused)
{
	u16 status = mmio_read16(hda + HDA_STATESTS);

	printf("HDA MSI received (STATESTS: %04x)\n", status);
	/* Write 1 to clear */
	mmio_write16(hda + HDA_STATESTS, status);
}

static void hda_set_run(u32 run)
{
	unsigned int ms;

	mmio_write16(hda + HDA_GCTL, run);
	for (ms = 0; ms < RESET_TIMEOUT_MS; ms++) {
		if ((mmio_read16(hda + HDA_GCTL) & HDA_GCTL_RUN) == run)
			return;
		delay_us(1000);
	}
}

void inmate_main(void)
{
	int bdf = pci_find_class(CLASS_HDA, 0);
	u64 bar;

	apic_init();
	if (bdf < 0) {
		printf("No device found!\n");
		halt();
	}
	printf("Found %04x:%04x at %02x:%02x.%x\n",
	       pci_read(bdf, PCI_CFG_VENDOR, 2),
	       pci_read(bdf, PCI_CFG_DEVICE, 2),
	       bdf >> 8, bdf >> 3 & 0x1f, bdf & 7);

	bar = pci_bar(bdf, 0);
	hda = (void *)(unsigned long)bar;
	map_range(bar, PAGE_SIZE, MAP_UNCACHED);
	printf("HDBAR at %p\n", (void *)hda);

	trap_set_handler(HDA_VECTOR, hda_interrupt);
	pci_write(bdf, PCI_CFG_COMMAND, PCI_CMD_MEMORY | PCI_CMD_MASTER |
		  PCI_CMD_INTX_OFF, 2);
	pci_msi_set_vector(bdf, HDA_VECTOR);

	/* Codecs report themselves when the controller leaves reset. */
	hda_set_run(0);
	hda_set_run(HDA_GCTL_RUN);
	mmio_write16(hda + HDA_WAKEEN, 0x0f);
	mmio_write32(hda + HDA_INTCTL,
		     HDA_INTCTL_GLOBAL | HDA_INTCTL_CONTROLLER);
	for (;;)
		irq_wait();
}
