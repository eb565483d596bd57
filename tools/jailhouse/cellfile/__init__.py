# SPDX-License-Identifier: GPL-2.0-only
"""Configuration files (.cell), revision 14: read, write, describe.

from jailhouse.cellfile import CellConfig, SystemConfig
config = CellConfig.from_file("apic-demo.cell")
config.set_cpus([3])
Path("other.cell").write_bytes(config.to_bytes())
"""

from jailhouse.cellfile.config import CellConfig, SystemConfig, kind_of, slots
from jailhouse.cellfile.constants import (
    Architecture,
    CellFlag,
    ConsoleFlag,
    ConsoleType,
    IommuType,
    MemFlag,
    PciType,
    SystemFlag,
)
from jailhouse.cellfile.errors import (
    ArchitectureError,
    CellFileError,
    RevisionError,
    SignatureError,
    TruncatedError,
)
from jailhouse.cellfile.layout import Record, Slot
from jailhouse.cellfile.records import (
    ArmPlatform,
    Cache,
    CellHeader,
    Console,
    Iommu,
    Irqchip,
    Memory,
    PciCapability,
    PciDevice,
    PioRange,
    StreamId,
    SystemHeader,
    X86Platform,
)

__all__ = [
    "Architecture",
    "ArchitectureError",
    "ArmPlatform",
    "Cache",
    "CellConfig",
    "CellFileError",
    "CellFlag",
    "CellHeader",
    "Console",
    "ConsoleFlag",
    "ConsoleType",
    "Iommu",
    "IommuType",
    "Irqchip",
    "MemFlag",
    "Memory",
    "PciCapability",
    "PciDevice",
    "PciType",
    "PioRange",
    "Record",
    "RevisionError",
    "SignatureError",
    "Slot",
    "StreamId",
    "SystemConfig",
    "SystemFlag",
    "SystemHeader",
    "TruncatedError",
    "X86Platform",
    "kind_of",
    "slots",
]
