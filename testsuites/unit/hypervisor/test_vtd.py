# SPDX-License-Identifier: GPL-2.0-only
"""DMA remapping (vmx/vtd*.c) with units that do what the VT-d specification 3.3 says, caches
included: what a device reaches is asked by letting it ask."""

from __future__ import annotations

import errno
from typing import Any

import pytest

SOURCES = [
    *(f"hypervisor/arch/x86/vmx/vtd{n}.c" for n in ("", "_fault", "_format", "_hw", "_irq", "_root")),
    "hypervisor/core/paging.c",
    "hypervisor/core/page_pool.c", "hypervisor/arch/x86/paging.c", "hypervisor/lib/bitmap.c",
    "hypervisor/lib/string.c", "vtd_world.c", "vtd_model.c", "memory.c", "io.c", "printk.c", "percpu.c",
]  # fmt: skip
CDEF = """
struct page_pool { void *base; unsigned long pages; unsigned long used; unsigned long *bitmap; bool zero; };
extern struct page_pool mem_pool;
void fake_pool_init(struct page_pool *pool, unsigned long pages);
void fake_become_cpu(unsigned int cpu);
extern char fake_log[65536];
void fake_log_clear(void);
extern unsigned int world_write_backs, world_root_cpu, world_mapped, world_nmis, world_nmi_target,
    world_invalidations;
extern int world_lines;
u64 world_dma(unsigned int unit, u16 bdf, u64 address, bool write);
void world_init(void);
void world_unit(unsigned int n, unsigned int type, u64 cap, u64 ecap, u32 status);
void world_no_units(void);
u32 world_register(unsigned int n, unsigned int reg);
void world_set_register(unsigned int n, unsigned int reg, u32 value);
void world_break(unsigned int n, bool queue);
void world_memory(unsigned int n, unsigned int i, u64 phys, u64 virt, u64 size, u64 flags);
void world_device(unsigned int n, unsigned int i, unsigned int bdf, unsigned int unit);
int world_cell(unsigned int n, unsigned int id);
int world_map(unsigned int in, unsigned int n, unsigned int i, bool map);
void world_exit(unsigned int n);
int world_start(void);
void world_commit(void);
void world_shutdown(void);
void vtd_report_faults(void);
"""
AMD, INTEL = 1, 2
READ, WRITE, DMA, NO_HUGE = 1, 2, 8, 0x100
MIB = 1 << 20

#: Capabilities (10.4.2): 256 domains, three and four levels, 2 MiB and 1 GiB pages.
CAP = 2 | 1 << 9 | 1 << 10 | 1 << 34 | 1 << 35
COHERENT, QUEUE = 1, 2
#: Status: translation, queue, interrupt remapping
TES, QIES, IRES = 1 << 31, 1 << 26, 1 << 25
GSTS, FSTS, FECTL, FEDATA, FEADDR, FEUADDR = 0x1C, 0x34, 0x38, 0x3C, 0x40, 0x44
BLOCKED = (1 << 64) - 1

DISK, NIC, STRANGER = 0x10, 0x108, 0x20
ROM = 256 * MIB
#: Memory of the cell: physical and where the cell sees it.
TAKEN, SEEN = 512 * MIB, 1 * MIB


class World:
    def __init__(self, hostlib: Any, cap: int = CAP, ecap: int = COHERENT | QUEUE) -> None:
        self.mod = hostlib(SOURCES, CDEF)
        self.lib = self.mod.lib
        self.lib.fake_pool_init(self.mod.ffi.addressof(self.lib, "mem_pool"), 512)
        self.lib.mem_pool.zero = True
        self.lib.world_init()
        self.unit(0, cap=cap, ecap=ecap)
        self.lib.world_memory(0, 0, 0, 0, 1024 * MIB, READ | WRITE | DMA)
        self.lib.world_memory(0, 1, ROM * 8, ROM * 8, MIB, READ | DMA)
        self.lib.world_memory(0, 2, ROM * 9, ROM * 9, MIB, READ | WRITE)
        self.lib.world_device(0, 0, DISK, 0)
        self.lib.world_device(0, 1, NIC, 0)

    def unit(
        self, n: int, kind: int = INTEL, cap: int = CAP, ecap: int = COHERENT | QUEUE, status: int = 0
    ) -> None:
        self.lib.world_unit(n, kind, cap, ecap, status)

    def enable(self) -> int:
        err = self.lib.world_start()
        if err == 0:
            err = self.lib.world_cell(0, 0)
        for region in range(3):
            err = err or self.lib.world_map(0, 0, region, True)
        if err == 0:
            self.lib.world_commit()
        return int(err)

    def create(self, cell: int = 1, device: int = NIC, unit: int = 0) -> int:
        """With memory of the root cell, and a device."""
        self.lib.world_memory(cell, 0, TAKEN, SEEN, 4 * MIB, READ | WRITE | DMA)
        self.lib.world_device(cell, 0, device, unit)
        err = self.lib.world_cell(cell, cell)
        err = err or self.lib.world_map(0, cell, 0, False)
        err = err or self.lib.world_map(cell, cell, 0, True)
        if err == 0:
            self.lib.world_commit()
        return int(err)

    def destroy(self, cell: int = 1) -> None:
        assert self.lib.world_map(cell, cell, 0, False) == 0
        assert self.lib.world_map(0, cell, 0, True) == 0
        self.lib.world_exit(cell)
        self.lib.world_commit()

    def dma(self, device: int, address: int, write: bool = True, unit: int = 0) -> int:
        return int(self.lib.world_dma(unit, device, address, write))

    @property
    def pages(self) -> int:
        return int(self.lib.mem_pool.used)

    def log(self) -> str:
        text = self.mod.ffi.string(self.lib.fake_log).decode()
        self.lib.fake_log_clear()
        return str(text)


@pytest.fixture
def world(hostlib: Any) -> World:
    return World(hostlib)


def test_no_unit_is_a_warning(world: World) -> None:
    world.lib.world_no_units()
    assert world.enable() == 0
    assert world.create(unit=7) == 0
    assert world.log() == (
        "WARNING: no IOMMU configured: devices of a cell can reach all memory by DMA\n"
    )
    assert world.dma(STRANGER, 0x1000) == 0x1000
    assert world.pages == world.lib.world_mapped == 0
    world.destroy()
    world.lib.world_shutdown()


def test_root_devices_reach_root_memory_as_its_regions_say(world: World) -> None:
    assert world.enable() == 0
    assert world.log().startswith("DMAR unit @0xfed90000/0x1000\n")
    assert world.lib.world_register(0, GSTS) & (TES | QIES) == TES | QIES
    for device in (DISK, NIC):
        assert world.dma(device, 0x1234) == 0x1234
        assert world.dma(device, 1024 * MIB - 1) == 1024 * MIB - 1
        assert world.dma(device, 1024 * MIB) == BLOCKED
        assert world.dma(device, ROM * 8, write=False) == ROM * 8
        assert world.dma(device, ROM * 8) == BLOCKED, "read-only memory"
        assert world.dma(device, ROM * 9, write=False) == BLOCKED, "no memory for DMA"
    assert world.dma(STRANGER, 0x1000, write=False) == BLOCKED, "no cell has this device"


def test_a_cell_takes_device_and_memory_and_gives_both_back(world: World) -> None:
    assert world.enable() == 0
    before = world.pages
    # The units know all of this before: what they remember must go.
    assert world.dma(NIC, TAKEN) == world.dma(DISK, TAKEN) == TAKEN
    assert world.create() == 0
    assert world.dma(NIC, SEEN + 0x123) == TAKEN + 0x123
    assert world.dma(NIC, TAKEN) == BLOCKED, "root memory with the cell's device"
    assert world.dma(DISK, TAKEN) == BLOCKED, "the cell's memory with root's device"
    assert world.dma(DISK, TAKEN + 4 * MIB) == TAKEN + 4 * MIB
    world.destroy()
    assert world.dma(NIC, SEEN) == SEEN
    assert world.dma(NIC, TAKEN) == world.dma(DISK, TAKEN) == TAKEN
    assert world.pages == before


def test_a_device_that_only_the_cell_has_reaches_nothing_afterwards(world: World) -> None:
    assert world.enable() == 0
    before = world.pages
    far = 0x2500
    assert world.create(device=far) == 0
    assert world.dma(far, SEEN) == TAKEN
    world.destroy()
    assert world.dma(far, SEEN) == world.dma(far, TAKEN) == BLOCKED
    assert world.pages == before, "its bus has a table no more"


@pytest.mark.parametrize(
    ("cap", "levels"),
    [(CAP, 4), (2 | 1 << 9 | 1 << 34, 3), (2 | 1 << 10, 4), (2 | 1 << 9, 3)],
    ids=["four levels, all pages", "three levels, 2 MiB", "four levels, 4 KiB", "three levels, 4 KiB"],
)
def test_tables_are_what_the_unit_can_walk(hostlib: Any, cap: int, levels: int) -> None:
    """The walk of the model refuses levels and sizes that its capabilities do not name."""
    world = World(hostlib, cap=cap)
    world.lib.fake_pool_init(world.mod.ffi.addressof(world.lib, "mem_pool"), 2048)
    assert world.enable() == 0
    few = world.pages
    for address in (0, 0x1000, 2 * MIB - 1, 600 * MIB + 5):
        assert world.dma(DISK, address) == address
    # A table for each 2 MiB is needed where there are no larger pages.
    assert (few > 512) == (not cap >> 34 & 3)
    top = 1 << (12 + 9 * levels)
    world.lib.world_memory(1, 0, 0, top - 4096, 4096, READ | DMA)
    world.lib.world_memory(2, 0, 0, top - 4096, 8192, READ | DMA)
    assert world.lib.world_cell(1, 1) == world.lib.world_cell(2, 2) == 0
    assert world.lib.world_map(1, 1, 0, True) == 0
    assert world.lib.world_map(2, 2, 0, True) == -errno.E2BIG


def test_several_units_have_the_least_of_all(hostlib: Any) -> None:
    world = World(hostlib)
    world.unit(1, cap=2 | 1 << 9, ecap=QUEUE)
    world.lib.fake_pool_init(world.mod.ffi.addressof(world.lib, "mem_pool"), 2048)
    assert world.enable() == 0
    assert world.lib.world_write_backs == 1, "the second one does not look into caches"
    for unit in (0, 1):
        assert world.dma(DISK, 5 * MIB, unit=unit) == 5 * MIB
    assert world.create(unit=1) == 0
    assert world.lib.world_write_backs == 2
    assert world.dma(NIC, SEEN, unit=1) == TAKEN


@pytest.mark.parametrize(
    ("unit", "number", "said"),
    [
        ({"kind": AMD}, errno.EINVAL, "ERROR: IOMMU unit 0 has type 1, this machine needs 2"),
        ({"ecap": COHERENT}, errno.EIO, "ERROR: DMAR unit 0 has no queued invalidation"),
        ({"cap": 2}, errno.EIO, "ERROR: DMAR unit 0 has tables of neither three nor four levels"),
        ({"status": TES}, errno.EBUSY, "start it with intel_iommu=off"),
        ({"status": QIES}, errno.EBUSY, "start it with intel_iommu=off"),
        ({"status": QIES | IRES}, errno.EBUSY, "start it with intremap=off"),
    ],
    ids=["type", "queue", "levels", "translating", "queue in use", "interrupt remapping"],
)
def test_a_unit_that_can_not_be_used_is_refused(
    world: World, unit: dict[str, int], number: int, said: str
) -> None:
    world.unit(0, **unit)
    status = world.lib.world_register(0, GSTS)
    assert world.enable() == -number
    assert said in world.log()
    assert world.lib.world_register(0, GSTS) == status
    assert world.pages == world.lib.world_mapped == 0


def test_units_with_nothing_in_common_are_refused(world: World) -> None:
    world.unit(0, cap=2 | 1 << 9)
    world.unit(1, cap=2 | 1 << 10)
    assert world.enable() == -errno.EIO
    assert "no number of table levels in common" in world.log()
    assert world.pages == world.lib.world_mapped == 0
    assert not world.lib.world_register(0, GSTS) & QIES


def test_a_unit_that_does_not_answer_is_an_error_with_an_end(world: World) -> None:
    world.lib.world_break(0, False)
    assert world.enable() == -errno.EIO
    assert "ERROR: DMAR unit 0 does not carry out command 0x4000000" in world.log()
    assert world.pages == world.lib.world_mapped == 0


def test_domains_are_as_many_as_the_unit_has(hostlib: Any) -> None:
    world = World(hostlib, cap=CAP & ~7)
    assert world.enable() == 0
    world.lib.world_memory(1, 0, TAKEN, SEEN, MIB, READ | DMA)
    assert world.lib.world_cell(1, 14) == 0
    assert world.lib.world_cell(2, 15) == -errno.ERANGE
    assert "ERROR: DMAR unit 0 has 16 domains, none for cell" in world.log()


def test_a_device_of_no_unit_is_refused_and_nothing_is_kept(world: World) -> None:
    assert world.enable() == 0
    before = world.pages
    assert world.create(unit=1) == -errno.EINVAL
    assert "ERROR: PCI device 01:01.0 names IOMMU unit 1 of 1" in world.log()
    assert world.pages == before
    assert world.dma(NIC, TAKEN) == TAKEN, "still the root cell's"


def test_a_device_of_another_cell_stays_there(world: World) -> None:
    """A cell that is refused for it must not have taken it on the way."""
    assert world.enable() == 0
    assert world.create() == 0
    before = world.pages
    world.lib.world_memory(2, 0, TAKEN + 8 * MIB, SEEN, MIB, READ | WRITE | DMA)
    world.lib.world_device(2, 0, NIC, 0)
    assert world.lib.world_cell(2, 2) == -errno.EBUSY
    world.lib.world_commit()
    assert world.pages == before
    assert world.dma(NIC, SEEN) == TAKEN
    assert world.dma(NIC, TAKEN + 8 * MIB) == BLOCKED, "the root cell's"


@pytest.mark.parametrize("left", range(4))
def test_too_few_pages(world: World, left: int) -> None:
    """A cell on a bus of its own needs tables and a page of contexts."""
    assert world.enable() == 0
    before = world.pages
    world.lib.mem_pool.pages = before + left
    world.lib.world_memory(1, 0, TAKEN, SEEN, 4096, READ | DMA)
    world.lib.world_device(1, 0, 0x2500, 0)
    err = world.lib.world_cell(1, 1)
    assert err == (-errno.ENOMEM if left < 2 else 0)
    if err == 0:
        world.lib.world_exit(1)
    assert world.pages == before


def test_a_fault_is_told_once_by_the_cpu_that_gets_it(world: World) -> None:
    assert world.enable() == 0
    world.log()
    assert world.dma(STRANGER, 0x12345, write=False) == BLOCKED
    assert world.lib.world_nmis == 1
    assert world.lib.world_nmi_target == 0xFEE03000, "CPU 1 has APIC id 3"
    world.lib.fake_become_cpu(0)
    world.lib.vtd_report_faults()
    assert world.log() == ""
    world.lib.fake_become_cpu(1)
    for _ in range(2):
        world.lib.vtd_report_faults()
    assert world.log() == (
        "VT-d fault event reported by IOMMU 0:\n"
        " Source Identifier (bus:dev.func): 00:04.0\n"
        " Fault Reason: 0x6 Fault Info: 12000 Type 1\n"
    )


def test_faults_that_found_no_room_do_not_silence_the_unit(world: World) -> None:
    assert world.enable() == 0
    for n in range(4):
        world.dma(STRANGER, n << 12)
    assert world.lib.world_register(0, FSTS) & 1
    world.lib.fake_become_cpu(1)
    world.lib.vtd_report_faults()
    assert world.log().count("VT-d fault event") == 2
    assert not world.lib.world_register(0, FSTS) & 1


def test_a_device_that_never_stops_is_not_heard_until_something_changes(world: World) -> None:
    assert world.enable() == 0
    world.lib.world_lines = 1
    world.lib.fake_become_cpu(1)
    for n in range(6):
        world.dma(STRANGER, n << 12)
        world.lib.vtd_report_faults()
    assert world.log().count("VT-d fault event") == 1
    assert world.lib.world_register(0, FECTL) >> 31
    told = world.lib.world_nmis
    world.dma(STRANGER, 0x100000)
    assert world.lib.world_nmis == told
    world.lib.world_commit()
    assert not world.lib.world_register(0, FECTL) >> 31


def test_faults_follow_the_root_cell(world: World) -> None:
    assert world.enable() == 0
    world.lib.world_root_cpu = 2
    world.lib.world_commit()
    world.dma(STRANGER, 0)
    assert world.lib.world_nmi_target == 0xFEE00000, "CPU 2 has APIC id 0 here"


def test_disable_leaves_the_unit_as_it_was(world: World) -> None:
    # What somebody before us left in the fault event's registers
    events = {FEDATA: 0x41, FEADDR: 0xFEE02000, FEUADDR: 0x500, FECTL: 1 << 31}
    for register, value in events.items():
        world.lib.world_set_register(0, register, value)
    assert world.enable() == 0
    assert world.lib.world_register(0, FEUADDR) == 0
    world.lib.world_shutdown()
    assert not world.lib.world_register(0, GSTS) & (TES | QIES)
    assert {register: world.lib.world_register(0, register) for register in events} == events
    assert world.lib.world_mapped == 0
    assert world.dma(STRANGER, 0x1000) == 0x1000
    assert world.enable() == 0, "and again"
    assert world.dma(STRANGER, 0x1000) == BLOCKED


def test_the_queue_goes_round(world: World) -> None:
    """Three descriptors a change, 256 in the queue."""
    assert world.enable() == 0
    for n in range(200):
        world.dma(DISK, n << 12)
        world.lib.world_commit()
    assert world.lib.world_invalidations >= 400
    assert world.dma(DISK, 0) == 0
