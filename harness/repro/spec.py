# SPDX-License-Identifier: GPL-2.0-only
"""Reads a report. It is untrusted: what may reach a host's command line is listed here.

Steps run in the guest, which has neither the host's network nor its files. On
the host, a report chooses among our targets, kernels, build products, and gives
numbers and words of narrow patterns. Texts to look for are plain, with `*` for
anything on a line: no report can make a regular expression run for ever.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.machine import Role
from harness.provision import KERNEL_SUITES
from harness.session import Variant
from harness.targets import TARGETS

#: Operations of `verbs.Jailhouse` that a step may name, with what their value is.
VERBS = {
    "enable": "config", "disable": "nothing", "create": "config", "load": "image",
    "start": "cell", "shutdown": "cell", "destroy": "cell",
}  # fmt: skip
STREAMS = tuple(role.value for role in Role if role is not Role.COMMAND_CHANNEL)
_LONGEST = 600.0
_STEPS = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_CPU = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(,[+-]?[a-z0-9][a-z0-9_.-]*(=(on|off))?)*")
_WORD = re.compile(r"[A-Za-z0-9_.,=:$/+-]{1,200}")
_FIELD = re.compile(r"[a-z][a-z_]*(\.\d{1,4}\.[a-z][a-z_]*)?")


class BadReport(ValueError):
    """A report that is not one; the text names the place and what would be right."""


@dataclass(frozen=True)
class Config:
    """A cell configuration made from one of ours: its CPUs and single numbers changed."""

    name: str
    base: str
    cpus: tuple[int, ...] | None
    numbers: Mapping[str, int]


@dataclass(frozen=True)
class Step:
    """One step and what a healthy product answers."""

    #: A verb, "run" (a line for the guest's shell) or "wait" (for a line of a stream).
    kind: str
    value: str
    cell: str = ""
    command_line: str = ""
    says: str = ""
    seconds: float = 30.0
    #: Exit status of `run`; None: any.
    status: int | None = 0
    #: Errno of a verb, "" for success, "*" for any.
    errno: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.value, self.cell, self.says)))


@dataclass(frozen=True)
class Symptom:
    """What the reporter saw; all that is given must hold."""

    step: int | None = None
    status: int | None = None
    errno: str | None = None
    output: str = ""
    console: str = ""
    says: str = ""
    hang: str = ""


@dataclass(frozen=True)
class Report:
    """A whole report."""

    id: str
    title: str
    target: str
    variant: Variant
    configs: tuple[Config, ...]
    steps: tuple[Step, ...]
    symptom: Symptom


def read(path: Path) -> Report:
    """Read a report; BadReport, or OSError if there is none."""
    try:
        return parse(tomllib.loads(path.read_text()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadReport(f"{path}: {error}") from error
    except BadReport as error:
        raise BadReport(f"{path}: {error}") from None


def parse(table: Mapping[str, Any]) -> Report:
    """A report from its table; BadReport."""
    top = _Table("", table)
    machine = _Table("machine", top.get("machine", dict, {}))
    report = Report(
        id=top.word("id", _NAME),
        title=top.get("title", str),
        target=machine.choice("target", TARGETS, "amd-tcg"),
        variant=_variant(machine),
        configs=tuple(
            _config(_Table(f"config {n}", t)) for n, t in enumerate(top.tables("config"))
        ),
        steps=tuple(_step(_Table(f"step {n}", t)) for n, t in enumerate(top.tables("step"), 1)),
        symptom=_symptom(_Table("symptom", top.get("symptom", dict))),
    )
    top.get("source", str, "")
    top.finish()
    machine.finish()
    if not 0 < len(report.steps) <= _STEPS:
        raise BadReport(f"step: 1 to {_STEPS} of them")
    if report.symptom.step is not None and not 0 < report.symptom.step <= len(report.steps):
        raise BadReport(f"symptom.step: 1 to {len(report.steps)}")
    seen = report.symptom
    if seen.status is None and not any((seen.errno, seen.output, seen.says, seen.hang)):
        raise BadReport("symptom: one of status, errno, output, says, hang")
    return report


def _variant(machine: _Table) -> Variant:
    cpus = machine.number("cpus", 1, 16, None)
    return Variant(
        kernel=machine.choice("kernel", KERNEL_SUITES, "6.1"),
        parameters=machine.words("parameters"),
        without=machine.words("without"),
        cpus=cpus,
        cpu=machine.word("cpu", _CPU, None),
    )


def _config(table: _Table) -> Config:
    numbers = table.get("set", dict, {})
    for field, value in numbers.items():
        if not _FIELD.fullmatch(field) or type(value) is not int or not 0 <= value < 1 << 64:
            raise BadReport(f"{table.name}.set.{field}: a field like mem_regions.0.size, a number")
    cpus = table.get("cpus", list, None)
    if cpus is not None and not all(type(cpu) is int and 0 <= cpu < 4096 for cpu in cpus):
        raise BadReport(f"{table.name}.cpus: numbers from 0 to 4095")
    made = Config(
        table.word("name", _NAME), table.word("base", _NAME),
        None if cpus is None else tuple(cpus), dict(numbers),
    )  # fmt: skip
    table.finish()
    return made


def _step(table: _Table) -> Step:
    kinds = [kind for kind in (*VERBS, "run", "wait") if kind in table]
    if len(kinds) != 1:
        raise BadReport(f"{table.name}: exactly one of {', '.join((*VERBS, 'run', 'wait'))}")
    kind = kinds[0]
    if kind == "run":
        value = table.get("run", str)
    elif kind == "wait":
        value = table.choice("wait", STREAMS)
    elif kind == "disable":
        table.get("disable", bool)
        value = ""
    else:
        value = table.word(kind, _NAME)
    made = Step(
        kind,
        value,
        cell=table.word("cell", _NAME) if kind == "load" else "",
        command_line=table.get("command_line", str, "") if kind == "load" else "",
        says=table.text("says") if kind == "wait" else "",
        seconds=float(table.number("seconds", 1, int(_LONGEST), 30) or 30),
        status=_status(table) if kind == "run" else 0,
        errno=table.word("errno", re.compile(r"\*|E[A-Z0-9]+"), "") or "" if kind in VERBS else "",
    )
    table.finish()
    return made


def _status(table: _Table) -> int | None:
    if table.get("status", (int, str), 0) == "*":
        return None
    return table.number("status", 0, 255, 0)


def _symptom(table: _Table) -> Symptom:
    made = Symptom(
        step=table.number("step", 1, _STEPS, None),
        status=table.number("status", 0, 255, None),
        errno=table.word("errno", re.compile(r"E[A-Z0-9]+|none"), None),
        output=table.get("output", str, ""),
        console=table.choice("console", STREAMS, STREAMS[0]),
        says=table.get("says", str, ""),
        hang=table.get("hang", str, ""),
    )
    if (made.status is not None or made.errno or made.output) and made.step is None:
        raise BadReport("symptom: status, errno and output belong to a step")
    table.finish()
    return made


_MISSING: Any = object()


class _Table:
    """A table of the file whose entries are taken out one by one; what is left is refused."""

    def __init__(self, name: str, table: Mapping[str, Any]) -> None:
        self.name = name
        self._left = dict(table)
        self._table = table

    def __contains__(self, key: str) -> bool:
        return key in self._table

    def _where(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    def get(self, key: str, kind: Any, default: Any = _MISSING) -> Any:
        self._left.pop(key, None)
        value = self._table.get(key, default)
        if value is _MISSING:
            raise BadReport(f"{self._where(key)} is missing")
        if value is not default and not isinstance(value, kind):
            raise BadReport(f"{self._where(key)}: {value!r} is of the wrong kind")
        if isinstance(value, str) and (len(value) > 4000 or "\0" in value):
            raise BadReport(f"{self._where(key)}: at most 4000 characters, no NUL")
        return value

    def word(self, key: str, pattern: re.Pattern[str], default: Any = _MISSING) -> Any:
        value = self.get(key, str, default)
        if value is not default and not pattern.fullmatch(value):
            raise BadReport(f"{self._where(key)}: {value!r} does not match {pattern.pattern}")
        return value

    def text(self, key: str) -> str:
        value = str(self.get(key, str))
        if not value.strip("*"):
            raise BadReport(f"{self._where(key)}: some text to look for")
        return value

    def choice(self, key: str, choices: Any, default: Any = _MISSING) -> str:
        value = str(self.get(key, str, default))
        if value not in choices:
            raise BadReport(f"{self._where(key)}: {value!r} is none of {', '.join(choices)}")
        return value

    def number(self, key: str, low: int, high: int, default: Any) -> int | None:
        value = self.get(key, int, default)
        if value is None:
            return None
        if isinstance(value, bool) or not low <= value <= high:
            raise BadReport(f"{self._where(key)}: {value!r} is not from {low} to {high}")
        return int(value)

    def words(self, key: str) -> tuple[str, ...]:
        found = self.get(key, list, [])
        if not all(isinstance(word, str) and _WORD.fullmatch(word) for word in found):
            raise BadReport(f"{self._where(key)}: words that match {_WORD.pattern}")
        return tuple(found)

    def tables(self, key: str) -> list[Mapping[str, Any]]:
        found = self.get(key, list, [])
        if not all(isinstance(table, dict) for table in found):
            raise BadReport(f"{self._where(key)}: tables, as [[{key}]]")
        return list(found)

    def finish(self) -> None:
        if self._left:
            raise BadReport(f"{self._where(next(iter(self._left)))} is not known")


def contains(line_of: Callable[[], str], pattern: str) -> bool:
    """Whether a line of a text has the pattern's parts in this order (`*`: anything)."""
    return any(_line_has(line, pattern) for line in line_of().splitlines())


def _line_has(line: str, pattern: str) -> bool:
    at = 0
    for part in pattern.split("*"):
        at = line.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True
