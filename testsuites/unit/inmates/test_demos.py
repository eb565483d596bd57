# SPDX-License-Identifier: GPL-2.0-only
"""The demos print what abi.md 12.1 says, and time is right."""

from __future__ import annotations

import itertools
import re

from testsuites.unit.inmates import bench as bench_module
from testsuites.unit.inmates.bench import Bench

#: The second one: secondaries start in the order of their arrival.
LAST_IPI = re.compile(r"Received IPI[^\0]*Received IPI on 0")
HDA = (
    "-audiodev",
    "none,id=a0",
    "-device",
    "intel-hda,addr=1b.0",
    "-device",
    "hda-duplex,audiodev=a0",
)


def test_tiny_demo(bench: Bench) -> None:
    lines = bench.run("demos/x86/tiny-demo.bin", until=re.compile(r"PM Timer:  9"))
    assert lines[0] == "Hello from this tiny cell!"
    assert len(lines) == 11
    times = []
    for line in lines[1:]:
        match = re.fullmatch(r"PM Timer: ([ \d]{11})", line)
        assert match
        times.append(int(match[1]))
    # A second apart each, across two wraps of the 24-bit timer.
    for one, two in itertools.pairwise(times):
        assert 999_000_000 < two - one < 1_010_000_000


def test_apic_demo(bench: Bench) -> None:
    lines = bench.run("demos/x86/apic-demo.bin", until="Timer fired")
    assert lines[0] == "Calibrated TSC frequency: 1000000.000 kHz"
    assert lines[1] == "Calibrated APIC frequency: 1000000 kHz"
    match = re.fullmatch(
        r"Timer fired, jitter: ([ \d]{6,}) ns, min: ([ \d]{6,}) ns, max: ([ \d]{6,}) ns", lines[2]
    )
    assert match
    jitter, low, high = (int(group) for group in match.groups())
    assert low == jitter == high < 100_000


def test_32_bit_demo(bench: Bench) -> None:
    lines = bench.run("demos/x86/32-bit-demo.bin", until="32-bit mode")
    assert lines == ["This runs in 32-bit mode (EFER: 0)"]


def test_smp_demo(bench: Bench) -> None:
    lines = bench.run("demos/x86/smp-demo.bin", "", cpus=3, until=LAST_IPI)
    assert lines[:3] == [
        "SMP demo, primary CPU: 0",
        "Waiting for the rest...",
        "Found 2 other CPU(s)",
    ]
    one, two = (int(line.split()[-1]) for line in lines if line.startswith(" Starting CPU "))
    assert {one, two} == {1, 2}
    assert lines[3:] == [
        f" Starting CPU {one}",
        f"Hello from CPU {one}!",
        "Received IPI on 0",
        f" Starting CPU {two}",
        f"Hello from CPU {two}!",
        "Received IPI on 0",
    ]


def test_pci_demo(bench: Bench) -> None:
    lines = bench.run("demos/x86/pci-demo.bin", until="MSI received", extra=HDA)
    assert lines == [
        "Found 8086:2668 at 00:1b.0",
        "HDBAR at 0x00000000febf8000",
        "HDA MSI received (STATESTS: 0001)",
    ]


def test_pci_demo_without_device(bench: Bench) -> None:
    assert bench.run("demos/x86/pci-demo.bin", until="No device") == ["No device found!"]


def test_ioapic_demo(bench: Bench) -> None:
    lines = bench.run("demos/x86/ioapic-demo.bin", until="ACPI IRQ received")
    assert lines == ["Note: ACPI IRQs are broken for Linux now.", "ACPI IRQ received, status: 0001"]


def test_wrong_communication_region(bench: Bench) -> None:
    """State 4 and silence."""
    comm = bench_module.comm_region(1, revision=3)
    with bench.running("demos/x86/tiny-demo.bin", comm=comm) as uart:
        state = bench.wait_comm_word(8, 4)
        assert state == 4
        assert not uart.exists() or uart.read_bytes() == b""
