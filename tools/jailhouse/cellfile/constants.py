# SPDX-License-Identifier: GPL-2.0-only
"""Numbers of the configuration format (abi.md 1; include/jailhouse/cell-config.h)."""

from __future__ import annotations

import enum

REVISION = 14
SYSTEM_SIGNATURE = b"JHSYS"
CELL_SIGNATURE = b"JHCLL"
NAME_MAXLEN = 31
PAGE_SIZE = 4096
MAX_CPU_SET_SIZE = 4096
MAX_CELL_SIZE = 16 * PAGE_SIZE
MAX_IOMMU_UNITS = 8

ARCHITECTURES = ("x86", "arm", "arm64")


class Architecture(enum.IntEnum):
    X86 = 0
    ARM = 1
    ARM64 = 2

    @property
    def label(self) -> str:
        return ARCHITECTURES[self]


class CellFlag(enum.IntFlag):
    PASSIVE_COMMREG = 0x00000001
    TEST_DEVICE = 0x00000002
    AARCH32 = 0x00000004
    VIRTUAL_CONSOLE_PERMITTED = 0x40000000
    VIRTUAL_CONSOLE_ACTIVE = 0x80000000


class SystemFlag(enum.IntFlag):
    VIRTUAL_DEBUG_CONSOLE = 0x0001


class MemFlag(enum.IntFlag):
    READ = 0x0001
    WRITE = 0x0002
    EXECUTE = 0x0004
    DMA = 0x0008
    IO = 0x0010
    COMM_REGION = 0x0020
    LOADABLE = 0x0040
    ROOTSHARED = 0x0080
    NO_HUGEPAGES = 0x0100
    IO_UNALIGNED = 0x8000
    IO_8 = 0x10000
    IO_16 = 0x20000
    IO_32 = 0x40000
    IO_64 = 0x80000


class CacheType(enum.IntEnum):
    L3_CODE = 1
    L3_DATA = 2
    L3 = 3


class PciType(enum.IntEnum):
    DEVICE = 1
    BRIDGE = 2
    IVSHMEM = 3


PCI_EXT_CAP = 0x8000
PCICAPS_WRITE = 0x0001
PCI_CAP_ID_MSI = 0x05
PCI_CAP_ID_MSIX = 0x11


class ConsoleType(enum.IntEnum):
    NONE = 0
    EFIFB = 1
    UART_8250 = 2
    PL011 = 3
    XUARTPS = 4
    MVEBU = 5
    HSCIF = 6
    SCIFA = 7
    IMX = 8
    IMX_LPUART = 9
    SCIF = 10


class ConsoleFlag(enum.IntFlag):
    MMIO = 0x0001
    REGDIST_4 = 0x0002
    FB_1920x1080 = 0x0004
    INVERTED_GATE = 0x1000
    MDR_QUIRK = 0x2000


class IommuType(enum.IntEnum):
    NONE = 0
    AMD = 1
    INTEL = 2
    SMMUV3 = 3
    PVU = 4
    ARM_MMU500 = 5


class ApicMode(enum.IntEnum):
    AUTO = 0
    XAPIC = 1
    X2APIC = 2
