# SPDX-License-Identifier: GPL-2.0-only
"""The baseline of jitter, and the gate: today's figures are exactly those, or it fails.

`testsuites/jitter/baseline/` holds the figures with what they are only comparable
within (kernel, emulator, compiler, clock), and the sources they were measured
on. Where today's kernel, emulator or compiler are others, the sources are built with
today's and measured on the same day: there is always a comparison. The sources
are kept as an archive, because a clean clone may be shallow and the commit rebased
away. `--update-baseline` writes both files.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import os
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness import artifacts as builds
from harness import jitterrun, provision
from harness.errors import BuildFailure, ProductFailure
from harness.image import Artifacts
from harness.jitterdata import Comparison, Finding, GuestClock, JitterRun, Versions
from harness.results import REPOSITORY

FOLDER = REPOSITORY / "testsuites" / "jitter" / "baseline"
FIGURES = "figures.json"
SOURCES = "sources.tar.xz"
FORMAT = 1

#: What is built for a measurement; the tools in the guest are always today's.
_PARTS = ("include", "hypervisor", "driver", "inmates", "configs", "VERSION")
_COMPONENTS = ("hypervisor", "inmates", "configs")

HOW_TO_ACCEPT = (
    "If this is meant, accept it: .venv/bin/pytest testsuites/jitter --update-baseline, "
    "and commit testsuites/jitter/baseline with the change."
)


@dataclass(frozen=True)
class Baseline:
    """Figures in instructions, by name."""

    commit: str
    versions: Versions
    clock: GuestClock
    figures: Mapping[str, float]

    @staticmethod
    def of(run: JitterRun) -> Baseline:
        """Today's run as a baseline."""
        found = {figure.name: figure.value for figure in jitterrun.figures(run)}
        return Baseline(run.commit, run.versions, run.clock, found)

    def why_not_comparable(self, run: JitterRun) -> str:
        """What differs, for people; "" if the stored figures are good for this run."""
        pairs = [
            *zip(("kernel", "emulator", "compiler"), _words(self), _words(run), strict=True),
            ("clock", self.clock, run.clock),
        ]
        return "; ".join(
            f"{name} is {today}, was {then}" for name, then, today in pairs if then != today
        )


def _words(holder: Baseline | JitterRun) -> tuple[str, str, str]:
    versions = holder.versions
    return versions.kernel, versions.emulator, versions.compiler


def read(folder: Path = FOLDER) -> Baseline:
    """The baseline of the repository; ProductFailure when there is none."""
    path = folder / FIGURES
    if not path.exists():
        raise ProductFailure(f"no baseline at {path}: make one with --update-baseline")
    data = json.loads(path.read_text())
    if data["format"] != FORMAT:
        raise ProductFailure(f"{path}: format {data['format']}, this reads {FORMAT}")
    return Baseline(
        data["commit"],
        Versions(**data["versions"]),
        GuestClock(**data["clock"]),
        data["figures"],
    )


def write(run: JitterRun, folder: Path = FOLDER) -> None:
    """Accept a run: its figures, and the sources as they are now."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {"format": FORMAT, **asdict(Baseline.of(run))}
    (folder / FIGURES).write_text(json.dumps(record, indent=1) + "\n")
    (folder / SOURCES).write_bytes(pack())


# --- comparing


def compare(run: JitterRun, baseline: Baseline, against: str, why: str = "") -> Comparison:
    """Every figure of either side beside the other's."""
    today = {figure.name: figure.value for figure in jitterrun.figures(run)}
    names = [*baseline.figures, *(name for name in today if name not in baseline.figures)]
    findings = tuple(
        Finding(name, "instructions", baseline.figures.get(name), today.get(name)) for name in names
    )
    return Comparison(baseline.commit, against, why, findings)


def check(comparison: Comparison) -> None:
    """ProductFailure with every figure that differs, by how much, and how to accept it."""
    if not comparison.findings:
        raise ProductFailure("nothing was compared with the baseline")
    different = [found for found in comparison.findings if found.baseline != found.today]
    if not different:
        return
    lines = [f"jitter differs from its baseline ({comparison.commit}, {comparison.against}):"]
    lines += [f"  {_line(found)}" for found in different]
    raise ProductFailure("\n".join([*lines, HOW_TO_ACCEPT]))


def _line(found: Finding) -> str:
    if found.difference is None:
        return f"{found.figure}: was {found.baseline}, is {found.today} {found.unit}"
    return (
        f"{found.figure}: {found.difference:+g} {found.unit} "
        f"({found.baseline:g} -> {found.today:g})"
    )


Measure = Callable[[Artifacts], JitterRun]


def gate(run: JitterRun, kernel: str, measure: Measure, folder: Path = FOLDER) -> JitterRun:
    """The run with its comparison; `measure` runs the baseline's build where that is needed."""
    baseline = read(folder)
    why = baseline.why_not_comparable(run)
    against = "stored"
    if why:
        rebuilt = measure(build(kernel, folder))
        baseline = replace(Baseline.of(rebuilt), commit=baseline.commit)
        against = "rebuilt"
    return replace(run, comparison=compare(run, baseline, against, why))


# --- sources


def pack() -> bytes:
    """What is measured, as an archive: the same bytes for the same sources."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(_files()):
            info = tarfile.TarInfo(name)
            data = (REPOSITORY / name).read_bytes()
            info.size = len(data)
            info.mode = 0o755 if (REPOSITORY / name).stat().st_mode & 0o100 else 0o644
            archive.addfile(info, io.BytesIO(data))
    return lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME)


def _files() -> list[str]:
    found = []
    for part in _PARTS:
        path = REPOSITORY / part
        files = path.rglob("*") if path.is_dir() else [path]
        found += [str(file.relative_to(REPOSITORY)) for file in files if file.is_file()]
    return found


def build(kernel: str, folder: Path = FOLDER) -> Artifacts:
    """The baseline's sources, built with today's tools for today's kernel."""
    archive = folder / SOURCES
    if not archive.exists():
        raise ProductFailure(f"{archive} is missing: the baseline cannot be built anew")
    data = archive.read_bytes()
    out = builds.build_root() / f"baseline-{hashlib.sha256(data).hexdigest()[:12]}"
    source = out / "source"
    if not source.exists():
        # Whole or not at all, even when this is interrupted.
        half = out / f"source-{os.getpid()}"
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:xz") as packed:
            packed.extractall(half)
        half.rename(source)
    tree = provision.kernel(kernel)
    for component in _COMPONENTS:
        _make(source / component, f"O={out}")
    _make(source / "driver", f"O={out}", f"KDIR={tree.build}")
    return Artifacts.from_build(REPOSITORY, out, tree.release)


def _make(folder: Path, *words: str) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "-j2", "-C", str(folder), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildFailure(f"the baseline's {folder.name}:\n{done.stdout[-4000:]}")
