# SPDX-License-Identifier: GPL-2.0-only
"""Malformed configurations, made from valid ones.

Each variant has a name, its bytes, and what has to refuse it: `config check`
(exit status 1), the driver (errno of the ioctl) and the hypervisor (errno of a
direct hypercall on the same bytes).  A set of errnos means any of them; an
empty set means that this party can't be asked (a direct hypercall has no file
length) or is not judged.  Issue direct hypercalls on CPU 0, which is what makes
the hypervisor refuse CPU 0 for a cell, with the bytes of for_hypercall().

    for variant in cell_variants(cell, system): ...      # for CELL_CREATE
    for variant in system_variants(system): ...          # for ENABLE
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jailhouse.cellfile import (
    ArmPlatform,
    CellConfig,
    CellHeader,
    Irqchip,
    MemFlag,
    Memory,
    PciDevice,
    PciType,
    PioRange,
    SystemConfig,
    SystemHeader,
    slots,
)
from jailhouse.cellfile.records import ARRAYS

PAGE = 0x1000
_ID = next(slot.offset for slot in CellHeader.slots() if slot.field == "id")
FREE_GUEST_ADDRESS = 0x2000000000
"""Guest-physical address that no cell uses, inside every machine's width."""

Errnos = frozenset[int]
NOT_ASKED: Errnos = frozenset()
INVALID: Errnos = frozenset({errno.EINVAL})
TOO_MUCH: Errnos = frozenset({errno.EINVAL, errno.E2BIG})
RANGE: Errnos = frozenset({errno.EINVAL, errno.ERANGE})
BUSY: Errnos = frozenset({errno.EBUSY})
FAULT: Errnos = frozenset({errno.EINVAL, errno.E2BIG, errno.EFAULT})


@dataclass(frozen=True)
class Variant:
    """One malformed configuration and who refuses it how."""

    name: str
    data: bytes
    driver: Errnos
    hypervisor: Errnos = NOT_ASKED
    check: bool = True
    """Whether `config check` must refuse it."""

    def for_hypercall(self, cell_id: int) -> bytes:
        """The bytes with an unused id filled in, as the driver would (it is 0 in files)."""
        return self.data[:_ID] + cell_id.to_bytes(4, "little") + self.data[_ID + 4 :]

    def __str__(self) -> str:
        return self.name


def cell_variants(cell: bytes, system: bytes) -> list[Variant]:
    """Variants of a cell configuration that is valid on the given system."""
    cell = _without_trailing(cell, 0)
    found = list(_truncated(cell, INVALID))
    found += _identities(cell, (b"JHCLX", b"JHSYS", bytes(5)), INVALID)
    found += _counts(cell, 0, TOO_MUCH, TOO_MUCH)
    found.append(Variant("system file", system, INVALID, TOO_MUCH))
    found += _cell_cpus(cell, system)
    found += _cell_overlaps(cell, system)
    found += _cell_contents(cell, system)
    return found


def system_variants(system: bytes) -> list[Variant]:
    """Variants of a system configuration; ``driver`` is the errno of ENABLE."""
    base = SystemHeader.sizeof()
    system = _without_trailing(system, base)
    found = list(_truncated(system, FAULT))
    found += _identities(system, (b"JHSYX", b"JHCLL", bytes(5)), INVALID, NOT_ASKED)
    found += _counts(system, base, FAULT, NOT_ASKED)
    found += _system_contents(system)
    return found


def between_cells(cell: bytes, other: bytes) -> list[Variant]:
    """Variants of ``cell`` whose memory overlaps that of ``other``, which exists already."""
    target = _ram(CellConfig.from_bytes(other))
    found = []
    for kind, start, size in _overlaps(target.phys_start, target.size):

        def change(config: CellConfig, start: int = start, size: int = size) -> None:
            config.mem_regions.append(_region(start, FREE_GUEST_ADDRESS, size))

        data = _changed(cell, change)
        found.append(Variant(f"other cell overlap: {kind}", data, INVALID, INVALID))
    return found


def _without_trailing(data: bytes, base: int) -> bytes:
    config = SystemConfig.from_bytes(data).root_cell if base else CellConfig.from_bytes(data)
    return data[: len(data) - len(config.trailing)]


def _truncated(data: bytes, driver: Errnos) -> Iterator[Variant]:
    """Cut before every field, and in the middle of each that has more than one byte."""
    seen = set()
    for slot in slots(data):
        cuts = [(f"before {slot.field}", slot.offset)]
        if slot.size > 1:
            cuts.append((f"inside {slot.field}", slot.offset + slot.size // 2))
        for name, cut in cuts:
            if cut not in seen:
                seen.add(cut)
                yield Variant(f"truncated {name}", data[:cut], driver)


def _patched(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


def _identities(
    data: bytes, signatures: tuple[bytes, ...], driver: Errnos, hypervisor: Errnos = INVALID
) -> Iterator[Variant]:
    for signature in signatures:
        name = f"signature {signature!r}"
        yield Variant(name, _patched(data, 0, signature), driver, hypervisor)
    for revision in (0, 12, 13, 15, 0xFFFF):
        patched = _patched(data, 6, revision.to_bytes(2, "little"))
        yield Variant(f"revision {revision}", patched, driver, hypervisor)
    for architecture in (0, 1, 2, 3, 255):
        if architecture != data[5]:
            patched = _patched(data, 5, bytes([architecture]))
            yield Variant(f"architecture {architecture}", patched, driver, hypervisor)


def _counts(data: bytes, base: int, driver: Errnos, hypervisor: Errnos) -> Iterator[Variant]:
    """Each count too large by one, by far, and so that 32-bit arithmetic wraps."""
    places = {slot.field: slot.offset for slot in CellHeader.slots(base)}
    elements = [(count, kind.sizeof()) for count, _, kind in ARRAYS]
    for count, size in [("cpu_set_size", 1), *elements]:
        offset = places[count]
        value = int.from_bytes(data[offset : offset + 4], "little")
        step = 8 if size == 1 else 1
        wrap = (1 << 32) // math.gcd(size, 1 << 32)
        values = {
            "plus one": (value + step, NOT_ASKED),
            "more than the file": (value + len(data) // size + step, NOT_ASKED),
            "maximum": (0xFFFFFFFF, hypervisor),
        }
        if wrap < 1 << 32:
            values["wraps 32 bits"] = (wrap + value, hypervisor)
        else:
            values["largest multiple of 8"] = (0xFFFFFFF8, hypervisor)
        for name, (number, refused) in values.items():
            patched = _patched(data, offset, number.to_bytes(4, "little"))
            yield Variant(f"{count} {name}", patched, driver, refused)


def _changed(cell: bytes, change: Callable[[CellConfig], None]) -> bytes:
    config = CellConfig.from_bytes(cell)
    change(config)
    return config.to_bytes()


def _region(phys: int, virt: int, size: int) -> Memory:
    return Memory(phys, virt, size, MemFlag.READ | MemFlag.WRITE)


def _ram(config: CellConfig) -> Memory:
    """The first region that programs are loaded to, else the first of whole pages."""
    mapped = [r for r in config.mem_regions if r.size >= PAGE and not r.is_comm_region]
    return next((r for r in mapped if r.has(MemFlag.LOADABLE)), mapped[0])


def _overlaps(start: int, size: int) -> list[tuple[str, int, int]]:
    """(kind, start, size) of ranges that overlap [start, start + size)."""
    found = [
        ("full", start, size),
        ("surrounding", start - PAGE, size + 2 * PAGE),
        ("head", start - PAGE, 2 * PAGE),
        ("tail", start + size - PAGE, 2 * PAGE),
        ("one page", start + size // PAGE // 2 * PAGE, PAGE),
        ("one byte at the end", start + size - 1, 1),
    ]
    return [(kind, first, length) for kind, first, length in found if first >= 0]


def _cell_cpus(cell: bytes, system: bytes) -> Iterator[Variant]:
    root = SystemConfig.from_bytes(system).root_cell.cpus
    config = CellConfig.from_bytes(cell)

    def with_cpus(cpus: list[int]) -> bytes:
        return _changed(cell, lambda c: c.set_cpus(cpus))

    def with_bitmap(bitmap: bytes) -> bytes:
        def change(c: CellConfig) -> None:
            c.cpu_set = bitmap

        return _changed(cell, change)

    if config.architecture == 0:
        yield Variant("CPU 0", with_cpus([0]), INVALID, BUSY)
        yield Variant("CPU 0 and its own", with_cpus([0, *config.cpus]), INVALID, BUSY)
    yield Variant("foreign CPU", with_cpus([max(root) + 1]), BUSY, BUSY)
    yield Variant("own and foreign", with_cpus([*config.cpus, max(root) + 1]), BUSY, BUSY)
    yield Variant("CPU 299", with_cpus([299]), BUSY, BUSY)
    yield Variant("empty CPU set", with_cpus([]), INVALID, INVALID)
    yield Variant("CPU set of 0 bytes", with_bitmap(b""), INVALID, INVALID)
    yield Variant(
        "CPU set of 4104 bytes", with_bitmap(config.cpu_set.ljust(4104, b"\0")), INVALID, TOO_MUCH
    )


def _cell_overlaps(cell: bytes, system: bytes) -> Iterator[Variant]:
    hypervisor = SystemConfig.from_bytes(system).hypervisor_memory
    for kind, start, size in _overlaps(hypervisor.phys_start, hypervisor.size):

        def onto_hypervisor(config: CellConfig, start: int = start, size: int = size) -> None:
            config.mem_regions.append(_region(start, FREE_GUEST_ADDRESS + start % PAGE, size))

        data = _changed(cell, onto_hypervisor)
        yield Variant(f"hypervisor overlap: {kind}", data, INVALID, INVALID)
    ram = _ram(CellConfig.from_bytes(cell))
    for kind, start, size in _overlaps(ram.virt_start, ram.size):

        def inside(config: CellConfig, start: int = start, size: int = size) -> None:
            phys = ram.phys_start + start % PAGE
            config.mem_regions.append(_region(phys, start, size))

        data = _changed(cell, inside)
        yield Variant(f"guest-physical overlap: {kind}", data, INVALID, INVALID)


def _cell_contents(cell: bytes, system: bytes) -> Iterator[Variant]:
    config = CellConfig.from_bytes(cell)
    ioapics = SystemConfig.from_bytes(system).root_cell.irqchips
    ram = _ram(config)

    def variant(name: str, change: Callable[[CellConfig], None], refused: Errnos) -> Variant:
        return Variant(name, _changed(cell, change), refused, refused)

    def adding(array: str, item: object) -> Callable[[CellConfig], None]:
        return lambda c: getattr(c, array).append(item)

    top = (1 << 64) - PAGE
    for name, region in (
        ("guest-physical wrap", _region(ram.phys_start, top, 2 * PAGE)),
        ("physical wrap", _region(top, FREE_GUEST_ADDRESS, 2 * PAGE)),
        ("beyond the address width", _region(1 << 56, FREE_GUEST_ADDRESS, PAGE)),
        (
            "communication region of two pages",
            Memory(0, FREE_GUEST_ADDRESS, 2 * PAGE, MemFlag.READ | MemFlag.COMM_REGION),
        ),
    ):
        yield variant(name, adding("mem_regions", region), RANGE)
    ivshmem = PciDevice(type=PciType.IVSHMEM, bdf=0x0FF8, shmem_peers=2)
    ivshmem.shmem_regions_start = len(config.mem_regions)
    yield variant("ivshmem regions out of range", adding("pci_devices", ivshmem), RANGE)
    endpoint = PciDevice(type=PciType.DEVICE, bdf=0x0FF8, num_caps=1)
    endpoint.caps_start = len(config.pci_caps)
    yield variant("capabilities out of range", adding("pci_devices", endpoint), RANGE)
    platform = SystemConfig.from_bytes(system).platform
    if isinstance(platform, ArmPlatform):
        for base in (33, 63, 928, 0xFFFFFFE0):
            chip = Irqchip(address=platform.gicd_base, pin_base=base)
            yield variant(f"pin_base {base} of the GIC", adding("irqchips", chip), INVALID)
    if config.architecture == 0:
        yield variant("ports wrap", adding("pio_regions", PioRange(0xFFFF, 2)), RANGE)
        stranger = Irqchip(address=0xDEAD0000)
        yield variant("unknown IOAPIC", adding("irqchips", stranger), INVALID)
        if ioapics and not config.irqchips:
            shifted = Irqchip(ioapics[0].address, ioapics[0].id, pin_base=1)
            yield variant("pin_base of an IOAPIC", adding("irqchips", shifted), INVALID)


def _system_contents(system: bytes) -> Iterator[Variant]:
    config = SystemConfig.from_bytes(system)
    memory, ram = config.hypervisor_memory, _ram(config.root_cell)

    def variant(
        name: str, change: Callable[[SystemConfig], None], driver: Errnos = INVALID
    ) -> Variant:
        changed = SystemConfig.from_bytes(system)
        change(changed)
        return Variant(name, changed.to_bytes(), driver)

    def adding(region: Memory) -> Callable[[SystemConfig], None]:
        return lambda s: s.root_cell.mem_regions.append(region)

    for kind, start, size in _overlaps(memory.phys_start, memory.size):
        region = _region(start, start, size)
        yield variant(f"hypervisor overlap: {kind}", adding(region))
    for kind, start, size in _overlaps(ram.virt_start, ram.size):
        region = _region(start, start, size)
        yield variant(f"guest-physical overlap: {kind}", adding(region))

    def cpus(numbers: list[int]) -> Callable[[SystemConfig], None]:
        return lambda s: s.root_cell.set_cpus(numbers)

    yield variant("empty CPU set", cpus([]))
    extra = max(config.root_cell.cpus) + 1
    # Valid on another machine: nothing for config check.
    one_more = variant("one CPU too many", cpus([*config.root_cell.cpus, extra]))
    yield Variant(one_more.name, one_more.data, INVALID, check=False)

    def placed(start: int, size: int) -> Callable[[SystemConfig], None]:
        def change(s: SystemConfig) -> None:
            s.hypervisor_memory = Memory(start, 0, size, 0)

        return change

    refused = frozenset({errno.EINVAL, errno.EBUSY, errno.ENOMEM})
    yield variant("hypervisor memory empty", placed(memory.phys_start, 0), refused)
    yield variant("hypervisor memory odd", placed(memory.phys_start + 0x800, memory.size), refused)
    yield variant("hypervisor memory wraps", placed((1 << 64) - PAGE, 2 * PAGE), refused)
    if config.architecture == 0:
        for port in (0xCF5, 0xCF8, 0xCFC, 0x61, 0x64, 0xFFFD, 0xFFFF):
            yield variant(f"PM timer at {port:#x}", _pm_timer(port))


def _pm_timer(port: int) -> Callable[[SystemConfig], None]:
    def change(system: SystemConfig) -> None:
        system.platform.pm_timer_address = port  # type: ignore[union-attr]

    return change
