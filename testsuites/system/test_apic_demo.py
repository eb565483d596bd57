# SPDX-License-Identifier: GPL-2.0-only
"""What only apic-demo has of the timer demos (test_timer_demo.py): calibration, its
exits, its parameters."""

import pytest

from harness.plugin import Cells
from harness.verbs import Jailhouse

pytestmark = pytest.mark.architectures("x86", reason="apic-demo uses x86's local APIC")


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
