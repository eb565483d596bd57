# SPDX-License-Identifier: GPL-2.0-only
"""Cells with the flag AARCH32: 32-bit programs in EL1 under the 64-bit hypervisor."""

import re

import pytest

from harness.verbs import CONFIGS, Jailhouse
from jailhouse.cellfile import CellConfig, CellFlag
from testsuites import a32
from testsuites.a32 import Program
from testsuites.checks import Bench, survived

pytestmark = pytest.mark.architectures("arm64", reason="the flag is ARM64's")

UART, GICD, COMM = 0x09040000, 0x08000000, 0x80000000
#: Priority of an SPI that test-gic owns
PRIORITY = GICD + 0x400 + 70
SHUT_DOWN, SUPERVISOR = 2, 0x13


def created(jailhouse: Jailhouse, name: str) -> Bench:
    cell = CellConfig.from_bytes(jailhouse.linux.get(str(CONFIGS / f"{name}.cell")))
    cell.flags |= CellFlag.AARCH32
    jailhouse.linux.put(cell.to_bytes(), "/tmp/aarch32.cell")
    return Bench.create(jailhouse, name, "/tmp/aarch32.cell")


def run(bench: Bench, program: Program) -> None:
    bench.jailhouse.linux.put(program.image(), "/tmp/aarch32.bin")
    bench.jailhouse.load(bench.number, ("/tmp/aarch32.bin", 0))
    bench.start()


def checks() -> Program:
    """One letter for each: mode, PSCI, hypercall, distributor read, byte write and signed read."""
    program = Program()
    program.load(8, UART)
    program.say("A32 ")
    program.add(a32.READ_MODE, a32.mask(4, 0x1F), a32.compare(4, SUPERVISOR))
    program.verdict()
    program.load(0, 0x84000000)
    program.load(5, 0x00010001)
    program.add(a32.SMC, a32.compare_registers(0, 5))
    program.verdict()
    program.add(a32.mov(0, 5), a32.mov(1, 4), a32.hvc(0x4A48), a32.compare(0, 2))
    program.verdict()
    # ITLinesNumber of QEMU's GIC: 288 interrupts
    program.load(7, GICD + 4)
    program.add(a32.fetch(0, 7), a32.mask(0, 0x1F), a32.compare(0, 8))
    program.verdict()
    program.load(7, PRIORITY)
    program.load(5, 0xFFFFFFC0)
    program.add(
        a32.mov(1, 0xC0), a32.store_byte(1, 7), a32.fetch_signed_byte(0, 7),
        a32.compare_registers(0, 5),
    )  # fmt: skip
    program.verdict()
    program.say("\n")
    program.load(7, COMM + 8)
    program.add(a32.mov(1, SHUT_DOWN), a32.store(1, 7))
    program.stay()
    return program


def test_a_32_bit_cell(jailhouse: Jailhouse) -> None:
    """Twice: what 32-bit code left in the CPU's registers does not disturb the next start."""
    before = jailhouse.pools()
    bench = created(jailhouse, "test-gic")
    for _ in range(2):
        run(bench, checks())
        # A line's end, and not what has arrived of it
        assert bench.says(r"^A32 (\w+)\n")[1] == "YYYYY"
    stats = jailhouse.stats(bench.number)
    assert stats["psci"] >= 2
    assert stats["hypercall"] >= 2
    bench.destroy()
    # The same CPU with 64-bit programs.
    again = Bench.create(jailhouse, "test-one")
    again.run("machine")
    again.done()
    again.destroy()
    survived(jailhouse, before)


def test_a_violation_of_32_bit_code(jailhouse: Jailhouse) -> None:
    bench = created(jailhouse, "test-one")
    program = Program()
    program.load(7, 0x40000000)
    program.add(a32.fetch(0, 7))
    program.stay()
    run(bench, program)
    bench.hypervisor_says(r"^Unhandled data read at 0x40000000\(4\), cell \"test-one\", CPU 2")
    bench.hypervisor_says(r'^Parking CPU 2 \(Cell: "test-one"\)$')
    assert re.search(r"spsr: [0-9a-f]+     AArch32", bench.hypervisor_text())
    assert bench.state == "failed"
