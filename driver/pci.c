// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI devices of cells: Linux' drivers are taken off, and a stub driver that
 * does nothing keeps others away until the cell is destroyed.
 */
#include "driver.h"

#include <linux/device/driver.h>
#include <linux/pci.h>
#include <linux/slab.h>

#define STUB_NAME	"jailhouse-pci-stub"

/* The device that is being claimed; under jailhouse_lock. */
static struct pci_dev *claiming;

static int stub_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	/* Other devices of the same kind stay as they are. */
	if (pdev != claiming)
		return -ENODEV;
	dev_info(&pdev->dev, "claimed for use in non-root cell\n");
	return 0;
}

static struct pci_driver stub_driver = {
	.name = STUB_NAME,
	.id_table = NULL,	/* nothing by itself */
	.probe = stub_probe,
	.driver_managed_dma = true,
};

int pci_register_stub(void)
{
	return pci_register_driver(&stub_driver);
}

void pci_unregister_stub(void)
{
	pci_unregister_driver(&stub_driver);
}

static struct pci_dev *find_device(const struct jailhouse_pci_device *config)
{
	return pci_get_domain_bus_and_slot(config->domain, config->bdf >> 8, config->bdf & 0xff);
}

/* Remembers what the configuration lists; nothing is touched. */
int cell_pci_init(struct cell *cell, const struct jailhouse_cell_desc *desc)
{
	const struct jailhouse_pci_device *config = jailhouse_cell_pci_devices(desc);
	u32 n;

	cell->devices = kvcalloc(desc->num_pci_devices, sizeof(*cell->devices), GFP_KERNEL);
	if (desc->num_pci_devices && !cell->devices)
		return -ENOMEM;
	cell->num_devices = desc->num_pci_devices;
	for (n = 0; n < cell->num_devices; n++, config++)
		cell->devices[n].config = *config;
	return 0;
}

static bool is_claimed(const struct pci_dev *pdev)
{
	return pdev->dev.driver == &stub_driver.driver;
}

/* The stub learns about a kind of device when it meets the first one, and tries at once. */
static int device_claim(struct pci_dev *pdev)
{
	int err;

	device_release_driver(&pdev->dev);
	claiming = pdev;
	err = driver_attach(&stub_driver.driver);
	if (!err && !is_claimed(pdev))
		err = pci_add_dynid(&stub_driver, pdev->vendor, pdev->device, PCI_ANY_ID,
				    PCI_ANY_ID, 0, 0, 0);
	claiming = NULL;
	return is_claimed(pdev) ? 0 : err ?: -EBUSY;
}

static void device_release(struct claimed_device *device)
{
	struct pci_dev *pdev = device->pdev;

	if (!pdev)
		return;
	if (is_claimed(pdev))
		device_release_driver(&pdev->dev);
	pci_dev_put(pdev);
	device->pdev = NULL;
}

void cell_pci_claim(struct cell *cell)
{
	struct claimed_device *device;
	u32 n;

	for (n = 0; n < cell->num_devices; n++) {
		device = &cell->devices[n];
		if (device->config.type != JAILHOUSE_PCI_TYPE_DEVICE)
			continue;
		device->pdev = find_device(&device->config);
		if (!device->pdev)
			continue;
		if (device_claim(device->pdev))
			dev_warn(&device->pdev->dev, "failed to claim for use in non-root cell\n");
	}
}

void cell_pci_release(struct cell *cell)
{
	u32 n;

	for (n = 0; n < cell->num_devices; n++)
		device_release(&cell->devices[n]);
}
