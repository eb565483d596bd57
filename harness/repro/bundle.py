# SPDX-License-Identifier: GPL-2.0-only
"""A bundle: the report, the binaries that were tested, and what happened, in one archive.

::

    report.toml         as it was given
    artifacts/          a build tree for `--artifacts`: what was tested
    outcome.json        word, answers of the steps, versions
    evidence/           consoles, hang report, the machine's command line
    README              how to run it again

`harness repro` takes an archive, its folder, or a report alone.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.image import Artifacts
from harness.repro.spec import BadReport

REPORT, ARTIFACTS, OUTCOME, EVIDENCE = "report.toml", "artifacts", "outcome.json", "evidence"
#: Bytes that a bundle of somebody else may unpack to.
LARGEST = 512 << 20
_README = """\
A bug report that was run by `harness repro`; {outcome}.
Run it again, in a checkout of commit {commit} or near it:

    .venv/bin/python -m harness repro {name}

What it tests is in artifacts/; with --build it tests your own checkout instead.
"""


@dataclass(frozen=True)
class Source:
    """A report's file, and the build tree that came with it."""

    report: Path
    artifacts: Path | None


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Source]:
    """A report, a bundle's folder or a bundle's archive; BadReport."""
    if path.is_dir():
        yield _in_folder(path)
    elif path.suffix == ".toml":
        yield Source(path, None)
    else:
        with tempfile.TemporaryDirectory(prefix="jailhouse-repro-") as folder:
            _unpack(path, Path(folder))
            yield _in_folder(Path(folder))


def _in_folder(folder: Path) -> Source:
    inner = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    for place in inner:
        if (place / REPORT).is_file():
            artifacts = place / ARTIFACTS
            return Source(place / REPORT, artifacts if artifacts.is_dir() else None)
    raise BadReport(f"{folder}: no {REPORT} in it")


def _unpack(archive: Path, folder: Path) -> None:
    """Plain files and folders below `folder` only. (Extraction filters came with 3.11.4.)"""
    try:
        with tarfile.open(archive) as tar:
            members = tar.getmembers()
            if sum(member.size for member in members) > LARGEST:
                raise BadReport(f"{archive}: more than {LARGEST >> 20} MiB")
            for member in members:
                path = PurePosixPath(member.name)
                plain = member.isfile() or member.isdir()
                if not plain or path.is_absolute() or ".." in path.parts:
                    raise BadReport(f"{archive}: {member.name} is no plain file inside it")
                member.mode = 0o755 if member.isdir() else 0o644
            tar.extractall(folder, members)
    except (tarfile.TarError, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise BadReport(f"{archive}: no .toml, no folder, no archive: {reason}") from error


def write(
    folder: Path, report: Path, built: Artifacts, outcome: Mapping[str, object],
    evidence: Mapping[str, str],
) -> Path:  # fmt: skip
    """Make `folder` and an archive beside it; returns the archive."""
    folder.mkdir(parents=True)
    shutil.copyfile(report, folder / REPORT)
    copy_artifacts(built, folder / ARTIFACTS)
    (folder / OUTCOME).write_text(json.dumps(outcome, indent=1) + "\n")
    (folder / EVIDENCE).mkdir()
    for name, text in evidence.items():
        (folder / EVIDENCE / name).write_text(text)
    archive = folder.with_name(folder.name + ".tar.gz")
    (folder / "README").write_text(
        _README.format(outcome=outcome["outcome"], commit=outcome["commit"], name=archive.name)
    )
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(folder, arcname=folder.name)
    return archive


def copy_artifacts(built: Artifacts, target: Path) -> None:
    """The same layout as a build tree, symbols included."""
    for path in built.firmware:
        _copy(path, target / "hypervisor")
        _copy(path.with_suffix(".elf"), target / "hypervisor")
    for module in (built.driver, *built.test_modules):
        if module is not None:
            _copy(module, target / "driver" / module.parent.name)
    for path in built.configs:
        _copy(path, target / "configs" / path.parent.name)
    for path in built.device_trees:
        _copy(path, target / "configs" / path.parents[1].name / path.parent.name)
    for path in (*built.inmates, *built.tool_inmates):
        place = target / "inmates" / path.parents[1].name / path.parent.name
        _copy(path, place)
        _copy(path.with_suffix(".elf"), place)


def _copy(path: Path, folder: Path) -> None:
    if path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.name)
