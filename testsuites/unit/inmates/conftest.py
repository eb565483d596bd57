# SPDX-License-Identifier: GPL-2.0-only
"""The inmate bench as a fixture."""

from __future__ import annotations

from pathlib import Path

import pytest

from testsuites.unit.inmates import bench as bench_module


@pytest.fixture(scope="session")
def inmate_build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """All inmates and the firmware, built once."""
    out = tmp_path_factory.mktemp("inmates")
    return bench_module.build(bench_module.TOP / "build" / "unit"), bench_module.build_shim(out)


@pytest.fixture
def bench(inmate_build: tuple[Path, Path], tmp_path: Path) -> bench_module.Bench:
    """See bench.py."""
    inmates, shim = inmate_build
    return bench_module.Bench(inmates, shim, tmp_path)
