# SPDX-License-Identifier: GPL-2.0-only
"""Policy for model-specific registers, CPUID, XSETBV (abi.md 3.2, 7.4; decisions.md 8)."""

from __future__ import annotations

from typing import Any

import pytest
from apic_world import World

PASS, NATIVE, GP, IGNORE, FATAL, EMULATE = range(6)
LETTERS = "pngifeX"

#: A31's golden table: root read, root write, cell read, cell write.
GOLDEN = {
    0x10: "pppp", 0x1B: "pfpf", 0x8B: "pppp", 0x79: "gggf", 0x174: "pppp", 0x1D9: "pppp",
    0x1FF: "pppp", 0x200: "pfpf", 0x20F: "pfpf", 0x250: "pfpf", 0x26F: "pfpf", 0x276: "pfpf", 0x277: "eeee",
    0x278: "pppp", 0x2FF: "pepe", 0x38F: "pppp", 0x55F: "pppp", 0x560: "gggf", 0x58F: "gggf", 0x590: "pppp",
    0x800: "eeee", 0x802: "eeee", 0x80D: "eeee", 0x830: "eeee", 0x83F: "eeee", 0x840: "pppp",
    0xC8F: "pppp", 0xDA0: "pppp", 0x1FFF: "pppp", 0x2000: "gggg",
    0xC0000080: "pepe", 0xC0000081: "pppp", 0xC0000102: "pppp", 0xC0000104: "pgpf",
    0xC0002001: "nngg", 0xC0002FFF: "nngg", 0xC0003000: "gggg",
    0xC0010000: "pppp", 0xC0010010: "pgpf", 0xC0010015: "pppi", 0xC001001A: "pgpf", 0xC0010020: "pgpf",
    0xC0010058: "pgpf", 0xC0010062: "pppi", 0xC0010111: "pgpf", 0xC0010114: "nggf", 0xC0010117: "gegf",
    0xC0010118: "gggf", 0xC0010140: "pppp", 0xC0010200: "pppp", 0xC0011029: "pppi", 0xC0011FFF: "pppp",
    0xC0012000: "gggg", 0x40000000: "gggg", 0x4B564D02: "nngg", 0xDEADBEEF: "gggg", 0xFFFFFFFF: "gggg",
}  # fmt: skip


@pytest.fixture
def world(hostlib: Any) -> World:
    return World(hostlib)


def actions(world: World, msr: int) -> str:
    return "".join(LETTERS[world.lib.msr_action(msr, root, write)] for root in (True, False) for write in (False, True))


def test_a31_golden_table(world: World) -> None:
    assert {msr: actions(world, msr) for msr in GOLDEN} == GOLDEN


def test_x2apic_hardware_needs_exits_for_the_icr_only(hostlib: Any) -> None:
    world = World(hostlib, x2apic=True)
    trapped = {msr: text for msr in range(0x800, 0x840) if (text := actions(world, msr)) != "pppp"}
    assert trapped == {0x830: "pepe"}


@pytest.mark.parametrize("x2apic", [False, True])
def test_bitmaps_say_what_the_table_says(hostlib: Any, x2apic: bool) -> None:
    world = World(hostlib, x2apic=x2apic)
    world.lib.msrpm_init()
    for root in (False, True):
        bitmap = bytes(world.ffi.buffer(world.lib.msrpm_for(root), 0x2000))
        for base, start in ((0, 0), (0x800, 0xC0000000), (0x1000, 0xC0010000)):
            for n in range(0x2000):
                bits = bitmap[base + n // 4] >> n % 4 * 2
                for write in (False, True):
                    trapped = bool(bits >> write & 1)
                    assert trapped == (world.lib.msr_action(start + n, root, write) != PASS), hex(start + n)
        assert bitmap[0x1800:] == b"\xff" * 0x800


def test_nothing_unknown_parks_the_root_cell(world: World) -> None:
    fatal = {msr for msr in (*range(0x3000), *range(0xC0000000, 0xC0003000), *range(0xC0010000, 0xC0013000))
             if "f" in actions(world, msr)[:2]}  # fmt: skip
    assert fatal == {0x1B, *range(0x200, 0x277)}


def test_fatal_names_register_and_cell(world: World) -> None:
    assert world.wrmsr(0x1B, 0xFEE00900) == "fatal"
    assert world.log() == 'FATAL: Unhandled MSR write: 1b, cell "cell", CPU 2\n'
    assert world.take() == []


def test_root_reaches_harmless_ones_natively(world: World) -> None:
    world.become(0)
    assert world.rdmsr(0xC0002001) == 0x1111
    assert world.wrmsr(0x4B564D02, 5) == "done"
    assert world.take() == [(0x4B564D02, 5)]
    assert world.wrmsr(0x4B564DFF, 5) == "gp", "the CPU does not know it"


def test_ignored_writes(world: World) -> None:
    assert world.wrmsr(0xC0010015, 1) == "done"
    assert world.take() == []


def test_pat(world: World) -> None:
    world.become(2)
    world.lib.msr_reset_memory_types()
    assert world.lib.world_pat == 0, "uncached until the MTRRs are enabled"
    assert world.rdmsr(0x277) == 0x0007040600070406
    assert world.wrmsr(0x2FF, 0xC00) == "done"
    assert world.lib.world_pat == 0x0007040600070406
    assert world.wrmsr(0x277, 0x0105070600000406) == "done"
    assert world.lib.world_pat == world.rdmsr(0x277) == 0x0105070600000406
    assert world.wrmsr(0x2FF, 0) == "done"
    assert world.lib.world_pat == 0
    assert world.take() == [], "the registers themselves are not touched"


@pytest.mark.parametrize("value", [2, 3, 8, 0x80, 0xFF])
@pytest.mark.parametrize("byte", range(8))
def test_a31_pat_types_that_do_not_exist(world: World, value: int, byte: int) -> None:
    assert world.wrmsr(0x277, value << 8 * byte) == "fatal"
    assert world.log().startswith(f"FATAL: Invalid PAT value: {value << 8 * byte:x}")


def test_efer(world: World) -> None:
    assert world.wrmsr(0xC0000080, 0xD01) == "done"
    assert world.lib.world_efer == 0xD01
    assert world.wrmsr(0xC0000080, 1 << 63) == "gp"


def test_host_save_area_is_ours(world: World) -> None:
    """Linux clears the register on its way to a reboot; KVM would set it."""
    world.become(0)
    assert world.wrmsr(0xC0010117, 0) == "done"
    assert world.wrmsr(0xC0010117, 0x1000) == "gp"
    assert world.take() == []


# --- CPUID ------------------------------------------------------------------------


def cpuid(world: World, leaf: int, hw: tuple[int, int, int, int] = (1, 2, 3, 4)) -> tuple[int, ...]:
    answer = world.lib.world_cpuid_answer
    answer.eax, answer.ebx, answer.ecx, answer.edx = hw
    world.regs.rax, world.regs.rcx = leaf | 0xABC << 32, 0
    world.lib.x86_handle_cpuid(world.regs, world.lib.world_state.cr4)
    return (world.regs.rax, world.regs.rbx, world.regs.rcx, world.regs.rdx)


@pytest.mark.parametrize("cpu", [0, 2])
def test_signature_for_everybody(world: World, cpu: int) -> None:
    world.become(cpu)
    assert cpuid(world, 0x40000000) == (0x40000001, 0x6C69614A, 0x73756F68, 0x65)
    assert cpuid(world, 0x40000001) == (0, 0, 0, 0)
    assert cpuid(world, 0x40000002) == (1, 2, 3, 4)


def test_leaf_1(world: World) -> None:
    ones = (0xFFFFFFFF,) * 4
    assert cpuid(world, 1, ones)[2] == 0xFFFFFFFF & ~(1 << 5 | 1 << 27)
    world.lib.world_state.cr4 = 1 << 18
    assert cpuid(world, 1, (0, 0, 0, 0))[2] == 1 << 31 | 1 << 27
    world.become(0)
    assert cpuid(world, 1, ones)[2] == 0xFFFFFFFF
    world.lib.world_state.cr4 = 0
    assert cpuid(world, 1, ones)[2] == 0xFFFFFFFF & ~(1 << 27)


def test_svm_is_hidden_from_cells(world: World) -> None:
    ones = (0xFFFFFFFF,) * 4
    assert cpuid(world, 0x80000001, ones)[2] == 0xFFFFFFFB
    world.become(0)
    assert cpuid(world, 0x80000001, ones)[2] == 0xFFFFFFFF


@pytest.mark.parametrize(("index", "low", "high", "cr4", "cpl", "outcome"), [
    (0, 7, 0, 1 << 18, 0, "done"), (0, 1, 0, 1 << 18, 0, "done"), (0, 6, 0, 1 << 18, 0, "fatal"),
    (1, 7, 0, 1 << 18, 0, "fatal"), (0, 7, 1, 1 << 18, 0, "fatal"), (0, 0xF, 0, 1 << 18, 0, "fatal"),
    (0, 7, 0, 0, 0, "fatal"), (0, 5, 0, 1 << 18, 0, "gp"), (0, 7, 0, 1 << 18, 3, "gp"),
])  # fmt: skip
def test_xsetbv(  # noqa: PLR0917
    world: World, index: int, low: int, high: int, cr4: int, cpl: int, outcome: str
) -> None:
    world.lib.world_cpuid_answer.eax = 7
    world.lib.world_state.cr4, world.lib.world_state.cpl = cr4, cpl
    world.regs.rax, world.regs.rcx, world.regs.rdx = low, index, high
    assert world._outcome(world.lib.x86_handle_xsetbv(world.regs)) == outcome
    if outcome == "fatal":
        assert world.log().startswith(f"FATAL: Invalid xsetbv parameters: xcr[{index}] = ")
