# SPDX-License-Identifier: GPL-2.0-only
"""One measurement for all tests of a run, whichever worker needs it first."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import artifacts as builds
from harness import cache, jitterbaseline, jitterdata, jitterrun
from harness.image import Artifacts
from harness.jitterdata import JitterRun
from harness.plugin.run import RUN
from testsuites.jitter.measured import Measured

BUDGETS = Path(__file__).parent / "budgets.toml"


def _measure(folder: Path, artifacts: Artifacts, kernel: str, accept: bool) -> JitterRun:
    budgets = tomllib.loads(BUDGETS.read_text())
    run = jitterrun.measure(artifacts, kernel, folder / "cell", budgets)
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
            _measure(folder, artifacts, state.kernel, accept).write(path)
    return Measured(jitterdata.read(path), folder, state.kernel, artifacts)


@pytest.fixture
def with_bare(request: pytest.FixtureRequest, measured: Measured) -> JitterRun:
    """The run with the bare machine's series and costs, which then are in its file, too."""
    path = request.config.stash[RUN].directory / jitterdata.FILE
    programs = builds.build_root() / "inmates" / "bare" / "x86"
    bare = jitterrun.measure_bare(programs, measured.folder / "bare")
    run = jitterrun.with_bare(measured.run, bare)
    run.write(path)
    return run


@pytest.fixture
def again(measured: Measured) -> Callable[[str], JitterRun]:
    """Measures the same build once more, in a folder of the run."""
    return lambda name: jitterrun.measure(
        measured.artifacts, measured.kernel, measured.folder / name
    )
