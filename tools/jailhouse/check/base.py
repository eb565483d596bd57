# SPDX-License-Identifier: GPL-2.0-only
"""Vocabulary of the checks."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jailhouse.cellfile import Architecture, CellConfig, Memory, SystemConfig


class Severity(enum.Enum):
    """An error makes `config check` fail, a warning is only printed."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One complaint.  ``cell`` is a cell's name, "" for the system as a whole."""

    severity: Severity
    message: str
    cell: str = ""
    title: str = ""

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        return f"{self.severity.value}: {self.message}"


@dataclass(frozen=True)
class ConfigSet:
    """What is checked together: one machine and the cells that shall coexist on it."""

    system: SystemConfig
    others: tuple[CellConfig, ...]

    @property
    def root(self) -> CellConfig:
        return self.system.root_cell

    @property
    def cells(self) -> tuple[CellConfig, ...]:
        return (self.root, *self.others)

    @property
    def is_x86(self) -> bool:
        return self.system.architecture == Architecture.X86


Result = Iterator[Finding]


def _always(_: ConfigSet) -> bool:
    return True


@dataclass(frozen=True)
class Check:
    """A title and a function that looks for one kind of fault.

    ``contract``: `config check` names it even when it finds nothing.
    """

    name: str | Callable[[ConfigSet], str]
    function: Callable[[ConfigSet], Result]
    contract: bool = False
    applies: Callable[[ConfigSet], bool] = _always

    def title(self, configs: ConfigSet) -> str:
        return self.name if isinstance(self.name, str) else self.name(configs)

    def findings(self, configs: ConfigSet) -> list[Finding]:
        title = self.title(configs)
        return [
            Finding(found.severity, found.message, found.cell, title)
            for found in self.function(configs)
        ]


def error(message: str, cell: CellConfig | None = None) -> Finding:
    return Finding(Severity.ERROR, _with_cell(message, cell), cell.label if cell else "")


def warning(message: str, cell: CellConfig | None = None) -> Finding:
    return Finding(Severity.WARNING, _with_cell(message, cell), cell.label if cell else "")


def _with_cell(message: str, cell: CellConfig | None) -> str:
    return f'cell "{cell.label}": {message}' if cell else message


@dataclass(frozen=True)
class Range:
    """Addresses from start up to but not including end."""

    start: int
    end: int

    def overlaps(self, other: Range) -> bool:
        """Share at least one byte; an empty range shares none."""
        return max(self.start, other.start) < min(self.end, other.end)

    def contains(self, address: int) -> bool:
        return self.start <= address < self.end

    def __str__(self) -> str:
        return f"{self.start:#x}-{self.end - 1:#x}" if self.end > self.start else "(empty)"


def phys(region: Memory) -> Range:
    """Physical addresses; none for a communication region, whose phys_start means nothing."""
    if region.is_comm_region:
        return Range(0, 0)
    return Range(region.phys_start, region.phys_end)


def virt(region: Memory) -> Range:
    """Guest-physical addresses."""
    return Range(region.virt_start, region.virt_end)


def unknown_bits(value: int, known: type[enum.IntFlag]) -> int:
    """Bits of value that no member of the flag type has."""
    mask = 0
    for member in known:
        mask |= member.value
    return value & ~mask
