# SPDX-License-Identifier: GPL-2.0-only
"""The demos that tests and `harness demo` run, by architecture.

The same scenario on every target: a cell with a timer, whose jitter people look
at, and a small cell that prints. What differs is what the programs are called,
and that x86's timer demo locks its cell and refuses its first shutdown, while
gic-demo knows no messages (abi.md 12.1, 12.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Program:
    """An inmate, its cell and configuration of the same name."""

    name: str
    #: A line that it prints once it runs, and one that it prints again and again.
    says: str
    beat: str
    #: The CPU of its cell.
    cpu: int
    #: What it says before, in this order.
    begins: tuple[str, ...] = ()
    #: It locks its cell and refuses the first shutdown.
    locks: bool = False


@dataclass(frozen=True)
class Programs:
    """What runs in the cells of an architecture."""

    timer: Program
    small: Program

    def on(self, cpus: int) -> Programs:
        """The same on a machine with that many CPUs (see `fitting`)."""
        timer, small = (
            replace(program, cpu=min(program.cpu, cpus - 1))
            for program in (self.timer, self.small)
        )
        return Programs(timer, small)


TICK = r"^Timer fired, jitter: +\d+ ns, min: +\d+ ns, max: +\d+ ns$"
HELLO = r"^Hello \d+ from cell!$"

PROGRAMS = {
    "x86": Programs(
        timer=Program(
            "apic-demo", TICK, TICK, 3,
            begins=(
                r"^Calibrated TSC frequency: \d+\.\d{3} kHz$",
                r"^Calibrated APIC frequency: \d+ kHz$",
            ),
            locks=True,
        ),
        small=Program("tiny-demo", r"^Hello from this tiny cell!$", r"^PM Timer: ", 2),
    ),
    "arm64": Programs(
        timer=Program(
            "gic-demo", TICK, TICK, 3,
            begins=(r"^Initializing the GIC\.\.\.$", r"^Initializing the timer\.\.\.$"),
        ),
        small=Program("uart-demo", HELLO, HELLO, 2),
    ),
}  # fmt: skip
