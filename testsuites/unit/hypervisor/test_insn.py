# SPDX-License-Identifier: GPL-2.0-only
"""The MOV decoder and emulation against the processor that runs the tests.

Every case is executed natively by native/mov_runner.c, one instruction at a time, and emulated by the
real insn.c and mmio_exit.c on memory with the same contents: registers, memory and instruction pointer
must agree. Generating rules: SDM 2, chapter 2.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import struct
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent

CDEF = """
struct insn {
    unsigned int length, size; bool is_write, is_immediate; u64 immediate;
    unsigned int reg; bool high_byte; unsigned int reg_size;
};
int insn_decode(struct insn *insn, const u8 *bytes, unsigned int available, int mode);
struct mov_case { u8 code[16]; u8 length, mode, is_write, data_reg; u32 code_offset; };
struct mov_result {
    u64 before[16], after[16]; u32 window_offset, rip_delta; u8 status, stray, memory[8], pad[6];
};
unsigned int mov_check_all(const struct mov_case *, const struct mov_result *, unsigned int, const char **);
unsigned int mov_check_truncated(const struct mov_case *, const struct mov_result *, unsigned int);
"""
CASE = struct.Struct("<16sBBBBI")
RESULT_SIZE = 16 * 8 * 2 + 4 + 4 + 2 + 8 + 6

ABSOLUTE = 0x30000000  # mapped for displacements without a register, see mov_runner.c
CODE = 0x28000000
PAGE = 0x1000
NO_REG = 0xFF
EINVAL = -22

# Opcode: (stores, immediate bytes: 0 none, -1 operand size)
MODRM_OPCODES = {
    b"\x88": (True, 0), b"\x89": (True, 0), b"\x8a": (False, 0), b"\x8b": (False, 0),
    b"\x0f\xb6": (False, 0), b"\x0f\xb7": (False, 0), b"\xc6": (True, 1), b"\xc7": (True, -1),
}
OFFSET_OPCODES = {b"\xa0": False, b"\xa1": False, b"\xa2": True, b"\xa3": True}
PREFIXES = [b"", b"\x66", b"\x67", b"\x66\x67"]
REXES = [b"", *(bytes([n]) for n in range(0x40, 0x50))]
IMMEDIATE = bytes.fromhex("f1d2c3b4")  # negative in every width


@dataclass(frozen=True)
class Case:
    code: bytes
    is_write: bool
    mode: int
    offset: int = 0
    data_reg: int = NO_REG

    def pack(self) -> bytes:
        return CASE.pack(
            self.code.ljust(16, b"\x90"), len(self.code), self.mode, self.is_write, self.data_reg, self.offset
        )


@dataclass(frozen=True)
class Form:
    """Opcode and prefixes; assembles a case for one ModRM (and SIB) byte."""

    mode: int
    prefixes: bytes
    rex: bytes
    opcode: bytes

    @property
    def address_size(self) -> int:
        other = b"\x67" in self.prefixes
        return {64: (8, 4), 32: (4, 2), 16: (2, 4)}[self.mode][other]

    @property
    def operand_size(self) -> int:
        if self.rex and self.rex[0] & 8:
            return 8
        return 2 if (self.mode == 16) != (b"\x66" in self.prefixes) else 4

    def _absolute(self) -> int:
        return ABSOLUTE + 0x123 if self.mode == 64 else 0x123

    def _displacement(self, mod: int, rm: int, sib: int) -> tuple[int, int]:
        """Size and value; the windows of the runner are around the registers' values."""
        if mod == 1:
            return 1, -0x21
        if self.address_size == 2:
            return (2, 0x154) if mod == 2 or rm == 6 else (0, 0)
        if mod == 2:
            return 4, -0x1234
        if rm == 4 and sib & 7 == 5:
            x = self.rex[0] & 2 if self.rex else 0
            indexed = sib >> 3 & 7 != 4 or x
            return 4, (0x321 if indexed else self._absolute())
        if rm == 5:
            return 4, self._absolute()
        return 0, 0

    def case(self, modrm: int, sib: int, offset: int = 0, data_reg: int = NO_REG) -> Case:
        mod, rm = modrm >> 6, modrm & 7
        is_write, immediate = MODRM_OPCODES[self.opcode]
        size, value = self._displacement(mod, rm, sib)
        head = self.prefixes + self.rex + self.opcode + bytes([modrm])
        if rm == 4 and self.address_size != 2:
            head += bytes([sib])
        tail = IMMEDIATE[: min(self.operand_size, 4) if immediate < 0 else immediate]
        if self.mode == 64 and mod == 0 and rm == 5:
            value -= CODE + offset + len(head) + size + len(tail)
        code = head + value.to_bytes(size, "little", signed=True) + tail
        return Case(code, is_write, self.mode, offset, data_reg)


def modrm_bytes(opcode: bytes) -> Iterator[int]:
    regs = [0] if opcode in (b"\xc6", b"\xc7") else range(8)
    return (mod << 6 | reg << 3 | rm for mod, reg, rm in itertools.product(range(3), regs, range(8)))


def all_forms(mode: int) -> Iterator[Form]:
    rexes = REXES if mode == 64 else [b""]
    return itertools.starmap(
        lambda p, r, o: Form(mode, p, r, o), itertools.product(PREFIXES, rexes, MODRM_OPCODES)
    )


def every_modrm(mode: int) -> Iterator[Case]:
    sibs = itertools.cycle(range(0, 256, 7))
    for form in all_forms(mode):
        for modrm in modrm_bytes(form.opcode):
            yield form.case(modrm, next(sibs))


def every_sib(mode: int) -> Iterator[Case]:
    rexes = [b"", b"\x41", b"\x42", b"\x43", b"\x4f"] if mode == 64 else [b""]
    prefixes = b"\x67" if mode == 16 else b""
    for rex, opcode, mod, sib in itertools.product(rexes, [b"\x89", b"\x8b", b"\xc7"], range(3), range(256)):
        yield Form(mode, prefixes, rex, opcode).case(mod << 6 | 4, sib)


def every_offset(mode: int) -> Iterator[Case]:
    for prefixes, rex in itertools.product(PREFIXES, REXES if mode == 64 else [b""]):
        for opcode, is_write in OFFSET_OPCODES.items():
            form = Form(mode, prefixes, rex, opcode)
            value = ABSOLUTE + 0x77 if mode == 64 else 0x77
            code = prefixes + rex + opcode + value.to_bytes(form.address_size, "little")
            yield Case(code, is_write, mode, data_reg=0)


def every_data_register(mode: int) -> Iterator[Case]:
    """Values that use all bits, so that kept and cleared upper halves differ."""
    rexes = REXES if mode == 64 else [b""]
    for prefixes, rex, opcode, reg in itertools.product([b"", b"\x66"], rexes, MODRM_OPCODES, range(8)):
        if opcode in (b"\xc6", b"\xc7"):
            continue
        number = reg | ((rex[0] & 4) << 1 if rex else 0)
        byte = opcode in (b"\x88", b"\x8a")
        if byte and not rex and reg >= 4:
            number -= 4
        base = 6 if number != 6 else 7  # rSI and rDI are bases in every address size
        rm = base if mode != 16 else base - 2
        if rex and rex[0] & 1 and number == base + 8:
            continue
        yield Form(mode, prefixes, rex, opcode).case(reg << 3 | rm, 0, data_reg=number)


def odd_prefixes() -> Iterator[Case]:
    """Segments, repeats, and REX bytes that a legacy prefix makes void (SDM 2, 2.2.1)."""
    odd = [
        b"\x26", b"\x2e", b"\x36", b"\x3e", b"\x64", b"\x65", b"\x66\x66", b"\x67\x67", b"\x65\x66\x67",
        b"\x48\x66", b"\x44\x3e", b"\x41\x67\x66", b"\x49\x44", b"\x66\x48\x40", b"\x64\x66\x66\x66\x66\x66",
    ]  # fmt: skip
    for prefixes, opcode, modrm in itertools.product(odd, MODRM_OPCODES, [0x03, 0x43, 0x26, 0x6E]):
        group = opcode in (b"\xc6", b"\xc7")
        void = prefixes[-1] & 0xF0 != 0x40
        form = Form(64, prefixes, b"", opcode) if void else Form(64, prefixes[:-1], prefixes[-1:], opcode)
        yield form.case(modrm & 0xC7 if group else modrm, 0x23)


def straddling(mode: int) -> Iterator[Case]:
    forms = [f for f in all_forms(mode) if f.rex in (b"", b"\x44", b"\x48")]
    for form in forms:
        longest = form.case(0x84, 0x23)
        for first_bytes in range(1, len(longest.code)):
            yield form.case(0x84, 0x23, offset=PAGE - first_bytes)


# --- Running ------------------------------------------------------------------------------------


@pytest.fixture
def mod(hostlib: Any) -> Any:
    return hostlib(
        ["hypervisor/arch/x86/insn.c", "hypervisor/arch/x86/mmio_exit.c", "mov_check.c", "percpu.c", "printk.c"],
        CDEF,
        headers=["arch/insn.h", "mov_case.h"],
    )


def clean_env() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}


@pytest.fixture(scope="module")
def runner() -> Path:
    from hostlib import CC, cache_dir

    sources = [HERE / "native/mov_runner.c", HERE / "fake/include/mov_case.h"]
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in sources)).hexdigest()[:16]
    binary = cache_dir() / f"mov_runner-{digest}"
    if not binary.exists():
        scratch = binary.with_suffix(f".{os.getpid()}")
        subprocess.run(
            [CC, "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-no-pie", f"-I{HERE / 'fake/include'}",
             str(sources[0]), "-o", str(scratch)],
            check=True, env=clean_env(),
        )  # fmt: skip
        scratch.replace(binary)
    return binary


def execute(runner: Path, cases: list[Case]) -> tuple[bytes, bytes]:
    packed = b"".join(case.pack() for case in cases)
    done = subprocess.run([runner], input=packed, capture_output=True, check=False, env=clean_env())
    assert done.returncode == 0, done.stderr.decode()
    assert len(done.stdout) == len(cases) * RESULT_SIZE
    return packed, done.stdout


def check(mod: Any, runner: Path, generated: Iterable[Case]) -> tuple[bytes, bytes, int]:
    cases = list(generated)
    packed, results = execute(runner, cases)
    why = mod.ffi.new("const char **")
    buffers = mod.ffi.from_buffer(packed), mod.ffi.from_buffer(results)
    c = mod.ffi.cast("struct mov_case *", buffers[0])
    r = mod.ffi.cast("struct mov_result *", buffers[1])
    n = mod.lib.mov_check_all(c, r, len(cases), why)
    if n != len(cases):
        case = cases[n]
        pytest.fail(
            f"{mod.ffi.string(why[0]).decode()}: case {n} of {len(cases)}: {case.code.hex(' ')} mode {case.mode}\n"
            f"native after: {[hex(v) for v in r[n].after]}\nbefore: {[hex(v) for v in r[n].before]}\n"
            f"memory {bytes(r[n].memory).hex()} length {r[n].rip_delta}"
        )
    return packed, results, len(cases)


MODES = [64, 32, 16]


@pytest.mark.parametrize("mode", MODES)
def test_a20_every_addressing_form_as_native(mod: Any, runner: Path, mode: int) -> None:
    check(mod, runner, every_modrm(mode))


@pytest.mark.parametrize("mode", MODES)
def test_a20_every_sib_as_native(mod: Any, runner: Path, mode: int) -> None:
    check(mod, runner, every_sib(mode))


@pytest.mark.parametrize("mode", MODES)
def test_a20_absolute_offsets_as_native(mod: Any, runner: Path, mode: int) -> None:
    check(mod, runner, every_offset(mode))


@pytest.mark.parametrize("mode", MODES)
def test_a20_every_data_register_as_native(mod: Any, runner: Path, mode: int) -> None:
    check(mod, runner, every_data_register(mode))


def test_a20_redundant_and_void_prefixes_as_native(mod: Any, runner: Path) -> None:
    check(mod, runner, odd_prefixes())


@pytest.mark.parametrize("mode", MODES)
def test_a20_u7_page_straddling_at_every_byte(mod: Any, runner: Path, mode: int) -> None:
    packed, results, count = check(mod, runner, straddling(mode))
    c = mod.ffi.cast("struct mov_case *", mod.ffi.from_buffer(packed))
    r = mod.ffi.cast("struct mov_result *", mod.ffi.from_buffer(results))
    assert mod.lib.mov_check_truncated(c, r, count) == count


def decode(mod: Any, code: bytes, mode: int = 2) -> Any:
    """The decoded instruction, None if it is refused. Modes: 0, 1, 2 for 16, 32, 64 bits."""
    insn = mod.ffi.new("struct insn *")
    buffer = mod.ffi.new("u8[]", code)
    result = mod.lib.insn_decode(insn, buffer, len(code), mode)
    assert result in (0, EINVAL)
    return insn if result == 0 else None


def test_u7a_word_immediate(mod: Any) -> None:
    insn = decode(mod, bytes.fromhex("66c7003412"))
    assert (insn.length, insn.size, insn.immediate) == (5, 2, 0x1234)


@pytest.mark.parametrize(("modrm", "reg"), [(0x20, 0), (0x28, 1), (0x30, 2), (0x38, 3)])
def test_u7b_high_byte_registers(mod: Any, modrm: int, reg: int) -> None:
    insn = decode(mod, bytes([0x88, modrm]))
    assert insn.high_byte
    assert insn.reg == reg
    insn = decode(mod, bytes([0x40, 0x88, modrm]))
    assert not insn.high_byte
    assert insn.reg == reg + 4


def test_unsupported_opcodes_are_refused(mod: Any) -> None:
    supported = {op[-1] for op in MODRM_OPCODES if len(op) == 1} | {op[0] for op in OFFSET_OPCODES}
    prefixes = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0x0F}
    for opcode, mode in itertools.product(range(256), range(3)):
        if opcode in prefixes or opcode in supported or (mode == 2 and opcode & 0xF0 == 0x40):
            continue
        assert decode(mod, bytes([opcode]) + bytes(14), mode) is None, hex(opcode)
    for opcode in set(range(256)) - {0xB6, 0xB7}:
        assert decode(mod, bytes([0x0F, opcode]) + bytes(13)) is None, hex(opcode)


@pytest.mark.parametrize("prefix", [0xF0, 0xF2, 0xF3])
def test_lock_and_repeat_are_refused(mod: Any, prefix: int) -> None:
    for code in (bytes([prefix, 0x89, 0x03]), bytes([0x66, prefix, 0x48, 0x89, 0x03])):
        assert decode(mod, code) is None


def test_register_forms_and_other_group_members_are_refused(mod: Any) -> None:
    for opcode in MODRM_OPCODES:
        for modrm in range(0xC0, 0x100):
            assert decode(mod, opcode + bytes([modrm]) + bytes(8)) is None
    for opcode, reg in itertools.product([b"\xc6", b"\xc7"], range(1, 8)):
        assert decode(mod, opcode + bytes([reg << 3 | 3]) + bytes(8)) is None


def test_longer_than_fifteen_bytes_is_refused(mod: Any) -> None:
    assert decode(mod, b"\x66" * 13 + b"\x89\x03") is not None
    assert decode(mod, b"\x66" * 14 + b"\x89\x03") is None
    assert decode(mod, b"\x66" * 64) is None


def test_any_bytes_are_survived(mod: Any) -> None:
    """Neither reads past the end (the sanitizer watches) nor sizes outside of what is documented."""
    state = hashlib.shake_256(b"insn").digest(200_000)
    for at in range(0, len(state) - 16, 10):
        for mode in range(3):
            insn = decode(mod, state[at : at + 1 + at % 15], mode)
            if insn is not None:
                assert insn.length <= 1 + at % 15
                assert insn.reg < 16
                assert insn.size in (1, 2, 4, 8)
                assert insn.reg_size >= insn.size
