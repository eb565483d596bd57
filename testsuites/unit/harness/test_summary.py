# SPDX-License-Identifier: GPL-2.0-only
"""The exit summary: each verdict apart, the worst decides the exit code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.results import REPOSITORY

TESTS = """
from harness.errors import *
def test_well(): pass
def test_product(): assert 1 == 2
def test_late(): raise DeadlineExpired("no line")
def test_harness(): raise KeyError("a bug of the test")
def test_erratum(): raise EmulatorErratum("qemu-x: known")
def test_starved(): raise HostStarved("no CPU")
def test_unsupported(): raise Unsupported("no MSI")
"""


def run(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    inner = tmp_path / "test_inner.py"
    inner.write_text(TESTS)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(REPOSITORY / "pyproject.toml"), "-p", "harness.plugin",
         "-p", "harness.verdicts", "-p", "no:cacheprovider", *words, str(inner)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=300,
        env={**clean, "JAILHOUSE_RESULTS": str(tmp_path / "results")},
    )  # fmt: skip


@pytest.mark.parametrize("words", [(), ("-n", "2", "--artifacts", "build")])
def test_every_verdict_is_counted_apart(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(tmp_path, *words)
    assert re.search(
        "^verdicts: product 2, harness 1, emulator 1, starved host 1, unsupported 1$", done.stdout, re.M
    ), done.stdout
    for title, name in (("product", "late"), ("harness", "harness"), ("emulator", "erratum"),
                        ("starved host", "starved"), ("unsupported", "unsupported")):  # fmt: skip
        assert re.search(rf"^  {title} +\S*::test_{name}$", done.stdout, re.M), done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("name", "code"), [("harness", 11), ("starved", 12), ("unsupported", 14), ("erratum", 0)]
)
def test_exit_codes(tmp_path: Path, name: str, code: int) -> None:
    assert run(tmp_path, "-k", f"test_{name}").returncode == code
