# SPDX-License-Identifier: GPL-2.0-only
"""Real hypervisor C files, compiled for the host with sanitizers and called from Python.

A test asks for what it needs::

    @pytest.fixture
    def mod(hostlib):
        return hostlib(
            ["hypervisor/arch/x86/insn.c"],              # relative to the repository, or to fake/
            cdef="struct insn {...}; int insn_decode(...);",
            headers=["arch/insn.h"],                      # where the C declarations are
        )

    def test_x(mod):
        insn = mod.ffi.new("struct insn *")
        assert mod.lib.insn_decode(insn, ...) == 0

- `cdef` is what cffi reads (ABI mode: no Python headers needed). For every struct with fields that
  it defines, size and field offsets are asserted against the C headers at compile time, so a
  mistyped declaration does not compile.
- Every call gives a library of its own: static variables start fresh.
- `fake/include` shadows architecture headers; `fake/*.c` are the hardware. Fakes are steered through
  function pointers in global variables (`lib.fake_port_read = ffi.callback(...)`).
- The test runs in a child Python with AddressSanitizer in front (see conftest.py); a report of a
  sanitizer ends the child and fails that one test with the report as its text.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cffi

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[2]
CC = os.environ.get("HOSTCC", "gcc")

CFLAGS = [
    "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-g", "-fPIC", "-shared",
    "-fno-strict-aliasing", "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined",
    "-Wl,-Bsymbolic", "-Wl,-z,defs",
    "-DJAILHOUSE_HOST_BUILD",
]
FAKES = {"x86": [HERE / "fake/include"], "arm64": [HERE / "fake/arm64", HERE / "fake/include"]}


@dataclass(frozen=True)
class HostLib:
    ffi: Any
    lib: Any


def cache_dir() -> Path:
    base = os.environ.get("JAILHOUSE_CACHE")
    path = (Path(base) if base else REPO / ".cache") / "hostlib"
    path.mkdir(parents=True, exist_ok=True)
    return path


_refused: dict[Path, str] = {}
"""What does not compile is not tried again for the next test."""


def clean_env() -> dict[str, str]:
    """For other programs: without the sanitizer."""
    return {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}


@functools.cache
def _compiler_version() -> str:
    command = [CC, "-dumpfullversion"]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=clean_env()).stdout


def _source(name: str) -> Path:
    for base in (REPO, HERE / "fake"):
        if (base / name).is_file():
            return base / name
    raise FileNotFoundError(name)


def _layout_checks(ffi: Any, headers: Sequence[str]) -> str:
    """C text that fails to compile where cffi and the compiler disagree."""
    lines = [f"#include <{h}>" for h in headers]
    _typedefs, structs, _unions = ffi.list_types()
    for name in structs:
        ctype = ffi.typeof(f"struct {name}")
        if not ctype.fields:
            continue
        lines.append(f'_Static_assert(sizeof(struct {name}) == {ffi.sizeof(ctype)}, "size of {name}");')
        for field, info in ctype.fields:
            if field and info.bitsize < 0:
                lines.append(
                    f"_Static_assert(__builtin_offsetof(struct {name}, {field}) == {info.offset}, "
                    f'"{name}.{field}");'
                )
    return "\n".join(lines) + "\n"


def _digest(parts: Iterable[str]) -> str:
    """Of everything that can reach the compiler."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    for base in (REPO / "hypervisor", REPO / "driver", REPO / "include", HERE / "fake"):
        for path in sorted(base.rglob("*.[ch]")):
            digest.update(str(path.relative_to(REPO)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:24]


def _includes(arch: str) -> list[Path]:
    return [*FAKES[arch], REPO / f"hypervisor/arch/{arch}/include", REPO / "hypervisor", REPO / "include"]


def _compile(sources: Sequence[Path], checks: str, defines: Sequence[str], arch: str) -> Path:
    parts = [_compiler_version(), arch, *CFLAGS, *map(str, sources), checks, *defines]
    target = cache_dir() / f"{_digest(parts)}.so"
    if target.exists():
        return target
    if target in _refused:
        raise AssertionError(_refused[target])
    with tempfile.TemporaryDirectory(dir=cache_dir()) as scratch:
        check_file = Path(scratch) / "layout.c"
        check_file.write_text(checks)
        out = Path(scratch) / "lib.so"
        command = [
            CC, *CFLAGS, *(f"-D{d}" for d in defines), *(f"-I{d}" for d in _includes(arch)),
            *map(str, sources), str(check_file), "-o", str(out),
        ]
        done = subprocess.run(command, capture_output=True, text=True, env=clean_env(), check=False)
        if done.returncode:
            _refused[target] = f"does not compile for the host:\n{done.stderr}"
            raise AssertionError(_refused[target])
        os.replace(out, target)
    return target


def load(
    sources: Sequence[str],
    cdef: str,
    headers: Sequence[str] = (),
    defines: Sequence[str] = (),
    packed: str = "",
    *,
    arch: str = "x86",
) -> HostLib:
    """Compile (cached by content) and open a fresh copy. `packed`: declarations of packed structs."""
    ffi = cffi.FFI()
    ffi.cdef(
        "typedef uint8_t u8; typedef uint16_t u16; typedef uint32_t u32; typedef uint64_t u64;"
        "typedef int32_t s32; typedef int64_t s64;"
    )
    if packed:
        ffi.cdef(packed, packed=True)
    ffi.cdef(cdef)
    checks = _layout_checks(ffi, headers) if headers else ""
    library = _compile([_source(s) for s in sources], checks, defines, arch)
    descriptor, copy = tempfile.mkstemp(suffix=".so", dir=cache_dir())
    os.close(descriptor)
    try:
        shutil.copyfile(library, copy)
        return HostLib(ffi, ffi.dlopen(copy))
    finally:
        os.unlink(copy)
