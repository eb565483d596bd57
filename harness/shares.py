# SPDX-License-Identifier: GPL-2.0-only
"""What of the tests a run does that names no target: `testsuites/shares/<name>.toml`.

::

    [tests]
    "system/test_demos.py" = "why it is among them"
    "system/test_cli.py::test_stats" = "why"

Names are those of `expected`, or what they begin with. A run that names its target
(`--target`) does everything, unless it says `--share`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path


def read(folder: Path, name: str) -> dict[str, str]:
    """Names with reasons; a list that is not there or gives no reason is an error."""
    path = folder / f"{name}.toml"
    table = tomllib.loads(path.read_text())["tests"]
    if not all(isinstance(reason, str) and reason for reason in table.values()):
        raise ValueError(f"{path}: every entry says why")
    return dict(table)


def holds(share: dict[str, str], test: str) -> bool:
    """Whether a test, named as in `expected`, is one of them."""
    bare = test.partition("[")[0]
    parts = bare.split("::")
    return test in share or any("::".join(parts[:n]) in share for n in range(1, len(parts) + 1))
