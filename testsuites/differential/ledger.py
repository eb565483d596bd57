# SPDX-License-Identifier: GPL-2.0-only
"""Differences between two records, and the ledger that explains them (errata.toml)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path

from testsuites.differential.scenario import Record

LEDGER = Path(__file__).parent / "errata.toml"


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same; "" where one of them has nothing."""

    what: str
    amd: str
    intel: str

    def __str__(self) -> str:
        return f"{self.what}\n  amd:   {self.amd}\n  intel: {self.intel}"


@dataclass(frozen=True)
class Explained:
    """An entry of the ledger. Patterns match whole texts."""

    what: str
    amd: str
    intel: str
    #: Whose doing it is: "hardware", "machine", or an emulator with its version.
    whose: str
    why: str

    def covers(self, difference: Difference) -> bool:
        pairs = (
            (self.what, difference.what),
            (self.amd, difference.amd),
            (self.intel, difference.intel),
        )
        return all(re.fullmatch(pattern, text) for pattern, text in pairs)


def ledger(path: Path = LEDGER) -> list[Explained]:
    """All entries; each says why, and whose doing it is."""
    entries = [Explained(**entry) for entry in tomllib.loads(path.read_text())["difference"]]
    unexplained = [entry for entry in entries if not entry.why or not entry.whose]
    if unexplained:
        raise ValueError(f"{path}: nothing is explained by {unexplained}")
    return entries


def differences(amd: Record, intel: Record) -> list[Difference]:
    """What differs, facts first, then lines."""
    found = [
        Difference(name, amd.facts.get(name, ""), intel.facts.get(name, ""))
        for name in sorted(amd.facts.keys() | intel.facts.keys())
        if amd.facts.get(name) != intel.facts.get(name)
    ]
    return found + list(_lines(amd.log, intel.log))


def _lines(amd: list[str], intel: list[str]) -> Iterator[Difference]:
    for kind, a, b, c, d in SequenceMatcher(None, amd, intel, autojunk=False).get_opcodes():
        if kind != "equal":
            for one, other in zip_longest(amd[a:b], intel[c:d], fillvalue=""):
                yield Difference("log", one, other)


def unexplained(found: list[Difference], entries: list[Explained]) -> list[str]:
    """Differences that no entry covers, and entries that cover none."""
    wrong = [str(d) for d in found if not any(entry.covers(d) for entry in entries)]
    stale = [entry for entry in entries if not any(entry.covers(d) for d in found)]
    return wrong + [f"explains nothing any more: {entry}" for entry in stale]
