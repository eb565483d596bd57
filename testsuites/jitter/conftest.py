# SPDX-License-Identifier: GPL-2.0-only
"""One measurement for all tests of a run, whichever worker needs it first."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness import cache, jitterbaseline, jitterdata, jitterrun, results, rootbudgets
from harness.image import Artifacts
from harness.jitterdata import JitterRun
from harness.plugin.run import RUN
from testsuites.jitter.measured import Measured

BUDGETS = Path(__file__).parent / "budgets.toml"


def _measure(folder: Path, artifacts: Artifacts, kernel: str, accept: bool) -> JitterRun:
    budgets = tomllib.loads(BUDGETS.read_text())
    run = jitterrun.measure(artifacts, kernel, folder / "cell", budgets)
    run = jitterrun.with_bare(run, jitterrun.measure_bare(artifacts, folder / "bare"))
    root = rootbudgets.measure(artifacts, kernel, folder / "root", budgets["root"])
    run = replace(run, budgets=(*run.budgets, *root))
    if accept:
        jitterbaseline.write(run)
    return jitterbaseline.gate(
        run, kernel, lambda built: jitterrun.measure(built, kernel, folder / "baseline")
    )


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest) -> Measured:
    """Measured once a run, in whichever process comes first."""
    state = request.config.stash[RUN]
    folder = state.directory / "jitter"
    folder.mkdir(parents=True, exist_ok=True)
    artifacts = state.artifacts(state.kernel)
    path = state.directory / jitterdata.FILE
    with cache.locked(folder / "lock"):
        if not path.exists():
            accept = bool(request.config.option.update_baseline)
            run = _measure(folder, artifacts, state.kernel, accept)
            jitterdata.keep(results.results_root() / jitterdata.HISTORY, run)
            run.write(path)
    return Measured(jitterdata.read(path), folder, state.kernel, artifacts)


@pytest.fixture
def again(measured: Measured) -> Callable[[str], JitterRun]:
    """Measures the same build once more, in a folder of the run."""
    return lambda name: jitterrun.measure(
        measured.artifacts, measured.kernel, measured.folder / name
    )
