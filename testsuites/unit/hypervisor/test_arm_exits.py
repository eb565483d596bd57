# SPDX-License-Identifier: GPL-2.0-only
"""PSCI and SMCCC tables (abi.md 7.8, bugs.md A18), and data aborts by syndrome (arch/arm64/mmio_exit.c)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_arm_insn import encode

SOURCES = [f"hypervisor/arch/arm64/{name}.c" for name in ("psci", "smccc", "mmio_exit", "insn")]
SOURCES += ["smc_world.c", "arm64.c", "percpu.c", "printk.c"]
CDEF = """
struct guest_regs { u64 x[31]; u64 unused; };
struct mmio_access { u64 address; u64 value; unsigned int size; bool is_write; };
extern struct guest_regs fake_regs;
extern u32 fake_kicks, fake_waits, fake_firmware_calls, fake_events, fake_num_accesses;
extern long (*fake_firmware)(u32 function, u64 arg);
extern u64 fake_lr_empty, fake_value;
extern struct mmio_access fake_accesses[2];
extern struct mmio_access fake_dist_access;
extern int fake_result;
extern u32 fake_code[1024];
extern char fake_log[];
u64 *fake_sysreg(const char *name);
void fake_world_init(void);
void fake_become_cpu(unsigned int cpu);
void fake_power(unsigned int cpu, unsigned int power, bool parking);
u64 fake_start(unsigned int cpu, bool context);
u32 fake_stat(unsigned int stat);
bool fake_smc(void);
bool fake_abort(u64 esr, u64 far, u64 ipa);
void smccc_init(void);
"""
ON, OFF = 0, 1
STAT_PSCI, STAT_SMCCC, STAT_MMIO = 7, 8, 1
GARBAGE = 0xABCD_0000_0000_0000


class World:
    def __init__(self, mod: Any) -> None:
        self.lib, self.ffi = mod.lib, mod.ffi
        self.lib.fake_world_init()
        self.lib.fake_become_cpu(2)
        self.elr = self.lib.fake_sysreg(self._text("elr_el2"))
        self.spsr = self.lib.fake_sysreg(self._text("spsr_el2"))
        self.spsr[0] = 0x3C5
        self.elr[0] = 0x1000

    def _text(self, text: str) -> Any:
        return self.ffi.new("char[]", text.encode())

    @property
    def x(self) -> Any:
        return self.lib.fake_regs.x

    def smc(self, function: int, *args: int) -> int | None:
        """x0 as a signed number; None: refused."""
        for n, value in enumerate((function, *args)):
            self.x[n] = value
        before = self.elr[0]
        if not self.lib.fake_smc():
            return None
        assert self.elr[0] == before + 4
        return int(self.ffi.cast("s64", self.x[0]))

    def log(self) -> str:
        return str(self.ffi.string(self.lib.fake_log).decode())


@pytest.fixture
def world(hostlib: Any) -> World:
    return World(hostlib(SOURCES, CDEF, headers=["core/mmio.h", "arch/percpu.h"], arch="arm64"))


# --- calls -----------------------------------------------------------------------------

PSCI = {
    0x84000000: 0x10001,
    0x84000001: 0,
    0xC4000001: 0,
    0x84000005: -1,
    0x84000006: -1,
    0x84000008: -1,  # SYSTEM_OFF
    0x84000009: -1,  # SYSTEM_RESET
    0xC400000E: -1,
    0x84000012: -1,
    0xC4000000: -1,  # VERSION has no 64-bit form
    0xC4000002: -1,
}
FEATURES = {0x84000000, 0x84000001, 0xC4000001, 0x84000002, 0x84000003, 0xC4000003, 0x84000004, 0xC4000004,
            0x8400000A, 0x80000000}


@pytest.mark.parametrize("garbage", [0, GARBAGE])
@pytest.mark.parametrize("function", PSCI)
def test_psci_table(world: World, function: int, garbage: int) -> None:
    assert world.smc(function | garbage) == PSCI[function]
    assert (world.lib.fake_stat(STAT_PSCI), world.lib.fake_stat(STAT_SMCCC)) == (1, 0)
    assert world.lib.fake_firmware_calls == 0


def test_psci_features(world: World) -> None:
    for function in (*FEATURES, *PSCI, 0x80000001, 0x80008000, 0x12345678):
        assert world.smc(0x8400000A, function) == (0 if function in FEATURES else -1), hex(function)


def test_affinity_info(world: World) -> None:
    world.lib.fake_power(3, OFF, False)
    for function in (0x84000004, 0xC4000004):
        assert world.smc(function, 0x102, 0) == 0
        assert world.smc(function, 0x103, 0) == 1
        assert world.smc(function, 0, 0) == -3  # a CPU of root
        assert world.smc(function, 0x104, 0) == -3
        assert world.smc(function, 0x102, 1) == -2
    assert world.smc(0x84000004, 0x103 | GARBAGE, 0) == 1
    world.lib.fake_power(3, ON, True)
    assert world.smc(0xC4000004, 0x103, 0) == 1  # told to park: as good as off


@pytest.mark.parametrize("function", [0x84000003, 0xC4000003, 0x95C1BA60])
def test_cpu_on(world: World, function: int) -> None:
    world.lib.fake_power(3, OFF, False)
    assert world.smc(function, 0x103, 0x4000, 77) == 0
    assert (world.lib.fake_start(3, False), world.lib.fake_start(3, True)) == (0x4000, 77)
    assert world.lib.fake_kicks == 1 << 3
    assert world.smc(function, 0x103, 0x5000, 78) == -4
    assert world.lib.fake_start(3, False) == 0x4000


def test_cpu_on_of_others(world: World) -> None:
    for mpidr in (0, 1, 0x104, 0x200):
        assert world.smc(0xC4000003, mpidr, 0x4000, 0) == -3
    assert world.smc(0xC4000003, 0x102, 0x4000, 0) == -4
    assert world.smc(0xC4000003, 0x103, 0x4000, 0) == -4
    assert world.lib.fake_kicks == 0


def test_cpu_on_waits_for_one_that_parks_but_not_for_ever(world: World) -> None:
    world.lib.fake_power(3, ON, True)
    assert world.smc(0xC4000003, 0x103, 0x4000, 0) == -4


def test_32_bit_calls_have_32_bit_arguments(world: World) -> None:
    world.lib.fake_power(3, OFF, False)
    assert world.smc(0x84000003, 0x103 | GARBAGE, 0x4000 | GARBAGE, 5 | GARBAGE) == 0
    assert (world.lib.fake_start(3, False), world.lib.fake_start(3, True)) == (0x4000, 5)


def test_cpu_off_does_not_return(world: World) -> None:
    world.x[0] = 0x84000002
    assert world.lib.fake_smc()
    assert world.lib.fake_events == 1
    assert world.elr[0] == 0x1000


def test_suspend_sleeps_only_when_nothing_is_pending(world: World) -> None:
    assert world.smc(0xC4000001) == 0
    assert world.lib.fake_waits == 1
    world.lib.fake_lr_empty = 0xE
    assert world.smc(0xC4000001) == 0
    assert world.lib.fake_waits == 1


@pytest.mark.parametrize("function", [0x84000008, 0x84000009])
def test_only_the_root_cell_ends_the_machine(world: World, function: int) -> None:
    asked = []
    keep = world.ffi.callback("long(u32, u64)", lambda function, arg: asked.append(function) or -1)
    world.lib.fake_firmware = keep
    assert world.smc(function) == -1
    assert asked == []
    world.lib.fake_become_cpu(0)
    assert world.smc(function) == -1
    assert asked == [function]


def test_smccc_without_firmware(world: World) -> None:
    world.lib.smccc_init()
    calls = world.lib.fake_firmware_calls
    assert world.smc(0x80000000) == 0x10001
    for function, answer in {0x80000000: 0, 0x80000001: 0, 0x80008000: -1, 0x80007FFF: -1, 0x80003FFF: -1}.items():
        assert world.smc(0x80000001, function) == answer
    assert world.lib.fake_firmware_calls == calls
    assert world.smc(0x80008000) is None
    assert "SMC 0x80008000" in world.log()


def test_smccc_with_firmware(world: World) -> None:
    answers = {0x84000000: 0x10001, 0x8400000A: 0, 0x80000000: 0x10001, 0x80000001: 1, 0x80008000: 0}
    keep = world.ffi.callback("long(u32, u64)", lambda function, arg: answers[function])
    world.lib.fake_firmware = keep
    world.lib.smccc_init()
    assert world.smc(0x80000001, 0x80008000) == 1
    assert world.smc(0x80008000) == 0
    assert world.lib.fake_stat(STAT_SMCCC) == 2


def test_who_may_call_whom(world: World) -> None:
    assert world.smc(0xC2000001) == -1  # SiP: refused with a line (bugs.md A19)
    assert "SiP call 0xc2000001" in world.log()
    for function in (0x81000000, 0x83000000, 0xB2000000, 0x85000000, 0x86000000, 0xC1000000):
        assert world.smc(function) is None, hex(function)
    assert world.lib.fake_firmware_calls == 0


# --- data aborts -------------------------------------------------------------------------


def syndrome(size: int, reg: int, *, write: bool, sign: bool = False, wide: bool = False, valid: bool = True) -> int:
    """ESR_EL2 of a translation fault (DDI 0487, D19.2.37)."""
    log2 = {1: 0, 2: 1, 4: 2, 8: 3}[size]
    return (0x24 << 26 | 1 << 25 | valid << 24 | log2 << 22 | sign << 21 | reg << 16 | wide << 15
            | write << 6 | 0x07)


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_stores(world: World, size: int) -> None:
    world.x[9] = 0x1122334455667788
    assert world.lib.fake_abort(syndrome(size, 9, write=True), 0xFFFF000000000ABC, 0x9000000)
    (access, _) = world.lib.fake_accesses
    assert (access.address, access.size, access.is_write) == (0x9000ABC, size, True)
    assert access.value == 0x1122334455667788 & (1 << 8 * size) - 1
    assert (world.elr[0], world.lib.fake_stat(STAT_MMIO)) == (0x1004, 1)


@pytest.mark.parametrize(("size", "sign", "wide", "expected"), [
    (1, False, False, 0x88), (1, True, False, 0xFFFFFF88), (1, True, True, 0xFFFFFFFFFFFFFF88),
    (2, True, False, 0xFFFF9988), (4, False, False, 0xBBAA9988), (4, True, True, 0xFFFFFFFFBBAA9988),
    (8, False, True, 0xFFEEDDCCBBAA9988),
])
def test_loads(world: World, size: int, sign: bool, wide: bool, expected: int) -> None:
    world.lib.fake_value = 0xFFEEDDCCBBAA9988
    assert world.lib.fake_abort(syndrome(size, 4, write=False, sign=sign, wide=wide), 0x10, 0x9000000)
    assert world.x[4] == expected


def test_the_distributor_is_not_searched_for(world: World) -> None:
    """Its window, and not a byte more, goes straight to the GIC, at offsets."""
    assert world.lib.fake_abort(syndrome(4, 4, write=False), 0xFF8, 0x800F000)
    access = world.lib.fake_dist_access
    assert (access.address, access.size, access.is_write) == (0xFFF8, 4, False)
    assert world.x[4] == 0x5A
    assert world.lib.fake_num_accesses == 0
    for address in (0x8010000, 0x7FFF000):
        assert world.lib.fake_abort(syndrome(4, 4, write=False), 0, address)
        assert world.lib.fake_accesses[(world.lib.fake_num_accesses - 1) & 1].address == address
    assert world.lib.fake_num_accesses == 2


def test_register_31_is_zero(world: World) -> None:
    assert world.lib.fake_abort(syndrome(4, 31, write=True), 0, 0x9000000)
    assert world.lib.fake_accesses[0].value == 0
    world.lib.fake_regs.unused = 0x55
    assert world.lib.fake_abort(syndrome(4, 31, write=False), 0, 0x9000000)
    assert world.lib.fake_regs.unused == 0x55


@pytest.mark.parametrize("result", [0, 1])
def test_refused_accesses_park(world: World, result: int) -> None:
    world.lib.fake_result = result
    assert not world.lib.fake_abort(syndrome(4, 1, write=True), 0x124, 0x9000000)
    assert world.elr[0] == 0x1000
    assert "FATAL: unhandled trap (exception class 0x24)" in world.log()
    if result == 1:
        assert 'Unhandled data write at 0x9000124(4), cell "demo", CPU 2' in world.log()


def run(world: World, folder: Path, text: str, *, write: bool, virt: int) -> bool:
    world.lib.fake_code[0] = encode(text, folder)
    return bool(world.lib.fake_abort(syndrome(1, 0, write=write, valid=False), virt, 0x9000000))


def test_post_index_without_syndrome(world: World, tmp_path: Path) -> None:
    world.x[2], world.lib.fake_value = 0xFFFF0000_00000100, 0x42
    assert run(world, tmp_path, "ldr x1, [x2], #8", write=False, virt=world.x[2])
    assert (world.x[1], world.x[2]) == (0x42, 0xFFFF0000_00000108)
    assert world.lib.fake_accesses[0].address == 0x9000100
    assert world.elr[0] == 0x1004


def test_pair_without_syndrome(world: World, tmp_path: Path) -> None:
    world.x[5], world.x[3], world.x[4] = 0x200, 7, 8
    assert run(world, tmp_path, "stp w3, w4, [x5, #-16]!", write=True, virt=0x1F0)
    assert [(a.address, a.value, a.size) for a in world.lib.fake_accesses] == [(0x90001F0, 7, 4), (0x90001F4, 8, 4)]
    assert world.x[5] == 0x1F0


def test_stack_pointer_of_el1(world: World, tmp_path: Path) -> None:
    pointer = world.lib.fake_sysreg(world._text("sp_el1"))
    pointer[0] = 0x300
    assert run(world, tmp_path, "str x6, [sp], #16", write=True, virt=0x300)
    assert pointer[0] == 0x310


def test_a_pair_that_leaves_the_page_is_refused(world: World, tmp_path: Path) -> None:
    world.x[2] = 0xFF8
    assert not run(world, tmp_path, "ldp x0, x1, [x2]", write=False, virt=0xFF8)
    assert world.lib.fake_num_accesses == 0


@pytest.mark.parametrize("text", ["nop", "ldr q0, [x1], #16", "str x1, [x2], #8"])
def test_what_cannot_be_decoded_is_refused(world: World, tmp_path: Path, text: str) -> None:
    """The last one stores, while the abort says load."""
    assert not run(world, tmp_path, text, write=False, virt=0x100)
    assert world.lib.fake_num_accesses == 0
