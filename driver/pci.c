// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI devices of cells: Linux' drivers are taken off, and a stub driver that
 * does nothing keeps others away until the cell is destroyed.
 */
#include "driver.h"

#include <linux/device/driver.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/slab.h>

#define STUB_NAME	"jailhouse-pci-stub"

/* The device that is being claimed; under jailhouse_lock. */
static struct pci_dev *claiming;

static int stub_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	/* Others could ask for it through new_id or driver_override. */
	if (pdev != claiming)
		return -ENODEV;
	dev_info(&pdev->dev, "claimed for use in non-root cell\n");
	return 0;
}

static struct pci_driver stub_driver = {
	.name = STUB_NAME,
	.id_table = NULL,	/* binds through driver_override only */
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

static int override_driver(struct pci_dev *pdev, const char *name)
{
	return driver_set_override(&pdev->dev, &pdev->driver_override, name ? name : "",
				   name ? strlen(name) : 0);
}

static int device_claim(struct claimed_device *device)
{
	struct pci_dev *pdev = device->pdev;
	int err;

	if (pdev->driver_override) {
		device->old_override = kstrdup(pdev->driver_override, GFP_KERNEL);
		if (!device->old_override)
			return -ENOMEM;
	}
	err = override_driver(pdev, STUB_NAME);
	if (err)
		return err;

	device_release_driver(&pdev->dev);
	claiming = pdev;
	err = device_attach(&pdev->dev);
	claiming = NULL;
	if (err < 0)
		return err;
	return err == 1 ? 0 : -ENODEV;
}

static void device_release(struct claimed_device *device)
{
	struct pci_dev *pdev = device->pdev;

	if (!pdev)
		return;
	if (pdev->dev.driver == &stub_driver.driver)
		device_release_driver(&pdev->dev);
	if (pdev->driver_override && !strcmp(pdev->driver_override, STUB_NAME) &&
	    override_driver(pdev, device->old_override))
		dev_warn(&pdev->dev, "driver_override is still %s\n", STUB_NAME);
	kfree(device->old_override);
	pci_dev_put(pdev);
	device->old_override = NULL;
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
		if (device_claim(device))
			dev_warn(&device->pdev->dev, "failed to claim for use in non-root cell\n");
	}
}

void cell_pci_release(struct cell *cell)
{
	u32 n;

	for (n = 0; n < cell->num_devices; n++)
		device_release(&cell->devices[n]);
}
