# SPDX-License-Identifier: GPL-2.0-only
"""The Python records against the C headers: every offset, size and constant."""

from __future__ import annotations

import enum

import pytest

from jailhouse.cellfile import (
    ArmPlatform,
    Cache,
    CellFlag,
    CellHeader,
    Console,
    ConsoleFlag,
    ConsoleType,
    Iommu,
    IommuType,
    Irqchip,
    MemFlag,
    Memory,
    PciCapability,
    PciDevice,
    PciType,
    PioRange,
    Record,
    StreamId,
    SystemFlag,
    SystemHeader,
    X86Platform,
    constants,
)

from .conftest import Probe

SYSTEM = "struct jailhouse_system"

STRUCTURES: list[tuple[type[Record], str]] = [
    (Console, "struct jailhouse_console"),
    (Memory, "struct jailhouse_memory"),
    (Cache, "struct jailhouse_cache"),
    (Irqchip, "struct jailhouse_irqchip"),
    (PioRange, "struct jailhouse_pio"),
    (PciDevice, "struct jailhouse_pci_device"),
    (PciCapability, "struct jailhouse_pci_capability"),
    (StreamId, "union jailhouse_stream_id"),
    (Iommu, "struct jailhouse_iommu"),
    (CellHeader, "struct jailhouse_cell_desc"),
]

# Python's flat names of nested C members.
MEMBERS = {
    "amd_bdf": "amd.bdf",
    "amd_base_cap": "amd.base_cap",
    "amd_msi_cap": "amd.msi_cap",
    "amd_features": "amd.features",
    "pvu_tlb_size": "tipvu.tlb_size",
}
# Bit-fields have no offset in C; their neighbours pin them down.
UNADDRESSABLE = {"msi_properties"}


@pytest.mark.parametrize(("record", "name"), STRUCTURES, ids=str)
def test_record_matches_structure(record: type[Record], name: str, c_values: Probe) -> None:
    slots = [slot for slot in record.slots() if slot.field not in UNADDRESSABLE]
    expressions = [f"sizeof({name})"]
    for slot in slots:
        member = MEMBERS.get(slot.field, slot.field)
        expressions.append(f"offsetof({name}, {member})")
        expressions.append(f"sizeof((({name} *)0)->{member})")
    expected = [record.sizeof()]
    for slot in slots:
        expected += [slot.offset, slot.size]
    assert c_values(expressions) == expected


def system_member(field: str) -> str:
    if field.startswith(("pci_", "iommu_units")):
        field = f"platform_info.{field}"
    for python, c in MEMBERS.items():
        field = field.replace(f".{python}", f".{c}")
    return field


def test_system_header_matches_structure(c_values: Probe) -> None:
    slots = [slot for slot in SystemHeader.slots() if slot.field != "platform"]
    expressions = [
        f"offsetof({SYSTEM}, root_cell)",
        f"offsetof({SYSTEM}, platform_info.x86)",
        f"offsetof({SYSTEM}, platform_info.arm)",
        f"sizeof((({SYSTEM} *)0)->platform_info.arm)",
    ]
    for slot in slots:
        member = system_member(slot.field)
        expressions.append(f"offsetof({SYSTEM}, {member})")
        expressions.append(f"sizeof((({SYSTEM} *)0)->{member})")
    expected = [SystemHeader.sizeof(), 312, 312, ArmPlatform.sizeof()]
    for slot in slots:
        expected += [slot.offset, slot.size]
    assert c_values(expressions) == expected


@pytest.mark.parametrize(("record", "member"), [(X86Platform, "x86"), (ArmPlatform, "arm")])
def test_platform_matches_union(record: type[Record], member: str, c_values: Probe) -> None:
    slots = [slot for slot in record.slots() if slot.field != "unused"]
    base = f"offsetof({SYSTEM}, platform_info.{member}"
    expressions = [f"{base}.{slot.field}) - {base})" for slot in slots]
    assert c_values(expressions) == [slot.offset for slot in slots]
    assert record.sizeof() == 44


def test_example_of_the_specification() -> None:
    """abi.md 1.3: apic-demo is 132 + 8 + 2*32 + 12 + 3*4 = 228 bytes."""
    sizes = (CellHeader, Memory, Memory, Cache, PioRange, PioRange, PioRange)
    assert 8 + sum(kind.sizeof() for kind in sizes) == 228


ENUMERATIONS: list[tuple[type[enum.IntEnum] | type[enum.IntFlag], str, dict[str, str]]] = [
    (CellFlag, "JAILHOUSE_CELL_", {}),
    (SystemFlag, "JAILHOUSE_SYS_", {}),
    (MemFlag, "JAILHOUSE_MEM_", {}),
    (PciType, "JAILHOUSE_PCI_TYPE_", {}),
    (constants.CacheType, "JAILHOUSE_CACHE_", {}),
    (constants.ApicMode, "JAILHOUSE_APIC_MODE_", {}),
    (ConsoleType, "JAILHOUSE_CON_TYPE_", {"UART_8250": "8250"}),
    (ConsoleFlag, "JAILHOUSE_CON_", {"MMIO": "ACCESS_MMIO"}),
    (IommuType, "JAILHOUSE_IOMMU_", {"NONE": ""}),
]


@pytest.mark.parametrize(("kind", "prefix", "names"), ENUMERATIONS, ids=str)
def test_enumeration_matches_constants(
    kind: type[enum.IntEnum] | type[enum.IntFlag],
    prefix: str,
    names: dict[str, str],
    c_values: Probe,
) -> None:
    members = {name: member.value for name, member in kind.__members__.items()}
    members = {names.get(name, name): value for name, value in members.items()}
    members.pop("", None)
    expressions = [f"(__u32){prefix}{name}" for name in members]
    assert c_values(expressions) == list(members.values())


def test_plain_constants(c_values: Probe) -> None:
    expected = {
        "JAILHOUSE_CONFIG_REVISION": constants.REVISION,
        "JAILHOUSE_CELL_NAME_MAXLEN": constants.NAME_MAXLEN,
        "JAILHOUSE_MAX_IOMMU_UNITS": constants.MAX_IOMMU_UNITS,
        "JAILHOUSE_X86": constants.Architecture.X86,
        "JAILHOUSE_ARM": constants.Architecture.ARM,
        "JAILHOUSE_ARM64": constants.Architecture.ARM64,
        "JAILHOUSE_PCI_EXT_CAP": constants.PCI_EXT_CAP,
        "JAILHOUSE_PCICAPS_WRITE": constants.PCICAPS_WRITE,
        "PCI_CAP_ID_MSI": constants.PCI_CAP_ID_MSI,
        "PCI_CAP_ID_MSIX": constants.PCI_CAP_ID_MSIX,
    }
    assert c_values(list(expected)) == list(expected.values())
