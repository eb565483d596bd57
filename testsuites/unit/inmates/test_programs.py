# SPDX-License-Identifier: GPL-2.0-only
"""The test inmates judge themselves rightly where there is no hypervisor."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import pytest

from testsuites.unit.inmates import bench as bench_module
from testsuites.unit.inmates.bench import Bench


@pytest.mark.parametrize(("name", "minimum"), [("mmio-access", 43), ("mmio-access-32", 24)])
def test_mmio_access_on_memory(bench: Bench, name: str, minimum: int) -> None:
    """Where the device is plain memory both executions are native, so every check passes."""
    lines = bench.run(f"tests/x86/{name}.bin", "testdev=0x100000", until=f"DONE {name}", timeout=60)
    assert lines[-1] == f"DONE {name} ok"
    assert "MMIO read test passed" in lines
    assert "MMIO write test passed" in lines
    checks = [line for line in lines if line.startswith("Test at line #")]
    assert len(checks) >= minimum
    assert all(line.endswith(" passed") for line in checks)


@pytest.mark.parametrize("name", ["mmio-access", "mmio-access-32"])
def test_mmio_access_notices(bench: Bench, name: str) -> None:
    """A window that is not the alias (other memory) is a device that does nothing right."""
    lines = bench.run(f"tests/x86/{name}.bin", "testdev=0x200000", until=f"DONE {name}", timeout=60)
    assert lines[-1] == f"DONE {name} failed"
    assert "MMIO read test FAILED" in lines
    assert "MMIO write test FAILED" in lines


SELFTEST_WORDS = (
    "t-word=hello t-hex=0x1F t-neg=-5 t-flag t-off=false t-empty= t-hex2=3 t-long=abcdefgh t-last=9"
)


#: Of every architecture.
COMMON = {"memcheck", "protocol"}


def verdict(bench: Bench, name: str, cmdline: str = "", **options: Any) -> list[str]:
    """The lines of a test inmate that must find everything in order."""
    folder = "common" if name in COMMON else "x86"
    lines = bench.run(f"tests/{folder}/{name}.bin", cmdline, until=f"DONE {name}", **options)
    assert lines[-1] == f"DONE {name} ok", "\n".join(lines)
    return lines


@pytest.mark.parametrize("name", ["selftest", "selftest-32"])
def test_selftest(bench: Bench, name: str) -> None:
    source = "tests/x86/" + name + ".bin"
    lines = bench.run(source, f"{SELFTEST_WORDS} ram=0x800000", until=re.compile("DONE selftest"))
    assert lines[-1] == "DONE selftest ok", "\n".join(lines)
    assert "CHECK map-ram ok" in lines
    assert "CHECK cmd-last ok" in lines


@pytest.mark.parametrize(
    ("name", "cell_cpus"), [("selftest", 1), ("selftest", 2), ("selftest-32", 1)]
)
def test_start_again_without_load(bench: Bench, name: str, cell_cpus: int) -> None:
    """Later starts find used memory: dirty data, dirty .bss, tickets already drawn."""
    comm = bench_module.comm_region(cell_cpus, starts=3)
    lines = bench.run(
        f"tests/x86/{name}.bin",
        cpus=cell_cpus + 1,
        comm=comm,
        until=re.compile(r"(?s)(DONE selftest.*?){3}"),
        timeout=60,
    )
    assert lines.count("DONE selftest ok") == 3, "\n".join(lines)


def test_command_line_of_full_length(bench: Bench) -> None:
    """255 characters fit; what a longer one loses is its end."""
    filler = "x" * (255 - len(" t-last=9") - len(" t-word=hello"))
    line = f"{filler} t-word=hello t-last=9"
    assert len(line) == 255
    lines = bench.run("tests/x86/selftest.bin", line, until=re.compile("DONE selftest"))
    assert "CHECK cmd-last ok" in lines


def test_exceptions(bench: Bench) -> None:
    verdict(bench, "exceptions")


def test_probe(bench: Bench) -> None:
    lines = verdict(bench, "probe", counted=False)
    assert "SEG cs 0 ds 0 es 0 fs 0 gs 0 ss 0" in lines
    assert any(line.startswith("REG cr0 60000010 cr3 0 cr4 0 ") for line in lines)
    assert "MSR VM_HSAVE_PA 0" in lines
    assert "COMM rest zero" in lines


def test_fpu(bench: Bench) -> None:
    lines = verdict(bench, "fpu", "ms=50")
    assert "XCR0 1" in lines
    assert "CLEAN ymm ok" in lines


def test_memcheck(bench: Bench) -> None:
    lines = verdict(
        bench,
        "memcheck",
        "mode=crc regions=0x800000:9,0x1000:8",
        timeout=20,
        extra=("-device", f"loader,file={nine_bytes(bench)},addr=0x800000,force-raw=on"),
    )
    assert f"CRC 800000 9 {zlib.crc32(b'123456789'):08x}" in lines
    assert f"CRC 1000 8 {zlib.crc32(b'mode=crc'):08x}" in lines
    verdict(bench, "memcheck", "mode=fill")
    lines = bench.run("tests/common/memcheck.bin", "mode=verify", until="DONE memcheck")
    assert lines[-1] == "DONE memcheck failed"
    lines = bench.run("tests/common/memcheck.bin", "mode=scan", until="DONE memcheck")
    assert lines == ["SCANNED 200000 400000 key 5ec2e7 nonzero 0 matching 0", "DONE memcheck ok"]


def nine_bytes(bench: Bench) -> Path:
    """A file that the loader device can take."""
    path = bench.work / "nine"
    path.write_bytes(b"123456789")
    return path


def test_msr_scan(bench: Bench) -> None:
    """The emulator refuses hardly anything; x2APIC register 0x83f is for writing only."""
    lines = verdict(bench, "msr-scan", "range=0x10,0x1b,0x0badbad0-0x0badbad2,0x83f")
    assert lines == [
        "READ 10-10 ok",
        "READ 1b-1b ok",
        "READ badbad0-badbad2 ok",
        "READ 83f-83f gp",
        "DONE msr-scan ok",
    ]


def test_nmi_storm(bench: Bench) -> None:
    lines = verdict(bench, "nmi-storm", "seconds=1", timeout=60)
    assert int(lines[1].split()[1]) > 1000


@pytest.mark.parametrize(
    ("cmdline", "result"),
    [
        ("what=mem-write addr=0x800000", "survived"),
        ("what=triple", "ERROR unknown violation"),
        ("what=xsetbv", "exception 13 error 0"),
        ("what=vmrun", "exception 6 error 0"),
    ],
)
def test_violate(bench: Bench, cmdline: str, result: str) -> None:
    lines = bench.run("tests/x86/violate.bin", cmdline, until="DONE violate")
    assert any(line in (f"RESULT {result}", result) for line in lines)


def test_violate_on_other_cpu(bench: Bench) -> None:
    lines = verdict(bench, "violate", "what=port-in port=0x70 cpu=1", cpus=2)
    assert "CPU 1" in lines
    assert "RESULT survived" in lines


def test_protocol(bench: Bench) -> None:
    """State and lock; messages need a hypervisor."""
    with bench.running("tests/common/protocol.bin", "lock"):
        assert bench.wait_comm_word(8, 1) == 1
    with bench.running("tests/common/protocol.bin", "exit"):
        assert bench.wait_comm_word(8, 2) == 2
    with bench.running("tests/common/protocol.bin", "die"):
        assert bench.wait_comm_word(8, 3) == 3
    with bench.running("tests/common/protocol.bin", "state=77"):
        assert bench.wait_comm_word(8, 77) == 77
