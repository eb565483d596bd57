# SPDX-License-Identifier: GPL-2.0-only
"""Whole configurations: a header and the arrays behind it (abi.md 1.3).

Reading raises nothing but CellFileError.  What a file says may still be
nonsense: jailhouse.check judges that.  Writing gives the same bytes back,
including bytes behind the end that the counts describe.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from jailhouse.cellfile.constants import (
    ARCHITECTURES,
    CELL_SIGNATURE,
    REVISION,
    SYSTEM_SIGNATURE,
    Architecture,
)
from jailhouse.cellfile.errors import (
    ArchitectureError,
    RevisionError,
    SignatureError,
    TruncatedError,
)
from jailhouse.cellfile.layout import Record, Slot
from jailhouse.cellfile.records import (
    ARRAYS,
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

_OLD_SIGNATURES = {b"JHSYST": "system", b"JHCELL": "cell"}
_HISTORY = {
    12: "written for v0.12; since then the IOMMU list moved out of the x86-only part (13) and "
    "the signature gave its last byte to the architecture (14)",
    13: "since then the signature gave its last byte to the architecture",
    15: "never released: it lists CPUs by physical id instead of a bitmap",
}


@dataclass
class CellConfig:
    """A cell: its descriptor, CPUs and resources."""

    architecture: int = Architecture.X86
    name: str = ""
    id: int = 0
    flags: int = 0
    vpci_irq_base: int = 0
    cpu_reset_address: int = 0
    msg_reply_timeout: int = 0
    console: Console = field(default_factory=Console)
    cpu_set: bytes = bytes(8)
    mem_regions: list[Memory] = field(default_factory=list)
    cache_regions: list[Cache] = field(default_factory=list)
    irqchips: list[Irqchip] = field(default_factory=list)
    pio_regions: list[PioRange] = field(default_factory=list)
    pci_devices: list[PciDevice] = field(default_factory=list)
    pci_caps: list[PciCapability] = field(default_factory=list)
    stream_ids: list[StreamId] = field(default_factory=list)
    trailing: bytes = b""
    signature: bytes = CELL_SIGNATURE
    revision: int = REVISION
    file: str = field(default="(memory)", compare=False)

    @property
    def cpus(self) -> list[int]:
        """Logical CPU numbers of the cell in ascending order."""
        return [
            8 * index + bit
            for index, byte in enumerate(self.cpu_set)
            for bit in range(8)
            if byte >> bit & 1
        ]

    def set_cpus(self, cpus: Iterable[int]) -> None:
        """Replace the CPU bitmap by one of whole 64-bit words."""
        bitmap = sum(1 << cpu for cpu in set(cpus))
        words = max(-(-bitmap.bit_length() // 64), 1)
        self.cpu_set = bitmap.to_bytes(8 * words, "little")

    @property
    def label(self) -> str:
        """The name as the driver takes it: up to the first NUL, at most 31 bytes."""
        data = self.name.encode("utf-8", "surrogateescape").partition(b"\0")[0]
        return data[:31].decode("utf-8", "replace")

    def to_bytes(self) -> bytes:
        """The file's content; ValueError if a value does not fit its field."""
        values: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        values.update((count, len(getattr(self, array))) for count, array, _ in ARRAYS)
        header = CellHeader(cpu_set_size=len(self.cpu_set), **values)
        arrays = [item.write() for _, array, _ in ARRAYS for item in getattr(self, array)]
        return header.write() + self.cpu_set + b"".join(arrays) + self.trailing

    @classmethod
    def from_bytes(cls, data: bytes, file: str = "(memory)") -> CellConfig:
        """Read a cell configuration; CellFileError if it is none or incomplete."""
        _identify(data, file, "cell")
        return _read_cell(data, 0, file)

    @classmethod
    def from_file(cls, path: str | Path) -> CellConfig:
        return cls.from_bytes(Path(path).read_bytes(), str(path))


_PLAIN = tuple(item.name for item in fields(CellHeader) if item.name in CellConfig.__annotations__)


@dataclass
class SystemConfig:
    """A machine: hypervisor placement, platform, and the root cell."""

    root_cell: CellConfig
    architecture: int = Architecture.X86
    flags: int = 0
    hypervisor_memory: Memory = field(default_factory=Memory)
    debug_console: Console = field(default_factory=Console)
    pci_mmconfig_base: int = 0
    pci_mmconfig_end_bus: int = 0
    pci_is_virtual: int = 0
    pci_domain: int = 0
    iommu_units: list[Iommu] = field(default_factory=lambda: [Iommu() for _ in range(8)])
    platform: X86Platform | ArmPlatform = field(default_factory=X86Platform)
    signature: bytes = SYSTEM_SIGNATURE
    revision: int = REVISION
    file: str = field(default="(memory)", compare=False)

    @property
    def mmconfig_size(self) -> int:
        """Bytes of the MMCONFIG window, 0 if there is none."""
        return (self.pci_mmconfig_end_bus + 1) << 20 if self.pci_mmconfig_base else 0

    @property
    def iommus(self) -> list[Iommu]:
        """The units in use: the list ends at the first without base."""
        used = []
        for unit in self.iommu_units:
            if unit.base == 0:
                break
            used.append(unit)
        return used

    def to_bytes(self) -> bytes:
        """The file's content; ValueError if a value does not fit its field."""
        names = [item.name for item in fields(SystemHeader) if item.name != "platform"]
        values = {name: getattr(self, name) for name in names}
        header = SystemHeader(platform=self.platform.write(), **values)
        return header.write() + self.root_cell.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes, file: str = "(memory)") -> SystemConfig:
        """Read a system configuration; CellFileError if it is none or incomplete."""
        architecture = _identify(data, file, "system")
        header = _read_record(SystemHeader, data, 0, file)
        kind = X86Platform if architecture == Architecture.X86 else ArmPlatform
        values: dict[str, Any] = {
            item.name: getattr(header, item.name) for item in fields(SystemHeader)
        }
        values["platform"] = kind.read(header.platform)
        root = _read_cell(data, SystemHeader.sizeof(), file)
        return cls(root_cell=root, file=file, **values)

    @classmethod
    def from_file(cls, path: str | Path) -> SystemConfig:
        return cls.from_bytes(Path(path).read_bytes(), str(path))


def kind_of(data: bytes) -> str | None:
    """ "system" or "cell" by the signature, of any revision; None for anything else."""
    if data[:5] == SYSTEM_SIGNATURE:
        return "system"
    if data[:5] == CELL_SIGNATURE:
        return "cell"
    return _OLD_SIGNATURES.get(bytes(data[:6]))


def slots(data: bytes, file: str = "(memory)") -> list[Slot]:
    """Every field of a valid file with its place: header, descriptor, arrays, in order."""
    base = 0
    found: list[Slot] = []
    if kind_of(data) == "system":
        base = SystemHeader.sizeof()
        found += SystemHeader.slots()
        found += CellHeader.slots(base, "root_cell.")
    else:
        found += CellHeader.slots()
    prefix = "root_cell." if base else ""
    header = _read_record(CellHeader, data, base, file, prefix)
    for name, offset, count, kind in _array_places(header, base):
        if kind is None:
            found.append(Slot(f"{prefix}{name}", offset, count))
        else:
            for index in range(count):
                place = offset + index * kind.sizeof()
                found += kind.slots(place, f"{prefix}{name}[{index}].")
    return found


def _array_places(header: CellHeader, base: int) -> list[tuple[str, int, int, type[Record] | None]]:
    """(name, offset, count, kind) of what follows the descriptor; Python integers never wrap."""
    offset = base + CellHeader.sizeof()
    places: list[tuple[str, int, int, type[Record] | None]] = [
        ("cpus", offset, header.cpu_set_size, None)
    ]
    offset += header.cpu_set_size
    for count, name, kind in ARRAYS:
        number: int = getattr(header, count)
        places.append((name, offset, number, kind))
        offset += number * kind.sizeof()
    return places


def _identify(data: bytes, file: str, wanted: str) -> int:
    """Check signature, revision and architecture; return the architecture."""
    kind = kind_of(data)
    if len(data) < 8:
        slot = "signature" if len(data) < 5 else "architecture" if len(data) < 6 else "revision"
        raise TruncatedError(file, len(data), slot, "end of file", "a header starts with 8 bytes")
    revision = int.from_bytes(data[6:8], "little")
    signature = SYSTEM_SIGNATURE if wanted == "system" else CELL_SIGNATURE
    if kind is None or kind != wanted:
        hint = f"a {wanted} configuration starts with {signature.decode()!r}"
        if kind is not None:
            hint += f", this is a {kind} configuration"
        elif signature in data[:4096]:
            hint += (
                f" (which is at offset {data.find(signature)}: "
                "objcopy put a note section before the configuration)"
            )
        raise SignatureError(file, 0, "signature", repr(bytes(data[:6])), hint)
    if bytes(data[:6]) in _OLD_SIGNATURES or revision != REVISION:
        what = _HISTORY.get(revision)
        raise RevisionError(
            file,
            6,
            "revision",
            revision,
            f"only revision {REVISION} is supported"
            + (f" (revision {revision}: {what})" if what else "")
            + "; compile the configuration with the current headers",
        )
    if data[5] >= len(ARCHITECTURES):
        known = ", ".join(f"{index} ({name})" for index, name in enumerate(ARCHITECTURES))
        raise ArchitectureError(file, 5, "architecture", data[5], f"known are {known}")
    return data[5]


def _read_record(kind: type[Any], data: bytes, base: int, file: str, prefix: str = "") -> Any:
    end = base + kind.sizeof()
    if len(data) < end:
        slot = next(s for s in kind.slots(base, prefix) if s.end > len(data))
        raise TruncatedError(
            file,
            len(data),
            slot.field,
            f"end of file after {len(data)} bytes",
            f"this field takes bytes {slot.offset} to {slot.end - 1}, the fixed part {end} bytes",
        )
    return kind.read(data[base:end])


def _read_cell(data: bytes, base: int, file: str) -> CellConfig:
    prefix = "root_cell." if base else ""
    header = _read_record(CellHeader, data, base, file, prefix)
    arrays: dict[str, Any] = {}
    end = base + CellHeader.sizeof()
    for name, offset, count, kind in _array_places(header, base):
        end = offset + count * (kind.sizeof() if kind else 1)
        if end > len(data):
            raise _short_array(len(data), file, prefix + name, (offset, count, kind))
        if kind is None:
            cpu_set = bytes(data[offset:end])
        else:
            step = kind.sizeof()
            arrays[name] = [kind.read(data[at : at + step]) for at in range(offset, end, step)]
    plain = {name: getattr(header, name) for name in _PLAIN}
    return CellConfig(cpu_set=cpu_set, trailing=bytes(data[end:]), file=file, **plain, **arrays)


def _short_array(
    length: int, file: str, name: str, place: tuple[int, int, type[Record] | None]
) -> TruncatedError:
    offset, count, kind = place
    available = max(length - offset, 0)
    step = kind.sizeof() if kind else 1
    counter = "cpu_set_size"
    for candidate, array, _ in ARRAYS:
        if name.endswith(array):
            counter = candidate
    field = name if kind is None else f"{name}[{available // step}]"
    return TruncatedError(
        file,
        length,
        field,
        f"end of file after {length} bytes",
        f"{counter} = {count} needs {count * step} bytes from offset {offset} on, "
        f"{available} are there",
    )
