# SPDX-License-Identifier: GPL-2.0-only
"""The factor of deadlines: measured once, within bounds, the same in every process of a run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import deadlines
from harness.results import REPOSITORY

VARIABLE = "JAILHOUSE_DEADLINE_SCALE"
INNER = """
import os
from harness.deadlines import scaled
def test_a(tmp_path): note("a")
def test_b(tmp_path): note("b")
def note(name):
    with open(os.environ["NOTES"] + "/" + name + os.environ["PYTEST_XDIST_WORKER"], "w") as file:
        file.write(f"{os.environ['JAILHOUSE_DEADLINE_SCALE']} {scaled(1)}")
"""


@pytest.mark.parametrize(
    ("seconds", "factor"), [(0.3, 5.0), (0.001, deadlines.FLOOR), (60.0, deadlines.CEILING)]
)
def test_the_factor_follows_the_host(
    monkeypatch: pytest.MonkeyPatch, seconds: float, factor: float
) -> None:
    monkeypatch.setenv(VARIABLE, "1")  # given back afterwards
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(deadlines, "_measure", lambda: seconds)
    assert deadlines.calibrate() == pytest.approx(factor)
    assert deadlines.scaled(10) == pytest.approx(10 * factor)
    monkeypatch.setattr(deadlines, "_measure", lambda: 1e9)
    assert deadlines.calibrate() == pytest.approx(factor), "measured twice"


def test_workers_have_the_controllers_factor(tmp_path: Path) -> None:
    inner = tmp_path / "test_inner.py"
    inner.write_text(INNER)
    notes = tmp_path / "notes"
    notes.mkdir()
    clean = {k: v for k, v in os.environ.items() if k != VARIABLE and not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(REPOSITORY / "pyproject.toml"), "-p", "harness.plugin",
         "-p", "no:cacheprovider", "-n", "2", "--artifacts", str(tmp_path), str(inner)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=300,
        env={**clean, "NOTES": str(notes), "JAILHOUSE_RESULTS": str(tmp_path / "results")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    texts = [path.read_text().split() for path in notes.iterdir()]
    assert len(texts) == 2
    assert len({text[0] for text in texts}) == 1
    assert all(float(text[1]) == float(text[0]) >= deadlines.FLOOR for text in texts)
