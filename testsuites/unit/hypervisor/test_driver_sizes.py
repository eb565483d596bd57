# SPDX-License-Identifier: GPL-2.0-only
"""driver/config_check.c: what the module believes of sizes before it follows them (bugs.md A25, U4)."""

from __future__ import annotations

import struct
from typing import Any

import pytest

CDEF = """
int config_check_system_header(const void *config, unsigned int architecture, uint64_t *total);
int config_check_cell_header(const void *desc, unsigned int architecture, uint64_t available,
                             uint64_t *total);
unsigned int cpu_set_limit(const uint8_t *set, unsigned int size);
int image_check(const void *header, uint64_t file_size, unsigned int architecture,
                uint64_t region_size, unsigned int max_cpus, uint64_t config_size,
                uint64_t *config_offset);
"""
OK, SIGNATURE, REVISION, ARCHITECTURE, CPU_SET, TRUNCATED, TOO_BIG = range(7)
X86 = 0
CELL_HEADER, SYSTEM_HEADER = 132, 356
CPU_SET_SIZE = 48
COUNTS = {52: 32, 56: 12, 60: 32, 64: 4, 68: 56, 72: 8, 76: 4}
"""Offset of each count in the descriptor, and the size of what it counts (abi.md 1.3)."""


@pytest.fixture
def mod(hostlib: Any) -> Any:
    return hostlib(["driver/config_check.c"], CDEF)


def descriptor(counts: dict[int, int] | None = None) -> bytearray:
    data = bytearray(CELL_HEADER)
    data[:8] = b"JHCLL\0" + struct.pack("<H", 14)
    struct.pack_into("<I", data, CPU_SET_SIZE, 8)
    for offset, count in (counts or {}).items():
        struct.pack_into("<I", data, offset, count)
    return data


def system(counts: dict[int, int] | None = None) -> bytearray:
    data = bytearray(SYSTEM_HEADER) + descriptor(counts)
    data[:8] = b"JHSYS\0" + struct.pack("<H", 14)
    return data


def check_cell(mod: Any, data: bytearray, available: int) -> tuple[int, int]:
    total = mod.ffi.new("uint64_t *", 0)
    buffer = mod.ffi.new("uint8_t[]", bytes(data))
    return mod.lib.config_check_cell_header(buffer, X86, available, total), total[0]


def check_system(mod: Any, data: bytearray) -> tuple[int, int]:
    total = mod.ffi.new("uint64_t *", 0)
    buffer = mod.ffi.new("uint8_t[]", bytes(data))
    return mod.lib.config_check_system_header(buffer, X86, total), total[0]


def test_sizes_add_up(mod: Any) -> None:
    counts = {offset: number + 1 for number, offset in enumerate(COUNTS)}
    size = CELL_HEADER + 8 + sum(COUNTS[offset] * count for offset, count in counts.items())
    assert check_cell(mod, descriptor(counts), size) == (OK, size)
    assert check_cell(mod, descriptor(counts), size + 100) == (OK, size), "trailing bytes are accepted"
    assert check_cell(mod, descriptor(counts), size - 1)[0] == TRUNCATED
    assert check_system(mod, system(counts)) == (OK, SYSTEM_HEADER + size)


@pytest.mark.parametrize("offset", COUNTS)
def test_overflowing_counts(mod: Any, offset: int) -> None:
    element = COUNTS[offset]
    for count in (0xFFFFFFFF, 0x80000000, 2**32 // element, 2**32 // element + 1):
        assert check_cell(mod, descriptor({offset: count}), 0xFFFFFFFF)[0] in (TRUNCATED, TOO_BIG)
        assert check_system(mod, system({offset: count}))[0] == TOO_BIG


@pytest.mark.parametrize("offset", COUNTS)
def test_one_more_than_there_is(mod: Any, offset: int) -> None:
    assert check_cell(mod, descriptor({offset: 1}), CELL_HEADER + 8)[0] == TRUNCATED


def test_what_the_hypervisor_cannot_map(mod: Any) -> None:
    room = (16 * 4096 - CELL_HEADER - 8) // 4
    assert check_cell(mod, descriptor({76: room}), 1 << 20)[0] == OK
    assert check_cell(mod, descriptor({76: room + 1}), 1 << 20)[0] == TOO_BIG


def test_cpu_set_size(mod: Any) -> None:
    assert check_cell(mod, descriptor({CPU_SET_SIZE: 4096}), 1 << 20)[0] == OK
    assert check_cell(mod, descriptor({CPU_SET_SIZE: 4097}), 1 << 20)[0] == CPU_SET
    assert check_system(mod, system({CPU_SET_SIZE: 0xFFFFFFFF}))[0] == CPU_SET


@pytest.mark.parametrize(
    ("at", "byte", "verdict"), [(0, 0x6A, SIGNATURE), (4, 0, SIGNATURE), (5, 1, ARCHITECTURE),
                                (5, 2, ARCHITECTURE), (6, 13, REVISION), (7, 1, REVISION)],
)
def test_first_eight_bytes(mod: Any, at: int, byte: int, verdict: int) -> None:
    for data, check in ((descriptor(), lambda d: check_cell(mod, d, 4096)[0]),
                        (system(), lambda d: check_system(mod, d)[0])):
        data[at] = byte
        assert check(data) == verdict


def test_revision_is_named_before_architecture(mod: Any) -> None:
    data = descriptor()
    data[4:8] = b"L" + bytes([7]) + struct.pack("<H", 13)
    assert check_cell(mod, data, 4096)[0] == REVISION


@pytest.mark.parametrize(
    ("data", "limit"), [(b"", 0), (bytes(8), 0), (b"\x01", 1), (b"\x80", 8), (b"\x0f" + bytes(7), 4),
                        (bytes(8) + b"\x01", 65), (b"\xff" * 4096, 32768)],
)
def test_highest_cpu(mod: Any, data: bytes, limit: int) -> None:
    assert mod.lib.cpu_set_limit(mod.ffi.from_buffer("uint8_t[]", bytearray(data)), len(data)) == limit


IMAGE = struct.Struct("<8sIIQQQQQIIQQQQQQQ")
FIELDS = ("signature", "image_version", "architecture", "core_size", "percpu_size", "link_address",
          "entry", "console_page")
GOOD: dict[str, Any] = {
    "signature": b"JAILHOUS", "image_version": 2, "architecture": X86, "core_size": 0x20000,
    "percpu_size": 0x8000, "link_address": 0xFFFF800000000000, "entry": 0x100, "console_page": 0x1000,
}
IMAGE_OK, IMAGE_SIGNATURE, IMAGE_VERSION, IMAGE_ARCHITECTURE, IMAGE_HEADER, IMAGE_SPACE = range(6)


def check_image(
    mod: Any, file_size: int = 0x10000, region: int = 0x600000, cpus: int = 4, config: int = 0x1000,
    **changes: Any,
) -> tuple[int, int]:
    values = {**GOOD, **changes}
    header = IMAGE.pack(*(values[name] for name in FIELDS), *([0] * 9))
    offset = mod.ffi.new("uint64_t *", 0)
    buffer = mod.ffi.new("uint8_t[]", header)
    return mod.lib.image_check(buffer, file_size, X86, region, cpus, config, offset), offset[0]


def test_good_image(mod: Any) -> None:
    assert check_image(mod) == (IMAGE_OK, 0x20000 + 4 * 0x8000)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"signature": b"JAILHOUX"}, IMAGE_SIGNATURE),
        ({"file_size": 10}, IMAGE_SIGNATURE),
        ({"image_version": 1}, IMAGE_VERSION),
        ({"architecture": 2}, IMAGE_ARCHITECTURE),
        ({"percpu_size": 0}, IMAGE_HEADER),
        ({"percpu_size": 0x3000}, IMAGE_HEADER),
        ({"percpu_size": 1 << 40}, IMAGE_HEADER),
        ({"core_size": 0x21000}, IMAGE_HEADER),
        ({"core_size": 1 << 63}, IMAGE_HEADER),
        ({"core_size": 0x8000}, IMAGE_HEADER),
        ({"entry": 0x10000}, IMAGE_HEADER),
        ({"console_page": 0x20000}, IMAGE_HEADER),
        ({"console_page": 0x1001}, IMAGE_HEADER),
        ({"link_address": 0xFFFF800000000008}, IMAGE_HEADER),
        ({"region": 0x20000}, IMAGE_SPACE),
        ({"region": 0x40000}, IMAGE_SPACE),
        ({"region": 0x41000}, IMAGE_SPACE),
        ({"region": 0x41001}, IMAGE_OK),
        ({"cpus": 32768}, IMAGE_SPACE),
        ({"config": 1 << 63}, IMAGE_SPACE),
    ],
)
def test_bad_images(mod: Any, changes: dict[str, Any], verdict: int) -> None:
    assert check_image(mod, **changes)[0] == verdict
