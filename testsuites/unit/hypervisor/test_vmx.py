# SPDX-License-Identifier: GPL-2.0-only
"""VMX without hardware: controls against capability registers, EPT entries, MSR bitmaps."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from apic_world import World

# --- Controls (SDM 3C, 24.6 to 24.8; 3D, appendix A)

CONTROLS_CDEF = """
struct vmx_controls { u32 word[5]; };
int vmx_controls_make(struct vmx_controls *controls, const u64 *caps);
int vmx_ept_check(u64 cap);
extern char fake_log[65536];
"""
PIN, PRIMARY, SECONDARY, EXIT, ENTRY = range(5)
#: IA32_VMX_TRUE_*_CTLS and PROCBASED_CTLS2 of a Haswell: must-be-1 below, may-be-1 above.
HASWELL = {
    PIN: 0x0000007F_00000016, PRIMARY: 0xFFF9FFFE_04006172, SECONDARY: 0x00007CFF_00000000,
    EXIT: 0x007FFFFF_00036DFB, ENTRY: 0x0000FFFF_000011FB,
}  # fmt: skip
#: Bits 12 (INVPCID), 7 (unrestricted guest), 5 (VPID), 3 (RDTSCP), 1 (EPT).
EPT, RDTSCP, VPID, UNRESTRICTED, INVPCID, XSAVES, WAITPKG = (1 << n for n in (1, 3, 5, 7, 12, 20, 26))
TIMER = 1 << 6


class Controls:
    def __init__(self, hostlib: Any) -> None:
        self.mod = hostlib(["hypervisor/arch/x86/vmx/controls.c", "printk.c"], CONTROLS_CDEF)

    def make(self, caps: dict[int, int]) -> tuple[int, list[int], str]:
        words = self.mod.ffi.new("struct vmx_controls *")
        err = self.mod.lib.vmx_controls_make(words, [caps[n] for n in range(5)])
        return err, list(words.word), self.mod.ffi.string(self.mod.lib.fake_log).decode()


@pytest.fixture
def controls(hostlib: Any) -> Controls:
    return Controls(hostlib)


def test_what_exits_on_a_haswell(controls: Controls) -> None:
    err, words, log = controls.make(HASWELL)
    assert (err, log) == (0, "")
    assert words == [
        0x16 | 1 << 3 | 1 << 5,  # NMI exiting, virtual NMIs; no interrupts, no timer
        0x04006172 | 1 << 25 | 1 << 28 | 1 << 31,  # bitmaps; no HLT, INVLPG, MWAIT, RDPMC, RDTSC, CR3, CR8, DR
        EPT | RDTSCP | VPID | UNRESTRICTED | INVPCID,
        0x00036DFB | 1 << 2 | 1 << 9 | 1 << 19 | 1 << 20 | 1 << 21,
        0x000011FB | 1 << 2 | 1 << 14 | 1 << 15,  # 64-bit guest is decided at each entry
    ]


def test_what_newer_cpus_have_is_passed_through(controls: Controls) -> None:
    caps = {**HASWELL, SECONDARY: HASWELL[SECONDARY] | (XSAVES | WAITPKG) << 32}
    err, words, _ = controls.make(caps)
    assert err == 0
    assert words[SECONDARY] & (XSAVES | WAITPKG) == XSAVES | WAITPKG


@pytest.mark.parametrize("bit", [RDTSCP, VPID, INVPCID])
def test_optional_features(controls: Controls, bit: int) -> None:
    err, words, log = controls.make({**HASWELL, SECONDARY: HASWELL[SECONDARY] & ~(bit << 32)})
    assert (err, words[SECONDARY] & bit, log) == (0, 0, "")


@pytest.mark.parametrize(
    ("word", "bit", "name"),
    [
        (PIN, 1 << 3, "NMI exiting"), (PIN, 1 << 5, "virtual NMIs"), (PIN, TIMER, "preemption timer"),
        (PRIMARY, 1 << 25, "I/O bitmaps"), (PRIMARY, 1 << 28, "MSR bitmaps"),
        (PRIMARY, 1 << 31, "secondary controls"), (SECONDARY, EPT, "extended page tables"),
        (SECONDARY, UNRESTRICTED, "unrestricted guest"), (EXIT, 1 << 2, "saving of debug controls"),
        (EXIT, 1 << 9, "64-bit host"), (EXIT, 1 << 19, "loading of the host's PAT"),
        (EXIT, 1 << 20, "saving of EFER"), (EXIT, 1 << 21, "loading of the host's EFER"),
        (ENTRY, 1 << 2, "loading of debug controls"), (ENTRY, 1 << 14, "loading of the guest's PAT"),
        (ENTRY, 1 << 15, "loading of the guest's EFER"),
    ],
)  # fmt: skip
def test_required_features_are_named(controls: Controls, word: int, bit: int, name: str) -> None:
    err, _, log = controls.make({**HASWELL, word: HASWELL[word] & ~(bit << 32)})
    assert (err, log) == (-errno.EIO, f"ERROR: VMX: missing: {name}\n")


@pytest.mark.parametrize(
    ("word", "bit", "name"),
    [
        (PRIMARY, 1 << 15, "primary"), (PRIMARY, 1 << 16, "primary"),  # CR3: off with true controls only
        (PRIMARY, 1 << 7, "primary"), (PIN, 1, "pin-based"), (SECONDARY, 1 << 6, "secondary"),
        (EXIT, 1 << 15, "VM-exit"), (ENTRY, 1 << 10, "VM-entry"),
    ],
)  # fmt: skip
def test_exits_that_can_not_be_switched_off(controls: Controls, word: int, bit: int, name: str) -> None:
    err, _, log = controls.make({**HASWELL, word: HASWELL[word] | bit})
    assert err == -errno.EIO
    assert log == f"ERROR: VMX: {name} controls {bit:08x} can not be switched off\n"


#: Haswell's IA32_VMX_EPT_VPID_CAP
EPT_CAP = 0xF01_06334141


def test_ept_capabilities(controls: Controls) -> None:
    assert controls.mod.lib.vmx_ept_check(EPT_CAP) == 0
    needed = {6: "EPT with 4 levels", 14: "EPT with write-back tables", 16: "EPT with 2 MiB pages",
              20: "INVEPT", 26: "INVEPT of all contexts"}  # fmt: skip
    for bit in range(42):
        if EPT_CAP >> bit & 1:
            assert (controls.mod.lib.vmx_ept_check(EPT_CAP & ~(1 << bit)) == 0) == (bit not in needed)
    log = controls.mod.ffi.string(controls.mod.lib.fake_log).decode()
    assert log == "".join(f"ERROR: VMX: missing: {name}\n" for name in needed.values())


# --- Extended page tables (SDM 3C, 28.3.2: tables 28-1 to 28-6)

EPT_SOURCES = ["hypervisor/arch/x86/vmx/ept.c", "ept_wrapper.c", "hypervisor/core/paging.c",
               "hypervisor/core/page_pool.c", "hypervisor/lib/bitmap.c", "hypervisor/lib/string.c",
               "hypervisor/arch/x86/paging.c", "memory.c", "printk.c"]  # fmt: skip
EPT_CDEF = """
struct page_pool { void *base; unsigned long pages; unsigned long used; unsigned long *bitmap; bool zero; };
extern struct page_pool mem_pool;
struct page_table { const void *format; u64 *root; };
int ept_init(struct page_table *pt);
u64 ept_leaf(u64 phys, unsigned int attrs, unsigned int level);
u64 ept_table(u64 phys);
unsigned int ept_attributes(u64 entry, unsigned int level);
int fake_map(struct page_table *pt, u64 virt, u64 phys, u64 size, unsigned int attrs);
int page_table_unmap(struct page_table *pt, u64 virt, u64 size);
void fake_read(const struct page_table *pt, u64 virt, u64 pages, u64 *out);
void fake_pool_init(struct page_pool *pool, unsigned long pages);
"""
READ, WRITE, EXECUTE, DEVICE, NO_HUGE = 1, 2, 4, 8, 16
WRITE_BACK, UNCACHED = 6 << 3, 0
PHYS = 0x7_4020_0000


@pytest.fixture
def ept(hostlib: Any) -> Any:
    return hostlib(EPT_SOURCES, EPT_CDEF)


@pytest.mark.parametrize(
    ("attrs", "level", "bits"),
    [
        (READ, 3, 0b001 | WRITE_BACK),
        (READ | WRITE, 3, 0b011 | WRITE_BACK),
        (READ | EXECUTE, 3, 0b101 | WRITE_BACK),
        (READ | WRITE | EXECUTE, 3, 0b111 | WRITE_BACK),
        (READ | WRITE | EXECUTE, 2, 0b111 | WRITE_BACK | 1 << 7),  # 2 MiB
        (READ | DEVICE, 3, 0b001 | UNCACHED),
        (READ | WRITE | DEVICE, 2, 0b011 | UNCACHED | 1 << 7),
        (READ | NO_HUGE, 3, 0b001 | WRITE_BACK | 1 << 52),  # a bit that the CPU ignores
    ],
)
def test_leaves(ept: Any, attrs: int, level: int, bits: int) -> None:
    entry = ept.lib.ept_leaf(PHYS, attrs, level)
    assert entry == PHYS | bits
    assert ept.lib.ept_attributes(entry, level) == attrs


def test_no_entry_is_a_misconfiguration(ept: Any) -> None:
    """SDM 3C, 28.3.3.1: writable or executable without readable, reserved memory types."""
    for attrs in range(32):
        for level in (2, 3):
            entry = ept.lib.ept_leaf(PHYS, attrs, level)
            assert entry & 1
            assert entry >> 3 & 7 in (0, 6)
            assert entry & (1 << 63 | 1 << 6) == 0  # no #VE matter, PAT of the guest counts
    assert ept.lib.ept_table(0x1234_5000) == 0x1234_5007


def test_engine_splits_and_merges_ept(ept: Any) -> None:
    pool = ept.ffi.addressof(ept.lib, "mem_pool")
    ept.lib.fake_pool_init(pool, 64)
    pool.zero = True
    table = ept.ffi.new("struct page_table *")
    assert ept.lib.ept_init(table) == 0
    huge, rights = 0x20_0000, READ | WRITE | EXECUTE
    assert ept.lib.fake_map(table, 0, PHYS, 2 * huge, rights) == 0
    whole = pool.used
    assert ept.lib.page_table_unmap(table, 0x5000, 0x1000) == 0
    assert pool.used == whole + 1
    seen = ept.ffi.new("u64[]", 16)
    ept.lib.fake_read(table, 0, 16, seen)
    gone = 2**64 - 1
    assert list(seen) == [gone if n == 5 else PHYS + n * 0x1000 | rights for n in range(16)]
    assert ept.lib.fake_map(table, 0x5000, PHYS + 0x5000, 0x1000, rights) == 0
    assert pool.used == whole


# --- Model-specific registers (SDM 3C, 24.6.9)


@pytest.fixture
def world(hostlib: Any) -> World:
    return World(hostlib, vendor="vmx")


def _trapped(world: World, root: bool, msr: int, write: bool) -> bool:
    """As the CPU reads the bitmap: what lies in neither range exits always."""
    bitmap = bytes(world.ffi.buffer(world.lib.msr_bitmap_for(root), 0x1000))
    for number, start in enumerate((0, 0xC0000000)):
        offset = msr - start
        if 0 <= offset < 0x2000:
            return bool(bitmap[(2 if write else 0) * 0x400 + number * 0x400 + offset // 8] >> offset % 8 & 1)
    return True


@pytest.mark.parametrize("root", [True, False])
@pytest.mark.parametrize("x2apic", [True, False])
def test_bitmaps_say_what_the_policy_says(hostlib: Any, root: bool, x2apic: bool) -> None:
    world = World(hostlib, x2apic=x2apic, vendor="vmx")
    world.lib.msr_bitmaps_init()
    direct = 0
    for start in (0, 0xC0000000):
        for msr in range(start, start + 0x2000):
            for write in (False, True):
                passed = world.lib.msr_action(msr, root, write) == direct
                assert _trapped(world, root, msr, write) == (not passed), hex(msr)


def test_what_traps(world: World) -> None:
    world.lib.msr_bitmaps_init()
    efer, fs_base, sysenter, deadline = 0xC0000080, 0xC0000100, 0x176, 0x6E0
    for msr in (efer, fs_base, sysenter, deadline, 0x1D9, 0xDA0):
        assert not _trapped(world, False, msr, False)
        assert not _trapped(world, False, msr, True)
    for msr in (0x3A, 0x1B, 0x277, 0x2FF, 0x480, 0xC8F, 0xC90, 0x79, 0x38F):
        assert _trapped(world, True, msr, True), hex(msr)
        assert _trapped(world, False, msr, True), hex(msr)
    assert _trapped(world, True, 0xC0002000, False)


def test_cells_do_not_see_vmx(world: World) -> None:
    assert world.rdmsr(0x480) == "gp"
    world.become(0)
    assert world.lib.msr_action(0x480, True, False) == 0


def test_mtrr_enable_reads_as_emulated(world: World) -> None:
    """abi.md 7.1: bit 11 reads 0 after a start, whatever the hardware has."""
    world.lib.msr_reset_memory_types()
    value = world.rdmsr(0x2FF)
    assert isinstance(value, int)
    assert value & 1 << 11 == 0
    assert world.wrmsr(0x2FF, 1 << 11 | 6) == "done"
    assert world.rdmsr(0x2FF) == value | 1 << 11


@pytest.mark.parametrize(
    ("msr", "root", "cell"),
    [
        (0x3A, "gp", "fatal"), (0x9B, "gp", "fatal"), (0xC90, "gp", "fatal"), (0xC8F, "gp", "fatal"),
        (0x480, "gp", "gp"), (0x38F, "done", "done"), (0x1B, "fatal", "fatal"), (0x200, "fatal", "fatal"),
        (0x560, "gp", "fatal"), (0x79, "gp", "fatal"), (0x17D0, "gp", "fatal"),
    ],
)  # fmt: skip
def test_writes_that_are_not_for_guests(world: World, msr: int, root: str, cell: str) -> None:
    assert world.wrmsr(msr, 1) == cell
    world.become(0)
    assert world.wrmsr(msr, 1) == root
    assert world.take() == []
