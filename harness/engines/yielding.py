# SPDX-License-Identifier: GPL-2.0-only
"""The plugin with which QEMU's spinning CPUs give their host core away (yielding.c)."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

from harness.cache import cache_root, file_hash, locked
from harness.errors import HarnessFailure

SOURCE = Path(__file__).with_suffix(".c")
COMPILER = ("gcc", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror")


@cache
def plugin() -> Path:
    """The shared object, compiled once a cache and version of the source.

    HarnessFailure if the compiler refuses.
    """
    made = cache_root() / "plugins" / f"yielding-{file_hash(SOURCE)[:16]}.so"
    with locked(made.with_suffix(".lock")):
        if not made.exists():
            _compile(made)
    return made


def _compile(made: Path) -> None:
    with tempfile.TemporaryDirectory(dir=made.parent) as folder:
        fresh = Path(folder) / made.name
        done = subprocess.run(
            [*COMPILER, "-o", str(fresh), str(SOURCE)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise HarnessFailure(f"{SOURCE.name}: gcc refuses:\n{done.stderr}")
        fresh.replace(made)
