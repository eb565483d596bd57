# SPDX-License-Identifier: GPL-2.0-only
"""`python -m harness soak -N 10`: the core scenarios again and again.

N runs of the core scenarios, then one of the bug entries at full count. Of targets
that have a share (testsuites/shares) that is what N runs repeat, and of any with
`--suite` all that is done on a machine. One line of JSON a run goes to
results/soak.jsonl at once. After an interruption the next call goes on with the runs
that this commit still lacks.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness import results
from harness.deadlines import calibrate
from harness.errors import EXIT_CODES
from harness.progress import Progress
from harness.results import REPOSITORY
from harness.supervised import spawn
from harness.targets import TARGETS

SYSTEM = "testsuites/system"
#: What is repeated: a machine's whole life, some four minutes on two cores.
CORE = tuple(
    f"{SYSTEM}/test_{name}.py"
    for name in ("enable", "apic_demo", "locks", "demos", "messages", "containment")
)
BUGS = ("testsuites/reports",)
#: Where shares take tests from. Counted exits are left out: they are exact, or wrong at once.
SHARE = tuple(f"testsuites/{name}" for name in ("system", "reports", "differential"))
#: All that is done on machines.
SUITE = (*SHARE, "testsuites/jitter")
#: Seconds that one run may take, whatever its tests do.
LIMIT = 60 * 60

Entry = dict[str, object]


@dataclass(frozen=True)
class Part:
    """Tests that are repeated together."""

    name: str
    tests: tuple[str, ...]
    runs: int
    #: At the counts of --soak, not those of a usual run.
    full: bool = True


@dataclass(frozen=True)
class Plan:
    """What every run of a soak has in common."""

    targets: tuple[str, ...]
    kernel: str
    workers: int
    loaded: bool
    suite: bool = False
    commit: str = field(default_factory=results.commit)

    @property
    def target(self) -> str:
        """Their names in a record."""
        return " ".join(self.targets)

    def parts(self, runs: int, paths: list[str]) -> list[Part]:
        """What is repeated, and how often."""
        if paths:
            return [Part("chosen", tuple(paths), runs)]
        bugs = Part("bugs", BUGS, 1)
        if self.suite:
            return [Part("suite", SUITE, runs, full=False)]
        if any(TARGETS[name].share for name in self.targets):
            return [Part("share", SHARE, runs, full=False), bugs]
        return [Part("core", CORE, runs), bugs]

    def same(self, entry: Entry, part: Part) -> bool:
        """Is this record one of ours?"""
        wanted = {
            "commit": self.commit,
            "target": self.target,
            "kernel": self.kernel,
            "loaded": self.loaded,
            "part": part.name,
            "tests": list(part.tests),
        }
        return all(entry.get(key) == value for key, value in wanted.items())


def soak(plan: Plan, runs: int, paths: list[str]) -> int:
    """Run until the runs of this commit are recorded; 0 if all of them are green."""
    parts = plan.parts(runs, paths)
    progress = Progress()
    record = results.results_root() / "soak.jsonl"
    record.parent.mkdir(parents=True, exist_ok=True)
    with _load() if plan.loaded else contextlib.nullcontext():
        done = [_part(plan, part, record, progress) for part in parts]
    green = sum(entry["verdict"] == "passed" for entries in done for entry in entries)
    wanted = sum(part.runs for part in parts)
    progress(f"{green} of {wanted} green on {plan.commit}; {record}")
    return 0 if green == wanted else 1


def _part(plan: Plan, part: Part, record: Path, progress: Progress) -> list[Entry]:
    mine = [entry for entry in read(record) if plan.same(entry, part)]
    done = mine[: part.runs]
    if done:
        progress(f"{part.name}: {len(done)} of {part.runs} runs are recorded already")
    while len(done) < part.runs:
        progress(f"{part.name}: run {len(done) + 1} of {part.runs}")
        entry = _run(plan, part)
        with record.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        done.append(entry)
        progress(f"{part.name}: {entry['verdict']} in {entry['seconds']} s")
    return done


def read(path: Path) -> list[Entry]:
    """All complete records of a file."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        # The last line may have been cut short by an interruption.
        with contextlib.suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return found


@contextlib.contextmanager
def _load() -> Iterator[None]:
    """Keep every core busy with a process of its own."""
    busy = [sys.executable, "-I", "-S", "-c", "while True: pass"]
    with contextlib.ExitStack() as stack:
        for _ in range(os.cpu_count() or 1):
            folder = Path(tempfile.mkdtemp(prefix="jailhouse-load-"))
            stack.callback(spawn(busy, folder, Path(os.devnull)).end)
        yield


def command(plan: Plan, part: Part) -> list[str]:
    """What runs a part once."""
    targets = [word for name in plan.targets for word in ("--target", name)]
    return [
        sys.executable, "-m", "pytest", "-q", *(["--soak"] if part.full else []),
        "-n", str(plan.workers), "--dist", "worksteal", *targets, "--share",
        "--kernel", plan.kernel, *part.tests,
    ]  # fmt: skip


def _run(plan: Plan, part: Part) -> Entry:
    began = time.monotonic()
    load = os.getloadavg()
    # Calibrated before the load was there: half of every core is somebody else's.
    scale = calibrate() * (2 if plan.loaded else 1)
    environment = {**os.environ, "JAILHOUSE_DEADLINE_SCALE": f"{scale:.2f}"}
    try:
        code = subprocess.run(
            command(plan, part), cwd=REPOSITORY, env=environment, check=False, timeout=LIMIT
        ).returncode
    except subprocess.TimeoutExpired:
        code = EXIT_CODES["harness"]
    return {
        "commit": plan.commit,
        "target": plan.target,
        "kernel": plan.kernel,
        "loaded": plan.loaded,
        "part": part.name,
        "tests": list(part.tests),
        "engines": sorted({TARGETS[name].make_engine().title for name in plan.targets}),
        "python": platform.python_version(),
        "host": f"{platform.release()}, {os.cpu_count()} CPUs",
        "load": [load, os.getloadavg()],
        "seconds": round(time.monotonic() - began),
        "exit": code,
        "verdict": _word(code),
        "results": (results.results_root() / "latest-run").resolve().name,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _word(code: int) -> str:
    if code == 0:
        return "passed"
    return next((verdict for verdict, number in EXIT_CODES.items() if number == code), "harness")
