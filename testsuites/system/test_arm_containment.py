# SPDX-License-Identifier: GPL-2.0-only
"""ARM: a cell that leaves its boundary stops, alone, and the console says who and what.

As test_containment.py does on x86: one table of accesses in one cell, what goes
wrong is collected.
"""

import re

import pytest

from harness.verbs import Jailhouse
from testsuites.checks import FAILED, Bench, assert_parked, survived
from testsuites.contained import (
    check_one_of_two_cpus_fails,
    check_root_goes_on,
    check_taken_in_time,
)

pytestmark = pytest.mark.architectures("arm64", reason="its test program is ARM code")

CPU = 2
DATA = "Unhandled data"
NO = "survived 0xffffffffffffffff"

#: Accesses (the command line of violate.c) and the line that ends them, or how
#: the program goes on. EL2's registers and instructions are undefined in EL1.
FATAL: dict[str, dict[str, str]] = {
    "memory": {
        "read": rf"{DATA} read at 0x40000000\(4\)",
        "read size=1": rf"{DATA} read at 0x40000000\(1\)",
        "read size=2": rf"{DATA} read at 0x40000000\(2\)",
        "read size=8": rf"{DATA} read at 0x40000000\(8\)",
        "write": rf"{DATA} write at 0x40000000\(4\)",
        "write size=8 value=1": rf"{DATA} write at 0x40000000\(8\)",
        "read addr=0x101000": rf"{DATA} read at 0x101000\(4\)",
        "write addr=0x600000": rf"{DATA} write at 0x600000\(4\)",
        "write addr=0x7fc00000": rf"{DATA} write at 0x7fc00000\(4\)",
        "read addr=0x09000000": rf"{DATA} read at 0x9000000\(4\)",
        "read addr=0x09041000": rf"{DATA} read at 0x9041000\(4\)",
        "read addr=0x0a003e00": rf"{DATA} read at 0xa003e00\(4\)",
        "read addr=0x4010000000": rf"{DATA} read at 0x4010000000\(4\)",
        "pair": rf"{DATA} read at 0x40000000\(8\)",
        "pair addr=0x09000ff8": rf"{DATA} read at 0x9000ff8\(8\)",
        "exclusive": rf"{DATA} read at 0x40000000\(0\)",
        "page-table": rf"{DATA} read at 0x40000[0-9a-f]+\(0\)|FATAL: instruction abort at 0x40000",
        "execute": "FATAL: instruction abort at 0x40000000",
    },
    "calls": {
        "smc value=0x84000008": NO,
        "smc value=0xc4000012": NO,
        "smc value=0xc2000000": NO,
        "smc value=0x80001234": r"FATAL: forbidden access \(SMC 0x80001234\)",
        "smc value=0x83000000": r"FATAL: forbidden access \(SMC 0x83000000\)",
        "smc value=0x86000000": r"FATAL: forbidden access \(SMC 0x86000000\)",
        "smc value=0xb2000000": r"FATAL: forbidden access \(SMC 0xb2000000\)",
        "smc value=0xf0000000": r"FATAL: forbidden access \(SMC 0xf0000000\)",
        "hvc": r"FATAL: forbidden access \(HVC #0x1\)",
    },
    "registers": {
        "actlr": r"FATAL: forbidden access \(system register op0 3, op1 0, CRn 1, CRm 0, op2 1, read\)",
        "impdef": r"FATAL: forbidden access \(system register op0 3, op1 1, CRn 15, CRm 2, op2 0, read\)",
        "hcr": "exception 0x0",
        "setway": "survived",
    },
}


def judge(bench: Bench, what: str, wanted: str) -> None:
    outcome = bench.outcome(what)
    if "Parking CPU" in outcome:
        assert_parked(bench, outcome, wanted, CPU)
        assert bench.state == "failed"
    else:
        assert re.match(wanted, outcome), f"{outcome!r} instead of {wanted!r}"
        assert bench.stopped()


def judge_all(bench: Bench, table: dict[str, str]) -> None:
    wrong = []
    for what, wanted in table.items():
        try:
            judge(bench, what, wanted)
        except FAILED as error:
            wrong.append(f"{what}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind", FATAL)
def test_only_the_offender_stops(jailhouse: Jailhouse, kind: str) -> None:
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-one")
    created = jailhouse.pools()
    judge_all(bench, FATAL[kind])
    assert jailhouse.pools() == created
    bench.destroy()
    survived(jailhouse, before)


@pytest.mark.bug("A43")
def test_a43_interrupts_stay_in_the_cell(jailhouse: Jailhouse) -> None:
    """Routing an own interrupt to a foreign CPU stops the CPU; others' routes are not there."""
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-gic")
    judge_all(
        bench,
        {
            f"route addr=70 value={CPU}": "survived",
            "route addr=70 value=0": "Attempt to route IRQ70 outside of cell",
            "route addr=77 value=3": "Attempt to route IRQ77 outside of cell",
            "route addr=33 value=2": "survived",
            "route addr=79 value=0": "survived",
            "route addr=40 value=2": "survived",
        },
    )
    bench.destroy()
    survived(jailhouse, before)


@pytest.mark.needs("cpus-4")
def test_one_of_two_cpus_fails(jailhouse: Jailhouse) -> None:
    check_one_of_two_cpus_fails(jailhouse, "write")


@pytest.mark.parametrize("what", ["wfi", "spin"])
def test_a_cpu_that_never_comes_back_is_taken(jailhouse: Jailhouse, what: str) -> None:
    """Interrupts off, waiting or spinning: management gets its CPU all the same."""
    check_taken_in_time(jailhouse, what)


def test_again_after_a_violation(jailhouse: Jailhouse) -> None:
    """Start again, and create again: the mark goes, the CPU works."""
    before = jailhouse.pools()
    for _ in range(2):
        bench = Bench.create(jailhouse, "test-one")
        judge(bench, "write", FATAL["memory"]["write"])
        judge(bench, "actlr", FATAL["registers"]["actlr"])
        bench.load("violate", "what=setway")
        cell = jailhouse.cell(bench.number)
        assert (cell.state, cell.cpus_failed) == ("shut down", "")
        bench.start()
        bench.done()
        bench.destroy()
        assert jailhouse.pools() == before
        assert jailhouse.cell(0).cpus == "0-3"
    survived(jailhouse, before)


@pytest.mark.needs("network")
def test_root_keeps_its_cpus_and_network(bench: Bench) -> None:
    check_root_goes_on(bench, "write")


def test_dump_has_the_lines_of_the_contract(bench: Bench) -> None:
    """abi.md 11.1: reason, all registers, parking."""
    assert bench.outcome("read").endswith('Parking CPU 2 (Cell: "test-one")')
    number = "[0-9a-f]{16}"
    lines = [
        r"FATAL: unhandled trap \(exception class 0x24\).*",
        "Cell state before exception:",
        rf" pc: {number}   lr: {number} spsr: [0-9a-f]{{8}}     EL1",
        rf" sp: {number}  esr: 24 1 [0-9a-f]{{7}}",
        *[r"( ?x\d+: " + number + r"(   )?){3}"] * 10,
        rf"x30: {number}",
        r'Parking CPU 2 \(Cell: "test-one"\)',
    ]
    text = bench.hypervisor_text()
    assert re.search("^" + " *\n".join(lines) + "$", text, re.M), text


def test_the_line_says_what_would_allow_it(bench: Bench) -> None:
    assert "JAILHOUSE_MEM_READ" in bench.outcome("read")
    assert "JAILHOUSE_MEM_WRITE" in bench.outcome("write")
    assert "JAILHOUSE_MEM_EXECUTE" in bench.outcome("execute")
