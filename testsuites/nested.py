# SPDX-License-Identifier: GPL-2.0-only
"""A run of pytest with the harness's plugin inside a test, in a process and folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

from harness.results import REPOSITORY


def environment(folder: Path) -> dict[str, str]:
    """What makes the harness keep its results below a folder."""
    return {
        **os.environ,
        "JAILHOUSE_RESULTS": str(folder / "results"),
        "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tools'}",
    }


def run(folder: Path, tests: str, *arguments: str) -> tuple[str, Path]:
    """Run tests given as text; returns what was printed and the run's results folder."""
    (folder / "test_x.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "harness.plugin", "-p", "no:cacheprovider",
         "test_x.py", *arguments],
        cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.stdout, folder / "results" / "latest"
