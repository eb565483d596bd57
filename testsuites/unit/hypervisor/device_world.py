# SPDX-License-Identifier: GPL-2.0-only
"""Python's side of fake/device_world.c: cells from readable descriptions, accesses, what the hardware saw."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

CDEF = """
extern u8 world_config_space[256][4096];
extern u64 world_pins[24];
extern u32 world_msix_table[1024];
extern int world_pages, world_mappings, world_page_limit;
struct world_write { u64 where; u32 size, value; };
extern struct world_write world_log[512];
extern unsigned int world_log_count;
struct sent { u32 icr, destination; };
extern struct sent world_sent[16];
extern unsigned int world_sent_count, world_skipped;
extern char fake_log[65536];
extern bool using_x2apic;
void fake_log_clear(void);
void world_init(bool with_mmconfig, u16 pm_timer);
void world_cpus(unsigned int n, u32 mask);
int world_cell_init(unsigned int n, const void *config, unsigned int size);
void world_cell_exit(unsigned int n);
void world_cell_reset(unsigned int n);
void world_commit(int n);
void world_shutdown(void);
const u8 *world_bitmap(unsigned int n);
int world_mmio(unsigned int n, u64 address, unsigned int size, bool is_write, u64 *value);
int world_pio(unsigned int n, u16 port, unsigned int size, bool in, bool rep, u64 *rax);
"""
SOURCES = [
    *(f"hypervisor/core/{n}.c" for n in ("pci", "pci_header", "pci_msi", "pci_msix", "mmio")),
    *(f"hypervisor/arch/x86/{n}.c" for n in ("pci_ports", "pio", "ioapic", "apic_msi")),
    "hypervisor/arch/x86/svm/irq_remap.c", "hypervisor/lib/string.c", "device_world.c", "io.c", "percpu.c", "printk.c",
]  # fmt: skip

MMCONFIG = 0xB0000000
IOAPIC = 0xFEC00000
DEVICE, BRIDGE, IVSHMEM = 1, 2, 3
WRITE = 1
EINVAL, EBUSY, ENOMEM = -22, -16, -12
ERROR, UNHANDLED, HANDLED, DIRECT = 0, 1, 2, 3


@dataclass(frozen=True)
class Cap:
    id: int
    start: int
    len: int
    flags: int = WRITE


@dataclass(frozen=True)
class Device:
    bdf: int
    type: int = DEVICE
    bar_mask: tuple[int, ...] = (0xFFFFF000, 0, 0, 0, 0, 0)
    caps: tuple[Cap, ...] = ()
    msix_address: int = 0
    msix_vectors: int = 0
    msi_vectors: int = 0
    msix_size: int = 0x1000
    domain: int = 0


@dataclass(frozen=True)
class Irqchip:
    pins: Sequence[int]
    address: int = IOAPIC
    pin_base: int = 0
    requester: int = 0

    def pack(self) -> bytes:
        bitmap = sum(1 << pin for pin in self.pins)
        return struct.pack("<QII16s", self.address, self.requester, self.pin_base, bitmap.to_bytes(16, "little"))


@dataclass(frozen=True)
class CellConfig:
    """Arrays in the order of the file format; see include/jailhouse/cell-config.h."""

    name: str
    devices: Sequence[Device] = ()
    irqchips: Sequence[Irqchip] = ()
    ports: Sequence[tuple[int, int]] = ()
    flags: int = 0
    caps: list[Cap] = field(default_factory=list)

    def pack(self) -> bytes:
        pci, caps = b"", b""
        start = 0
        for d in self.devices:
            pci += struct.pack(
                "<BBHH6IHHBBHHQIBBH", d.type, 0, d.domain, d.bdf, *d.bar_mask, start, len(d.caps), d.msi_vectors, 0,
                d.msix_vectors, d.msix_size, d.msix_address, 0, 0, 0, 0,
            )  # fmt: skip
            caps += b"".join(struct.pack("<HHHH", c.id, c.start, c.len, c.flags) for c in d.caps)
            start += len(d.caps)
        header = struct.pack(
            "<5sBH32s11IQQ32s", b"JHCLL", 0, 14, self.name.encode(), 0, self.flags,
            0, 0, 0, len(self.irqchips), len(self.ports), len(self.devices), start, 0, 0, 0, 0, b"",
        )  # fmt: skip
        assert len(header) == 132
        chips = b"".join(chip.pack() for chip in self.irqchips)
        ports = b"".join(struct.pack("<HH", base, length) for base, length in self.ports)
        return header + chips + ports + pci + caps


class World:
    """Cell 0 is the root cell; CPUs are numbers below 8."""

    sources: Sequence[str] = SOURCES
    cdef = CDEF

    def __init__(self, hostlib: Any, mmconfig: bool = True, pm_timer: int = 0, defines: Sequence[str] = ()) -> None:
        mod = hostlib(self.sources, self.cdef, defines=defines)
        self.ffi, self.lib = mod.ffi, mod.lib
        self.lib.world_init(mmconfig, pm_timer)

    # --- cells ---

    def try_cell(self, n: int, config: CellConfig) -> int:
        packed = config.pack()
        return int(self.lib.world_cell_init(n, packed, len(packed)))

    def cell(self, n: int, config: CellConfig, cpus: int) -> None:
        if n:
            self._root_cpus &= ~cpus
            self.lib.world_cpus(0, self._root_cpus)
        else:
            self._root_cpus = cpus
        self.lib.world_cpus(n, cpus)
        assert self.try_cell(n, config) == 0
        self._cpus = {**getattr(self, "_cpus", {}), n: cpus}
        self.lib.world_commit(n if n else -1)

    def destroy(self, n: int) -> None:
        self._root_cpus |= self._cpus[n]
        self.lib.world_cpus(n, 0)
        self.lib.world_cpus(0, self._root_cpus)
        self.lib.world_cell_exit(n)
        self.lib.world_commit(-1)

    # --- accesses ---

    def mmio(self, n: int, address: int, size: int = 4, write: int | None = None) -> tuple[int, int]:
        value = self.ffi.new("u64 *", write or 0)
        result = self.lib.world_mmio(n, address, size, write is not None, value)
        return result, int(value[0])

    def pio(
        self, n: int, port: int, size: int, *, write: int | None = None, rep: bool = False, rax: int = 0
    ) -> tuple[int, int]:
        value = self.ffi.new("u64 *", rax if write is None else write)
        result = {0: ERROR, 1: HANDLED, 2: DIRECT}[self.lib.world_pio(n, port, size, write is None, rep, value)]
        return result, int(value[0])

    def config_read(self, n: int, bdf: int, reg: int, size: int = 4) -> int:
        result, value = self.mmio(n, MMCONFIG + (bdf << 12) + reg, size)
        assert result == HANDLED
        return value

    def config_write(self, n: int, bdf: int, reg: int, value: int, size: int = 4) -> bool:
        return self.mmio(n, MMCONFIG + (bdf << 12) + reg, size, write=value)[0] == HANDLED

    def port_config(self, n: int, address: int, port: int = 0xCFC, size: int = 4, write: int | None = None) -> tuple[int, int]:
        assert self.pio(n, 0xCF8, 4, write=address)[0] == HANDLED
        return self.pio(n, port, size, write=write)

    # --- hardware ---

    def hw_config(self, bdf: int, reg: int, size: int = 4) -> int:
        return int.from_bytes(bytes(self.lib.world_config_space[bdf][reg : reg + size]), "little")

    def set_hw_config(self, bdf: int, reg: int, value: int, size: int = 4) -> None:
        for i, byte in enumerate(value.to_bytes(size, "little")):
            self.lib.world_config_space[bdf][reg + i] = byte

    def pin(self, n: int) -> int:
        return int(self.lib.world_pins[n])

    def take_writes(self) -> list[tuple[int, int, int]]:
        """(where, size, value) since the last call; `where` as in device_world.c."""
        log = [
            (int(e.where), int(e.size), int(e.value)) for e in self.lib.world_log[0 : self.lib.world_log_count]
        ]
        self.lib.world_log_count = 0
        return log

    def config_writes(self) -> list[tuple[int, int, int]]:
        """(register, size, value), whatever the function."""
        return [(where & 0xFFF, size, value) for where, size, value in self.take_writes() if where < 1 << 32]

    def sent(self) -> list[tuple[int, int]]:
        found = [(int(s.icr), int(s.destination)) for s in self.lib.world_sent[0 : self.lib.world_sent_count]]
        self.lib.world_sent_count = 0
        return found

    def text(self) -> str:
        """What was printed since the last call."""
        text = self.ffi.string(self.lib.fake_log).decode()
        self.lib.fake_log_clear()
        return text
