# SPDX-License-Identifier: GPL-2.0-only
"""hypervisor/lib: strings, bitmaps, formatted text (abi.md 11.1)."""

from __future__ import annotations

import random
from typing import Any

import pytest

STRINGS = """
void *hv_memcpy(void *dest, const void *src, size_t size);
void *hv_memmove(void *dest, const void *src, size_t size);
void *hv_memset(void *dest, int value, size_t size);
int hv_memcmp(const void *a, const void *b, size_t size);
int hv_strcmp(const char *a, const char *b);
size_t hv_strlen(const char *s);
size_t hv_strnlen(const char *s, size_t max);
"""
BITMAPS = """
unsigned long bitmap_next_set(const unsigned long *map, unsigned long bits, unsigned long start);
unsigned long bitmap_next_clear(const unsigned long *map, unsigned long bits, unsigned long start);
void bitmap_set_range(unsigned long *map, unsigned long first, unsigned long count);
void bitmap_clear_range(unsigned long *map, unsigned long first, unsigned long count);
unsigned long bitmap_count(const unsigned long *map, unsigned long bits);
"""


@pytest.mark.parametrize("offset", [0, 1, 7, 8])
@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 63, 64, 4096])
def test_copy_and_set(hostlib: Any, size: int, offset: int) -> None:
    mod = hostlib(["hypervisor/lib/string.c"], STRINGS)
    data = random.Random(size).randbytes(size)
    target = mod.ffi.new("char[]", b"\xaa" * (size + 32))
    where = target + offset
    assert mod.lib.hv_memcpy(where, data, size) == where
    assert bytes(mod.ffi.buffer(target)) == b"\xaa" * offset + data + b"\xaa" * (32 - offset) + b"\0"
    assert mod.lib.hv_memcmp(where, data, size) == 0
    mod.lib.hv_memset(where, 0x155, size)
    assert bytes(mod.ffi.buffer(target)) == b"\xaa" * offset + b"\x55" * size + b"\xaa" * (32 - offset) + b"\0"


@pytest.mark.parametrize(("start", "end"), [(0, 8), (8, 0), (3, 5), (5, 3), (0, 64), (4, 4)])
def test_move_overlapping(hostlib: Any, start: int, end: int) -> None:
    mod = hostlib(["hypervisor/lib/string.c"], STRINGS)
    before = bytes(range(128))
    memory = mod.ffi.new("char[]", before)
    mod.lib.hv_memmove(memory + end, memory + start, 40)
    expected = bytearray(before)
    expected[end : end + 40] = before[start : start + 40]
    assert bytes(mod.ffi.buffer(memory))[:128] == bytes(expected)


def test_compare(hostlib: Any) -> None:
    lib = hostlib(["hypervisor/lib/string.c"], STRINGS).lib
    assert lib.hv_strcmp(b"cell", b"cell") == 0
    assert lib.hv_strcmp(b"cell", b"cells") < 0 < lib.hv_strcmp(b"cf", b"ce")
    assert lib.hv_memcmp(b"\xff", b"\x01", 1) > 0
    assert lib.hv_strlen(b"RootCell") == 8
    assert lib.hv_strnlen(b"RootCell", 4) == 4


def test_bitmaps_against_a_list(hostlib: Any) -> None:
    mod = hostlib(["hypervisor/lib/bitmap.c"], BITMAPS)
    dice = random.Random(1)
    for bits in (1, 63, 64, 65, 200):
        words = [dice.getrandbits(64) & dice.getrandbits(64) for _ in range((bits + 63) // 64)]
        memory = mod.ffi.new("unsigned long[]", words)
        values = [words[n // 64] >> (n % 64) & 1 for n in range(bits)]
        assert mod.lib.bitmap_count(memory, bits) == sum(values)
        for start in range(bits + 1):
            for wanted, function in ((1, mod.lib.bitmap_next_set), (0, mod.lib.bitmap_next_clear)):
                expected = next((n for n in range(start, bits) if values[n] == wanted), bits)
                assert function(memory, bits, start) == expected


def test_ranges_of_bits_against_a_list(hostlib: Any) -> None:
    mod = hostlib(["hypervisor/lib/bitmap.c"], BITMAPS)
    for first, count in ((0, 0), (0, 1), (63, 1), (63, 2), (5, 59), (0, 64), (64, 64), (3, 190)):
        for function, filled in ((mod.lib.bitmap_set_range, 0), (mod.lib.bitmap_clear_range, 1)):
            memory = mod.ffi.new("unsigned long[]", [filled * (2**64 - 1)] * 4)
            function(memory, first, count)
            found = [memory[n // 64] >> (n % 64) & 1 for n in range(256)]
            assert found == [filled ^ (first <= n < first + count) for n in range(256)]


FORMATS = [
    (b"plain\n", (), "plain\n"),
    (b"%d %d %d", ("int", 0, "int", -5, "int", -(2**31)), "0 -5 -2147483648"),
    (b"%u", ("unsigned int", 2**32 - 1), "4294967295"),
    (b"%x %08x %8x|", ("unsigned int", 0xBEEF, "unsigned int", 0xBEEF, "unsigned int", 0xBEEF), "beef 0000beef     beef|"),
    (b"%lu %llu", ("unsigned long", 2**64 - 1, "unsigned long long", 2**64 - 1), "18446744073709551615 18446744073709551615"),
    (b"%lld %ld", ("long long", -(2**63), "long", -1), "-9223372036854775808 -1"),
    (b"0x%016llx", ("unsigned long long", 0x3A000000), "0x000000003a000000"),
    (b"%s|%6s|%c", ("char *", b"a", "char *", b"bc", "int", 33), "a|    bc|!"),
    (b"%05d|%5d|%2d", ("int", -42, "int", -42, "int", 12345), "-0042|  -42|12345"),
    (b"%p", ("void *", 0xFFFF800000000000), "0xffff800000000000"),
    (b"%02x:%02x.%x", ("unsigned int", 0, "unsigned int", 27, "unsigned int", 0), "00:1b.0"),
    (b"100%% %q %", (), "100% %q "),
]


@pytest.mark.parametrize(("fmt", "args", "expected"), FORMATS, ids=[f[0].decode() for f in FORMATS])
def test_formats(hostlib: Any, fmt: bytes, args: tuple[Any, ...], expected: str) -> None:
    mod = hostlib(
        ["format_wrapper.c", "hypervisor/lib/format.c"], "int format_to(char *out, size_t size, const char *fmt, ...);"
    )
    keep = [mod.ffi.new("char[]", v) if isinstance(v, bytes) else v for v in args[1::2]]
    values = [mod.ffi.cast(t, v) for t, v in zip(args[::2], keep, strict=True)]
    out = mod.ffi.new("char[256]")
    mod.lib.format_to(out, 256, fmt, *values)
    assert mod.ffi.string(out).decode() == expected
