# SPDX-License-Identifier: GPL-2.0-only
"""`python -m harness repro FILE`: exit 0 reproduced, 3 different symptom, 4 not reproduced.

Exit 2: the file is no report. Others are those of a test run (errors.EXIT_CODES):
what happened says nothing about the product.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from harness import artifacts, results
from harness.errors import EXIT_CODES, Verdict, verdict_of
from harness.guest.linux import Linux
from harness.image import Artifacts
from harness.machine import Role
from harness.progress import Progress, fail
from harness.repro import bundle
from harness.repro.carry import Course, carry_out
from harness.repro.judge import Outcome, judge
from harness.repro.spec import BadReport, Report, read
from harness.session import Lab, shut
from harness.targets import TARGETS, Target

BAD_REPORT = 2


def repro(path: Path, prebuilt: Path | None = None, build: bool = False) -> int:
    """Run a report or a bundle; returns the exit code.

    `prebuilt` is a build tree to test; `build` tests this checkout even if a
    bundle brings binaries.
    """
    try:
        with bundle.opened(path) as source:
            tree = prebuilt or (None if build else source.artifacts)
            return _repro(source.report, read(source.report), tree)
    except (BadReport, OSError) as error:
        fail(f"{error}")
        return BAD_REPORT


def _repro(path: Path, report: Report, prebuilt: Path | None) -> int:
    progress = Progress()
    run = results.new_run("repro")
    target = TARGETS[report.target]
    progress(f"{report.id}: {report.title}")
    progress(f"target {target.name}, kernel {report.variant.kernel}; results in {run}")
    linux: Linux | None = None
    try:
        built = _built(target, report, prebuilt, progress)
        lab = Lab(target, lambda _: built, run, progress=progress)
        linux = lab.linux(report.variant)
        course = carry_out(report, linux, progress)
        outcome = judge(report, course)
        evidence = _evidence(linux, course)
        archive = bundle.write(
            run / f"repro-{report.id}", path, built, _record(report, outcome, course, linux),
            evidence,
        )  # fmt: skip
    except Verdict as error:
        fail(f"\n{verdict_of(error)} failure: {error}\nresults: {run}")
        return EXIT_CODES.get(verdict_of(error), EXIT_CODES["harness"])
    finally:
        if linux is not None:
            shut(linux)
    for line in course.deviations:
        progress(f"not as it should be: {line}")
    progress(f"{outcome.word}; bundle: {archive}")
    return outcome.code


def _built(target: Target, report: Report, prebuilt: Path | None, progress: Progress) -> Artifacts:
    kernel, arch = report.variant.kernel, target.architecture
    if prebuilt is not None:
        return artifacts.found(prebuilt.resolve(), kernel, arch)
    return artifacts.build(kernel, arch, progress)


def _record(report: Report, outcome: Outcome, course: Course, linux: Linux) -> dict[str, object]:
    return {
        "version": 1,
        "id": report.id,
        "outcome": outcome.word,
        "exit": outcome.code,
        "commit": results.commit(),
        "target": report.target,
        "kernel": linux.release,
        "emulator": linux.machine.engine.title,
        "deviations": course.deviations,
        "answers": [asdict(answer) for answer in course.answers],
    }


def _evidence(linux: Linux, course: Course) -> dict[str, str]:
    found = {
        f"{name}.log": text
        for name, text in course.consoles.items()
        if name != Role.COMMAND_CHANNEL
    }
    found["machine.sh"] = (linux.machine.results / "machine.sh").read_text()
    if course.hang is not None:
        found |= {"hang.txt": course.hang.text(), "hang.json": course.hang.json()}
    return found
