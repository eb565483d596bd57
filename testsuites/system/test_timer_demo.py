# SPDX-License-Identifier: GPL-2.0-only
"""The cell beside Linux whose ticks and jitter people look at first."""

import re

from harness.plugin import Cells
from harness.programs import Program
from harness.targets import Target
from harness.verbs import Jailhouse
from testsuites.checks import cpus_but

TICK = re.compile(
    r"^Timer fired, jitter: +(\d+) ns, min: +(\d+) ns, max: +(\d+) ns$", re.MULTILINE
)
TICKS = 50
TIMER_HZ = 10


def test_ticks_and_jitter(jailhouse: Jailhouse, cells: Cells, timer: Program) -> None:
    mark = jailhouse.uart.end
    cells.run(timer.name)
    for line in timer.begins:
        jailhouse.uart.expect(line, 10, mark)
    jailhouse.uart.expect_lines("^Timer fired", TICKS, 5 * TICKS / TIMER_HZ, mark)
    ticks = [tuple(map(int, found)) for found in TICK.findall(jailhouse.uart.text(mark))]
    assert len(ticks) >= TICKS
    low, high = min(t[0] for t in ticks), max(t[0] for t in ticks)
    assert ticks[-1][1:] == (low, high), "min and max are those of the ticks printed"


def test_running(jailhouse: Jailhouse, target: Target, cells: Cells, timer: Program) -> None:
    number = cells.run(timer.name)
    jailhouse.uart.expect(timer.says, 10)
    cell = jailhouse.cell(number)
    state = "running/locked" if timer.locks else "running"
    assert (cell.state, cell.cpus, cell.cpus_failed) == (state, str(timer.cpu), "")
    assert timer.cpu == target.machine.cpus - 1
    assert jailhouse.cell(0).cpus == cpus_but(jailhouse.linux, timer.cpu)


def test_every_exit_has_a_reason(jailhouse: Jailhouse, cells: Cells, timer: Program) -> None:
    """The total is the sum of the reasons; read when the cell no longer moves them."""
    number = cells.run(timer.name)
    jailhouse.uart.expect(timer.says, 10)
    jailhouse.shut_down(number)
    stats = jailhouse.stats(number)
    assert stats["total"] > 0
    assert stats["total"] == sum(count for name, count in stats.items() if name != "total")
