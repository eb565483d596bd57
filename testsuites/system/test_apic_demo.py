# SPDX-License-Identifier: GPL-2.0-only
"""apic-demo: the cell beside Linux whose ticks and jitter people look at first."""

import re

import pytest

from harness.plugin import Cells
from harness.verbs import Jailhouse, JailhouseError

TICK = re.compile(
    r"^Timer fired, jitter: +(\d+) ns, min: +(\d+) ns, max: +(\d+) ns$", re.MULTILINE
)
TICKS = 50
TIMER_HZ = 10


def test_ticks_and_jitter(jailhouse: Jailhouse, cells: Cells) -> None:
    mark = jailhouse.uart.end
    cells.run("apic-demo")
    jailhouse.uart.expect(r"^Calibrated TSC frequency: \d+\.\d{3} kHz$", 10, mark)
    jailhouse.uart.expect(r"^Calibrated APIC frequency: \d+ kHz$", 10, mark)
    jailhouse.uart.expect_lines("^Timer fired", TICKS, 5 * TICKS / TIMER_HZ, mark)
    ticks = [tuple(map(int, found)) for found in TICK.findall(jailhouse.uart.text(mark))]
    assert len(ticks) >= TICKS
    low, high = min(t[0] for t in ticks), max(t[0] for t in ticks)
    assert ticks[-1][1:] == (low, high), "min and max are those of the ticks printed"


def test_running_and_locked(jailhouse: Jailhouse, cells: Cells) -> None:
    number = cells.run("apic-demo")
    jailhouse.uart.expect(r"^Timer fired", 10)
    cell = jailhouse.cell(number)
    assert (cell.state, cell.cpus, cell.cpus_failed) == ("running/locked", "3", "")
    assert jailhouse.cell(0).cpus == "0-2"


def test_statistics_move_as_expected(jailhouse: Jailhouse, cells: Cells) -> None:
    """A tick costs what docs/exits.md says, and nothing else."""
    number = cells.run("apic-demo")
    jailhouse.uart.expect(r"^Timer fired", 10)
    # Counters first: reading them takes as long as the host lets it, and the cell ticks on.
    before = jailhouse.stats(number)
    mark = jailhouse.uart.end
    jailhouse.uart.expect_lines(r"^Timer fired", 10, 20, mark)
    after = jailhouse.stats(number)
    spent = {name: after[name] - before[name] for name in after}
    for quiet in ("pio", "mmio", "cr", "cpuid", "xsetbv", "exception", "hypercall"):
        assert spent[quiet] == 0, spent
    # A timer start before each line and an end of interrupt after it: of ten lines, one of
    # each may lie outside the two readings.
    assert spent["msr_other"] >= 18


def test_every_exit_has_a_reason(jailhouse: Jailhouse, cells: Cells) -> None:
    """The total is the sum of the reasons; read when the cell no longer moves them."""
    number = cells.run("apic-demo")
    jailhouse.uart.expect(r"^Timer fired", 10)
    with pytest.raises(JailhouseError):
        jailhouse.shutdown(number)
    jailhouse.shutdown(number)
    stats = jailhouse.stats(number)
    assert stats["total"] == sum(count for name, count in stats.items() if name != "total")


def test_sum_of_cpus(jailhouse: Jailhouse, cells: Cells) -> None:
    """The cell's figure is the sum over its CPUs; the CPU's directory has moved here."""
    number = cells.run("tiny-demo", config="tiny-demo")
    jailhouse.uart.expect(r"Hello from this tiny cell!", 10)
    cpu = int(jailhouse.cell(number).cpus)
    assert jailhouse.stats(number, cpu)["cpuid"] == jailhouse.stats(number)["cpuid"]
    assert not jailhouse.stats(0, cpu)


@pytest.mark.parametrize("parameter", ["pollute-cache"])
def test_parameters(jailhouse: Jailhouse, cells: Cells, parameter: str) -> None:
    number = cells.create("apic-demo")
    jailhouse.load(number, "apic-demo", (f"string:{parameter}", 0x1000))
    mark = jailhouse.uart.end
    jailhouse.start(number)
    jailhouse.uart.expect(r"^Cache pollution enabled$", 10, mark)
    jailhouse.uart.expect(r"^Timer fired", 10, mark)
