# SPDX-License-Identifier: GPL-2.0-only
"""The gate sees one instruction more, and a baseline of other versions is built anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from harness import artifacts as builds
from harness import jitterbaseline, jitterrun, unattended
from harness.errors import ProductFailure
from harness.image import Artifacts
from harness.jitterbaseline import FIGURES, SOURCES, Baseline
from harness.jitterdata import JitterRun, Kind, Place, Series
from testsuites.jitter.measured import Measured

#: Instruction added by a build option -> the inmate's event that must show it.
COSTS = {"SEED_COST_MSR": "msr", "SEED_COST_MMIO": "mmio", "SEED_COST_HYPERCALL": "hypercall",
         "SEED_COST_IPI": "ipi"}  # fmt: skip
#: An event costs the same each time: a few show what many would.
FEW = 5


def test_one_instruction_more_fails_the_gate(measured: Measured) -> None:
    """One boot: for each of four hypervisors, enable, ticks with its event, disable."""
    firmware = {event: _variant(word) for word, event in COSTS.items()}
    # What the clock itself costs is no matter of the hypervisor: once.
    steps: list[unattended.Step] = [
        {"do": "module"},
        {"do": "enable", "config": jitterrun.target().root_config},
        *jitterrun.tick_steps("none", FEW),
        {"do": "disable"},
    ]
    for event in firmware:
        steps += [
            {"do": "firmware", "path": f"/usr/lib/jailhouse/{event}.bin"},
            {"do": "enable", "config": jitterrun.target().root_config},
            *jitterrun.tick_steps(event, FEW),
            {"do": "disable"},
        ]
    result = unattended.run(
        jitterrun.target(), measured.kernel, measured.artifacts, steps,
        measured.folder / "one-more",
        files={f"usr/lib/jailhouse/{event}.bin": path for event, path in firmware.items()},
    )  # fmt: skip
    series = _costs(jitterrun.tick_series(result.series, Place.CELL))
    for event in firmware:
        _check_gate_fails(measured.run, event, series)


def test_a_baseline_of_other_versions_is_built_anew(measured: Measured, tmp_path: Path) -> None:
    """Recorded version and figures are wrong: what counts is what its sources take today."""
    _falsify(jitterbaseline.read(), tmp_path)
    cost = [s for s in _costs(measured.run.series) if (s.name, s.place) == ("tick-msr", Place.CELL)]
    today = replace(measured.run, series=tuple(cost), costs=(), comparison=None)

    def measure(built: Artifacts) -> JitterRun:
        assert built.trees != measured.artifacts.trees
        return replace(today, series=_msr_costs(built, measured))

    judged = jitterbaseline.gate(today, measured.kernel, measure, tmp_path).comparison
    assert judged is not None
    assert judged.against == "rebuilt"
    assert f"emulator is {today.versions.emulator}, was QEMU 0.0" in judged.why
    # The run's own comparison is with the same sources, built anew or as recorded.
    assert measured.run.comparison is not None
    findings = measured.run.comparison.findings
    assert judged.findings == tuple(f for f in findings if f.figure.startswith("tick-msr cost"))
    assert len(judged.findings) == 2


def _falsify(stored: Baseline, folder: Path) -> None:
    versions = replace(stored.versions, emulator="QEMU 0.0")
    false = replace(stored, versions=versions, figures=dict.fromkeys(stored.figures, 0.0))
    (folder / FIGURES).write_text(json.dumps({"format": jitterbaseline.FORMAT, **asdict(false)}))
    shutil.copyfile(jitterbaseline.FOLDER / SOURCES, folder / SOURCES)


def _msr_costs(built: Artifacts, measured: Measured) -> tuple[Series, ...]:
    steps: list[unattended.Step] = [
        {"do": "module"},
        {"do": "enable", "config": jitterrun.target().root_config},
        *jitterrun.tick_steps("none", FEW),
        *jitterrun.tick_steps("msr", FEW),
    ]
    result = unattended.run(
        jitterrun.target(), measured.kernel, built, steps, measured.folder / "anew"
    )
    return tuple(_costs(jitterrun.tick_series(result.series, Place.CELL)))


def _variant(word: str) -> Path:
    (path,) = builds.hypervisor_variant([word]).glob("hypervisor/jailhouse-amd.bin")
    return path


def _costs(series: Sequence[Series]) -> list[Series]:
    return [one for one in series if one.kind is Kind.COST]


def _check_gate_fails(run: JitterRun, event: str, series: list[Series]) -> None:
    name = f"tick-{event}"
    baseline = Baseline.of(run)
    changed = jitterrun.replaced(run, [one for one in series if one.name == name])
    comparison = jitterbaseline.compare(changed, baseline, "stored")
    with pytest.raises(ProductFailure) as failure:
        jitterbaseline.check(comparison)
    text = str(failure.value)
    assert f"{name} cost: median: +1 instructions" in text
    assert f"{name} cost: minimum: +1 instructions" in text
    assert "--update-baseline" in text
