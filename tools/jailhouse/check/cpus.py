# SPDX-License-Identifier: GPL-2.0-only
"""Which cell has which CPU."""

from __future__ import annotations

from itertools import combinations

from jailhouse.cellfile.constants import MAX_CPU_SET_SIZE
from jailhouse.check.base import Check, ConfigSet, Result, error


def listed(cpus: set[int]) -> str:
    return ", ".join(map(str, sorted(cpus)))


def _starvation(configs: ConfigSet) -> Result:
    left = set(configs.root.cpus)
    for cell in configs.others:
        left -= set(cell.cpus)
    if not left:
        yield error("no CPU is left for the root cell", configs.root)


def _shared(configs: ConfigSet) -> Result:
    for one, two in combinations(configs.others, 2):
        both = set(one.cpus) & set(two.cpus)
        if both:
            yield error(f'CPU {listed(both)} also belongs to cell "{two.label}"', one)


def _sets(configs: ConfigSet) -> Result:
    for cell in configs.cells:
        size = len(cell.cpu_set)
        if not cell.cpus:
            yield error("the CPU set is empty", cell)
        if size > MAX_CPU_SET_SIZE:
            yield error(f"cpu_set_size is {size}, at most {MAX_CPU_SET_SIZE} is allowed", cell)
        if size % 8:
            yield error(f"cpu_set_size is {size}, must be a multiple of 8", cell)


def _ownership(configs: ConfigSet) -> Result:
    root = set(configs.root.cpus)
    if configs.is_x86 and root and 0 not in root:
        yield error("CPU 0 must belong to the root cell on x86", configs.root)
    for cell in configs.others:
        cpus = set(cell.cpus)
        if configs.is_x86 and 0 in cpus:
            yield error("CPU 0 can't leave the root cell on x86", cell)
        if cpus - root:
            yield error(f"CPU {listed(cpus - root)} does not belong to the root cell", cell)


CONTRACT_CHECKS = (
    Check(
        "Root cell CPU starvation",
        _starvation,
        contract=True,
        applies=lambda configs: len(configs.others) >= 1,
    ),
    Check(
        "Overlapping cores between non-root cells",
        _shared,
        contract=True,
        applies=lambda configs: len(configs.others) >= 2,
    ),
)

CHECKS = (
    Check("Invalid CPU sets", _sets),
    Check("CPUs that a cell can't have", _ownership),
)
