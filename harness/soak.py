# SPDX-License-Identifier: GPL-2.0-only
"""`python -m harness soak -N 10`: the core scenarios again and again.

One line of JSON a run goes to results/soak.jsonl at once. After an interruption
the next call goes on with the runs that this commit still lacks.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from harness import provision, results
from harness.deadlines import calibrate
from harness.errors import EXIT_CODES
from harness.progress import Progress
from harness.results import REPOSITORY

#: Tests of the core scenarios; the bug entries run at full count.
CORE = ("testsuites/system",)
#: Seconds that one run may take.
LIMIT = 40 * 60


def soak(target: str, kernel: str, runs: int, paths: list[str]) -> int:
    """Run until there are `runs` recorded runs of this commit; 0 if all are green."""
    progress = Progress()
    record = results.results_root() / "soak.jsonl"
    record.parent.mkdir(parents=True, exist_ok=True)
    commit = results.commit()
    done = [entry for entry in _read(record) if _same(entry, commit, target, kernel, paths)]
    if done:
        progress(f"{len(done)} of {runs} runs of {commit} are recorded already")
    while len(done) < runs:
        progress(f"run {len(done) + 1} of {runs}")
        entry = _run(target, kernel, commit, paths)
        with record.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        done.append(entry)
        progress(f"run {len(done)}: {entry['verdict']} in {entry['seconds']} s")
    green = sum(entry["verdict"] == "passed" for entry in done[:runs])
    progress(f"{green} of {runs} green on {commit}; {record}")
    return 0 if green == runs else 1


def _same(
    entry: dict[str, object], commit: str, target: str, kernel: str, paths: list[str]
) -> bool:
    wanted = {"commit": commit, "target": target, "kernel": kernel, "tests": paths or list(CORE)}
    return all(entry.get(key) == value for key, value in wanted.items())


def _read(path: Path) -> list[dict[str, object]]:
    if not path.exists():
        return []
    found = []
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue  # cut short by the interruption
    return found


def _run(target: str, kernel: str, commit: str, paths: list[str]) -> dict[str, object]:
    tests = paths or list(CORE)
    began = time.monotonic()
    load = os.getloadavg()
    command = [
        sys.executable, "-m", "pytest", "-q", "--soak",
        "--target", target, "--kernel", kernel, *tests,
    ]  # fmt: skip
    environment = {**os.environ, "JAILHOUSE_DEADLINE_SCALE": f"{calibrate():.2f}"}
    try:
        code = subprocess.run(
            command, cwd=REPOSITORY, env=environment, check=False, timeout=LIMIT
        ).returncode
        verdict = _word(code)
    except subprocess.TimeoutExpired:
        code, verdict = -1, "harness"
    return {
        "commit": commit,
        "target": target,
        "kernel": kernel,
        "tests": tests,
        "qemu": provision.engine().version_text,
        "python": platform.python_version(),
        "host": platform.release(),
        "load": [load, os.getloadavg()],
        "seconds": round(time.monotonic() - began),
        "exit": code,
        "verdict": verdict,
        "results": str((results.results_root() / "latest").resolve().name),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _word(code: int) -> str:
    if code == 0:
        return "passed"
    for verdict, number in EXIT_CODES.items():
        if number == code:
            return verdict
    return "harness"
