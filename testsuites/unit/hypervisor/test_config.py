# SPDX-License-Identifier: GPL-2.0-only
"""Validation of configurations in the hypervisor: everything malformed is refused, nothing is read beyond its end.

The bytes under test are in a heap block of exactly their size, so that a read beyond is a sanitizer report.
"""

from __future__ import annotations

import errno
import functools
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hostlib import CC, REPO, clean_env

sys.path[:0] = [str(REPO / "tools"), str(REPO / "testsuites")]

import cellgen  # noqa: E402

from jailhouse.cellfile import (  # noqa: E402
    CellConfig,
    Irqchip,
    MemFlag,
    Memory,
    PciCapability,
    PciDevice,
    SystemConfig,
)

SOURCES = ["hypervisor/core/config.c", "hypervisor/lib/string.c", "config_wrapper.c", "printk.c"]
CDEF = """
struct config_limits {
    u64 hv_start, hv_size, max_phys, max_guest_phys; unsigned int max_cpus; u64 mmconfig_base, mmconfig_size;
};
int config_check_system(const void *sys, u64 size, const struct config_limits *limits);
int config_check_cell(const void *desc, u64 size, const struct config_limits *limits, u64 *total);
int fake_check_overlap(const void *desc, const void *other);
extern char fake_log[];
void fake_log_clear(void);
"""
ELSEWHERE = {"unknown IOAPIC"}  # refused by the IOAPIC unit
HV_START, HV_SIZE = 0x3A000000, 0x600000


@functools.cache
def compiled(name: str) -> bytes:
    """A configuration of this tree, as configs/Makefile builds it."""
    source = REPO / f"configs/x86/{name}.c"
    with tempfile.TemporaryDirectory() as scratch:
        obj, cell = Path(scratch) / "config.o", Path(scratch) / "config.cell"
        subprocess.run([CC, "-c", "-std=gnu11", f"-I{REPO / 'include'}", str(source), "-o", str(obj)],
                       check=True, env=clean_env())
        subprocess.run(["objcopy", "-O", "binary", "--remove-section=.note.gnu.property", str(obj), str(cell)],
                       check=True, env=clean_env())
        return cell.read_bytes()


class Checker:
    def __init__(self, mod: Any) -> None:
        self.mod = mod
        self.limits = mod.ffi.new("struct config_limits *", {
            "hv_start": HV_START, "hv_size": HV_SIZE, "max_phys": 1 << 40, "max_guest_phys": 1 << 40, "max_cpus": 4,
        })

    def cell(self, data: bytes) -> int:
        block = self.mod.ffi.new("char[]", len(data)) if data else self.mod.ffi.NULL
        if data:
            self.mod.ffi.memmove(block, data, len(data))
        total = self.mod.ffi.new("u64 *")
        return -int(self.mod.lib.config_check_cell(block, len(data), self.limits, total))

    def system(self, data: bytes) -> int:
        block = self.mod.ffi.new("char[]", max(len(data), 1))
        self.mod.ffi.memmove(block, data, len(data))
        return -int(self.mod.lib.config_check_system(block, len(data), self.limits))

    def overlap(self, data: bytes, other: bytes) -> int:
        return -int(self.mod.lib.fake_check_overlap(data, other))

    def log(self) -> str:
        return str(self.mod.ffi.string(self.mod.lib.fake_log).decode())


@pytest.fixture
def check(hostlib: Any) -> Checker:
    return Checker(hostlib(SOURCES, CDEF, headers=["core/config.h"]))


@pytest.fixture
def cell() -> bytes:
    return compiled("apic-demo")


@pytest.fixture
def system() -> bytes:
    return compiled("qemu-x86")


@pytest.mark.parametrize("name", sorted(p.stem for p in (REPO / "configs/x86").glob("*.c")))
def test_ours_are_accepted(check: Checker, name: str) -> None:
    data = compiled(name)
    result = check.system(data) if data.startswith(b"JHSYS") else check.cell(data)
    assert result == 0, check.log()


def test_malformed_cells(check: Checker, cell: bytes, system: bytes) -> None:
    """Each variant of testsuites/cellgen.py, and the line that names it."""
    wrong = []
    for variant in cellgen.cell_variants(cell, system):
        check.mod.lib.fake_log_clear()
        result = check.cell(variant.data)
        wanted = variant.hypervisor or cellgen.TOO_MUCH
        if variant.name in ELSEWHERE or errno.EBUSY in wanted:
            continue
        if result not in wanted or not check.log().endswith("\n"):
            wrong.append((variant.name, result, check.log()))
    assert not wrong


def test_malformed_systems(check: Checker, system: bytes) -> None:
    """The number of CPUs is for the boot story; everything else is refused here."""
    wrong = []
    for variant in cellgen.system_variants(system):
        result = check.system(variant.data)
        if result == 0 and variant.name != "one CPU too many":
            wrong.append(variant.name)
    assert not wrong


def test_random_bytes_are_survived(check: Checker, cell: bytes, system: bytes) -> None:
    dice = random.Random(5)
    for _ in range(3000):
        for data, function in ((bytearray(cell), check.cell), (bytearray(system), check.system)):
            for _ in range(dice.randint(1, 4)):
                data[dice.randrange(8, len(data))] = dice.choice([0, 1, 0x7F, 0x80, 0xFF])
            function(bytes(data[: dice.choice([len(data), dice.randrange(len(data))])]))


def test_trailing_bytes_are_accepted(check: Checker, cell: bytes) -> None:
    assert check.cell(cell + bytes(56)) == 0


def test_larger_than_16_pages(check: Checker, cell: bytes) -> None:
    config = CellConfig.from_bytes(cell)
    config.mem_regions += [Memory(0, 0, 0, 0)] * 2048
    assert check.cell(config.to_bytes()) == errno.E2BIG


REGIONS = [
    (Memory(0x3A5FF000, 0x200000, 0x1000, MemFlag.READ), False),
    (Memory(0x39FFF000, 0x200000, 0x1000, MemFlag.READ), True),
    (Memory(0x3A600000, 0x200000, 0x1000, MemFlag.READ), True),
    (Memory(0x3A5FFFFF, 0x200000, 0x2, MemFlag.READ), False),
    (Memory(HV_START, 0x200000, 0, MemFlag.READ), True),
    (Memory(0x10800, 0x200000, 0x1000, MemFlag.READ), False),
    (Memory(0x10800, 0x200800, 0x100, MemFlag.READ), True),
    (Memory(0x10000, 0xFF800, 0x1000, MemFlag.READ), False),
    (Memory(1 << 40, 0x200000, 0x1000, MemFlag.READ), False),
    (Memory((1 << 40) - 0x1000, (1 << 40) - 0x1000, 0x1000, MemFlag.READ), True),
    (Memory(0x10000, 1 << 40, 0x1000, MemFlag.READ), False),
    (Memory(HV_START, 0x200000, 0x1000, MemFlag.READ | MemFlag.COMM_REGION), False),
]


@pytest.mark.parametrize(("region", "good"), REGIONS, ids=[f"{r.phys_start:#x}-{r.virt_start:#x}" for r, _ in REGIONS])
def test_memory_regions(check: Checker, cell: bytes, region: Memory, good: bool) -> None:
    """The last one is a second communication region."""
    config = CellConfig.from_bytes(cell)
    config.mem_regions.append(region)
    assert check.cell(config.to_bytes()) == (0 if good else errno.EINVAL), check.log()


def test_root_regions_are_identity_mapped(check: Checker, system: bytes) -> None:
    config = SystemConfig.from_bytes(system)
    config.root_cell.mem_regions.append(Memory(0x100000000, 0x200000000, 0x1000, MemFlag.READ))
    assert check.system(config.to_bytes()) == errno.EINVAL


DEVICES = [
    (PciDevice(type=1, bdf=0x100), True),
    (PciDevice(type=2, bdf=0x100), True),
    (PciDevice(type=3, bdf=0x100), False),
    (PciDevice(type=0, bdf=0x100), False),
    (PciDevice(type=1, bdf=0x100, caps_start=1, num_caps=0), True),
    (PciDevice(type=1, bdf=0x100, caps_start=2, num_caps=0), False),
    (PciDevice(type=1, bdf=0x100, caps_start=0xFFFF, num_caps=0xFFFF), False),
    (PciDevice(type=1, bdf=0x100, num_msi_vectors=33), False),
    (PciDevice(type=1, bdf=0x100, num_msix_vectors=2049), False),
    (PciDevice(type=1, bdf=0x100, num_msix_vectors=5, msix_region_size=0x40, msix_address=0xFEB80000), False),
    (PciDevice(type=1, bdf=0x100, num_msix_vectors=4, msix_region_size=0x1000, msix_address=HV_START), False),
    (PciDevice(type=1, bdf=0x100, num_msix_vectors=4, msix_region_size=0x1000, msix_address=0xFEB80000), True),
]


@pytest.mark.parametrize(("device", "good"), DEVICES, ids=range(len(DEVICES)))
def test_pci_devices(check: Checker, cell: bytes, device: PciDevice, good: bool) -> None:
    config = CellConfig.from_bytes(cell)
    config.pci_devices.append(device)
    config.pci_caps.append(PciCapability(id=5, start=0x50, len=14, flags=1))
    assert check.cell(config.to_bytes()) == (0 if good else errno.EINVAL), check.log()


@pytest.mark.parametrize(("cap", "good"), [
    ((0x40, 4, 1), True), ((0x10, 4, 1), False), ((0x10, 4, 0), True), ((0xFFE, 2, 1), True), ((0xFFF, 2, 0), False),
])
def test_pci_caps(check: Checker, cell: bytes, cap: tuple[int, int, int], good: bool) -> None:
    config = CellConfig.from_bytes(cell)
    config.pci_caps.append(PciCapability(id=9, start=cap[0], len=cap[1], flags=cap[2]))
    assert check.cell(config.to_bytes()) == (0 if good else errno.EINVAL), check.log()


def test_irqchip_pin_base(check: Checker, cell: bytes) -> None:
    config = CellConfig.from_bytes(cell)
    config.irqchips.append(Irqchip(0xFEC00000, 0, pin_base=0))
    assert check.cell(config.to_bytes()) == 0
    config.irqchips[0] = Irqchip(0xFEC00000, 0, pin_base=32)
    assert check.cell(config.to_bytes()) == errno.EINVAL


def test_overlap_between_cells(check: Checker, cell: bytes) -> None:
    """decisions.md 10: only what both sides call shared may be shared."""
    def one(phys: int, size: int, flags: int) -> bytes:
        config = CellConfig.from_bytes(cell)
        config.mem_regions = [Memory(phys, 0x200000, size, flags)]
        return config.to_bytes()

    ram, shared = MemFlag.READ, MemFlag.READ | MemFlag.ROOTSHARED
    base = one(0x10000, 0x2000, ram)
    assert check.overlap(one(0x11000, 0x1000, ram), base) == errno.EINVAL
    assert check.overlap(one(0x12000, 0x1000, ram), base) == 0
    assert check.overlap(one(0xF000, 0x1000, ram), base) == 0
    assert check.overlap(one(0xF000, 0x1001, ram), base) == errno.EINVAL
    assert check.overlap(one(0x10000, 0, ram), base) == 0
    assert check.overlap(one(0x10000, 0x1000, shared), base) == errno.EINVAL
    assert check.overlap(one(0x10000, 0x1000, ram), one(0x10000, 0x1000, shared)) == errno.EINVAL
    assert check.overlap(one(0x10000, 0x1000, shared), one(0x10000, 0x1000, shared)) == 0
    assert check.overlap(one(0, 0x1000, MemFlag.READ | MemFlag.COMM_REGION), one(0, 0x1000, ram)) == 0
