/* SPDX-License-Identifier: GPL-2.0-only */
/* A physical PCI function as its cell sees it, and the parts of core/pci*.c. */
#ifndef CORE_PCI_DEVICE_H
#define CORE_PCI_DEVICE_H

#include <core/device_lock.h>
#include <core/mmio.h>
#include <core/pci.h>

/* PCI 3.0 6.1: type 0 and 1 headers */
#define PCI_CFG_COMMAND		0x04
#define PCI_CMD_MEMORY		0x0002
#define PCI_CMD_INTX_DISABLE	0x0400
#define PCI_CFG_BAR		0x10
#define PCI_CFG_BAR_END		0x28
#define PCI_CFG_HEADER_END	0x40
#define PCI_NUM_BARS		6
#define PCI_BAR_FLAGS		0xf
#define PCI_BAR_TYPE		0x7	/* I/O or memory, and its width */
#define PCI_BAR_64BIT		0x4

/* PCI 3.0 6.8.1 */
#define MSI_ENABLE		0x0001
#define MSI_MULTIPLE_ENABLED(control)	((control) >> 4 & 7)
#define MSI_64BIT		0x0080
#define MSI_MASKABLE		0x0100

struct pci_msi {
	u16 cap;		/* offset in configuration space, 0: none */
	u16 control;		/* these four: as the owner wrote them */
	u32 address_lo, address_hi, data;
	bool hw_enabled;	/* these three: what the hardware has */
	u64 hw_address;
	u32 hw_data;
};

/* PCI 3.0 6.8.2 */
#define MSIX_ENABLE		0x8000
#define MSIX_MASK_ALL		0x4000
#define MSIX_BIR_MASK		0x7
#define MSIX_VECTOR_SIZE	16
#define MSIX_VECTOR_MASKED	1

enum { MSIX_ADDRESS_LO, MSIX_ADDRESS_HI, MSIX_DATA, MSIX_CONTROL };

struct msix_vector {
	u32 reg[4];
};

struct pci_msix {
	u16 cap;
	u16 control;
	unsigned int num_vectors;	/* 0: no table trapped */
	struct msix_vector *shadow;	/* as the owner wrote them */
	void *table;			/* NULL: not mapped */
};

struct pci_device {
	const struct jailhouse_pci_device *info;
	struct cell *cell;	/* NULL: another cell has it, or not ours to handle */
	struct device_lock lock;	/* configuration space and MSI-X table */
	u32 bar[PCI_NUM_BARS];
	struct pci_msi msi;
	struct pci_msix msix;
};

/* The function of this cell, NULL when it does not own one at this address. */
struct pci_device *pci_device_find(const struct cell *cell, u16 bdf);

/* Capability record that covers [reg, reg + size); NULL: none. */
const struct jailhouse_pci_capability *
pci_device_cap_at(const struct pci_device *device, u16 reg, unsigned int size);
/* Offset of a standard capability according to the configuration, 0: none. */
u16 pci_device_find_cap(const struct pci_device *device, u16 id);

/* pci_header.c: the first 64 bytes.  mask: bits of the dword that are written. */
void pci_header_init(struct pci_device *device);
enum pci_verdict pci_header_read(struct pci_device *device, u16 dword, u32 *value);
enum pci_verdict pci_header_write(struct pci_device *device, u16 dword, u32 value, u32 mask);

/*
 * pci_msi.c, pci_msix.c.  *_init takes over what the hardware has, *_reset turns
 * it off, *_commit re-validates after CPUs changed their cell, *_restore gives
 * the hardware what the owner wrote.
 */
void pci_msi_init(struct pci_device *device);
void pci_msi_reset(struct pci_device *device);
void pci_msi_commit(struct pci_device *device);
void pci_msi_restore(struct pci_device *device);
enum pci_verdict pci_msi_read(struct pci_device *device, u16 dword, u32 *value);
enum pci_verdict pci_msi_write(struct pci_device *device, u16 dword, u32 value, u32 mask);

int pci_msix_init(struct pci_device *device);	/* maps and traps the table */
void pci_msix_exit(struct pci_device *device);
void pci_msix_reset(struct pci_device *device);
void pci_msix_commit(struct pci_device *device);
void pci_msix_restore(struct pci_device *device);
enum pci_verdict pci_msix_write(struct pci_device *device, u16 dword, u32 value, u32 mask);

/*
 * May the owner's message be sent?  *deliver false: keep the vector off.
 * Returns false when that is the owner's fault and its CPU is to be parked;
 * the root cell is warned instead.
 */
bool pci_message_check(const struct pci_device *device, unsigned int vector, u64 *address,
		       u32 *data, bool *deliver);

static inline u32 merge_bits(u32 old, u32 value, u32 mask)
{
	return (old & ~mask) | (value & mask);
}

#endif
