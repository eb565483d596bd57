# SPDX-License-Identifier: GPL-2.0-only
"""Where a run leaves what people read afterwards.

::

    results/latest -> the newest run
    results/latest-<kind>                  the newest of that kind: run, demo, soak, ...
    results/<run>/junit.xml, run.json
    results/<run>/machines/<worker>-<n>/   every stream of a machine, whole;
                                           machine.sh, emulator.log
    results/<run>/<test>/                  the same streams from the start of the
                                           test on, transcript.log, rerun.txt
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def results_root() -> Path:
    """The folder of all runs."""
    return Path(os.environ.get("JAILHOUSE_RESULTS", REPOSITORY / "results"))


#: In the environment of what a run of tests starts: its directory.
OUTER_RUN = "JAILHOUSE_OUTER_RUN"


def new_run(kind: str = "run") -> Path:
    """Make the directory of a run and point `results/latest` and `latest-<kind>` to it.

    A run that a test of another run starts does not take the links from that one.
    """
    root = results_root()
    root.mkdir(parents=True, exist_ok=True)
    run = _made(root, f"{time.strftime('%Y%m%d-%H%M%S')}-{kind}-{os.getpid()}")
    outer = os.environ.get(OUTER_RUN)
    if outer is not None and Path(outer).parent == root:
        return run
    for link in ("latest", f"latest-{kind}"):
        temporary = root / f".{link}-{os.getpid()}"
        with contextlib.suppress(OSError):
            temporary.symlink_to(run.name)
            temporary.replace(root / link)
    return run


def _made(root: Path, name: str) -> Path:
    """A directory of that name or the next free one."""
    for suffix in itertools.count():
        path = root / (f"{name}-{suffix}" if suffix else name)
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path
    raise AssertionError("unreachable: numbers do not end")


def folder_name(test: str) -> str:
    """A test's id as one file name."""
    short = test.removeprefix("testsuites/").replace("::", ".").replace("/", ".")
    name = re.sub(r"[^\w.\[\]=+-]", "_", short)
    digest = hashlib.sha256(test.encode()).hexdigest()[:8]
    return name if len(name) <= 120 else f"{name[:100]}-{digest}"


def commit() -> str:
    """The commit under test, with "-dirty" if the tree differs; "no-git" without git."""
    if shutil.which("git") is None:
        return "no-git"
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "no-git"


@dataclass
class Transcript:
    """Steps with times, written as they happen."""

    path: Path
    began: float = field(default_factory=time.monotonic)

    def step(self, text: str) -> None:
        elapsed = time.monotonic() - self.began
        with self.path.open("a") as file:
            file.write(f"{elapsed:9.3f} {text}\n")
