# SPDX-License-Identifier: GPL-2.0-only
"""What only apic-demo has of the timer demos (test_timer_demo.py): calibration, its
exits, its parameters."""

import re

import pytest

from harness.plugin import Cells
from harness.verbs import Jailhouse

#: Bochs has a TSC-deadline timer, which is the cell's own.
EXITS_OF_A_TICK = {"qemu": 2, "bochs": 1}
#: MSR exits of an inmate besides its ticks, at most.
SET_UP = 20
pytestmark = pytest.mark.architectures("x86", reason="apic-demo uses x86's local APIC")


def test_statistics_move_as_expected(jailhouse: Jailhouse, cells: Cells) -> None:
    """A tick costs what docs/exits.md says, and nothing else."""
    mark = jailhouse.uart.end
    number = cells.run("apic-demo")
    jailhouse.uart.expect(r"^Timer fired", 10, mark)
    before = jailhouse.stats(number)
    jailhouse.uart.expect_lines(r"^Timer fired", 10, 20, jailhouse.uart.end)
    after = jailhouse.stats(number)
    spent = {name: after[name] - before[name] for name in after}
    for quiet in ("pio", "mmio", "cr", "cpuid", "xsetbv", "exception", "hypercall"):
        assert spent[quiet] == 0, spent
    # How many ticks lie between two readings nobody knows: lines and readings arrive by
    # different ways. So count when all has arrived: for each line an end of interrupt, and
    # a timer start where that exits; and what sets the local APIC up.
    jailhouse.shut_down(number)
    jailhouse.uart.expect(r"^Stopped APIC demo$", 10, mark)
    ticks = len(re.findall(r"^Timer fired", jailhouse.uart.text(mark), re.M))
    each = EXITS_OF_A_TICK[jailhouse.linux.machine.engine.emulator]
    assert 0 <= jailhouse.stats(number)["msr_other"] - each * ticks <= SET_UP


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
