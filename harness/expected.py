# SPDX-License-Identifier: GPL-2.0-only
"""What a target may leave out: `testsuites/expected/<target>.toml`.

::

    [unsupported]
    "system/test_kernel.py::test_boot" = "feature that is missing"

A skipped test must be listed, and a listed test must be skipped. Tests that
need no machine belong to the target "host".
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

HOST = "host"


@dataclass(frozen=True)
class Outcome:
    """How one test ended on one target."""

    test: str
    target: str
    skipped: bool
    reason: str = ""


def read(folder: Path, target: str) -> dict[str, str]:
    """Tests that may be unsupported there, with the missing feature."""
    path = folder / f"{target}.toml"
    if not path.exists():
        return {}
    table = tomllib.loads(path.read_text()).get("unsupported", {})
    if not all(isinstance(feature, str) and feature for feature in table.values()):
        raise ValueError(f"{path}: every entry names the missing feature")
    return dict(table)


def plain_name(node_id: str, target: str) -> str:
    """A test's id as the lists have it: below testsuites, without the target."""
    name = node_id.removeprefix("testsuites/")
    head, bracket, parameters = name.partition("[")
    if not bracket:
        return name
    rest = [part for part in _split(parameters.removesuffix("]"), target) if part]
    return f"{head}[{'-'.join(rest)}]" if rest else head


def _split(parameters: str, target: str) -> list[str]:
    """Parameters without the target's own name (which may contain dashes)."""
    if parameters == target:
        return []
    if parameters.startswith(target + "-"):
        return [parameters.removeprefix(target + "-")]
    if parameters.endswith("-" + target):
        return [parameters.removesuffix("-" + target)]
    return [parameters.replace(f"-{target}-", "-")]


def violations(
    outcomes: Iterable[Outcome], lists: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """What contradicts the lists, one line each."""
    found = []
    for outcome in outcomes:
        listed = lists.get(outcome.target, {}).get(outcome.test)
        if outcome.skipped and listed is None:
            found.append(
                f"{outcome.test} was skipped on {outcome.target} without being listed "
                f"in testsuites/expected/{outcome.target}.toml: {outcome.reason}"
            )
        if not outcome.skipped and listed is not None:
            found.append(
                f"{outcome.test} runs on {outcome.target} although "
                f"testsuites/expected/{outcome.target}.toml lists it ({listed})"
            )
    return found
