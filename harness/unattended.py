# SPDX-License-Identifier: GPL-2.0-only
"""Machines that nobody talks to: they run a scenario of their own and power off.

With counted time what such a machine does depends on nothing but what it was
started with. So its initramfs has no keys (these differ from host to host), its
ports write to files, and it has no monitor::

    result = run(lab_target, kernel, artifacts, steps, folder)
    result.record("enable")["ticks"]; result.series; result.text(Role.HYPERVISOR_CONSOLE)

The same machine can run a program without Linux and hypervisor: `run_bare`.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import image as images
from harness.deadlines import scaled
from harness.engines import Boot, Engine, Wiring
from harness.engines.qemu import render, render_bare
from harness.errors import DeadlineExpired, EmulatorDied, HarnessFailure, ProductFailure
from harness.image import Artifacts
from harness.machine import MachineSpec, Role
from harness.results import REPOSITORY
from harness.supervised import Supervised, spawn
from harness.targets import Target

Step = dict[str, Any]

#: Seconds of an idle host; a boot with counted time takes 6 to 13, a bare program 1.
PATIENCE = 120.0
BARE_PATIENCE = 20.0

#: Programs for the bare machine in a build tree.
BARE_PROGRAMS = Path("inmates/bare/x86")

_IN_GUEST = REPOSITORY / "harness" / "guest" / "unattended.py"
_INIT = REPOSITORY / "images" / "files" / "unattended"
_INIT_PATH = "usr/lib/jailhouse/unattended"
_POLL = 0.05


@dataclass(frozen=True)
class Result:
    """What a machine left behind in `folder`."""

    folder: Path
    spec: MachineSpec

    def text(self, role: Role) -> str:
        """All that a serial port said, carriage returns removed."""
        name = self.spec.serial(role).name
        return (self.folder / f"{name}.log").read_text(errors="replace").replace("\r", "")

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The guest's record: one object a step (`harness/guest/unattended.py`)."""
        lines = self.text(Role.COMMAND_CHANNEL).splitlines()
        found = [json.loads(line) for line in lines]
        for line in found:
            if "failed" in line:
                raise ProductFailure(f"{self.folder}: step {found[-3:-2]}: {line['failed']}")
        if not found or "end" not in found[-1]:
            raise ProductFailure(f"{self.folder}: the scenario did not end: {self.tails()}")
        return found[:-1]

    @property
    def series(self) -> dict[tuple[str, str], list[int]]:
        """What programs wrote to the debug port: samples by series and kind."""
        return parse_records((self.folder / "records.log").read_text())

    def tails(self) -> str:
        """The last lines of every stream, for people."""
        parts = []
        for path in sorted(self.folder.glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()[-8:]
            parts += [f"--- {path.name}", *(line[:200] for line in lines)]
        return "\n".join(parts)


def parse_records(text: str) -> dict[tuple[str, str], list[int]]:
    """Lines of `inmates/tests/common/records.h`; what is no series is a failure."""
    found: dict[tuple[str, str], list[int]] = {}
    for line in text.splitlines():
        words = line.split()
        if words[0] == "END":
            continue
        if len(words) < 3 or not all(word.isdigit() for word in words[2:]):
            raise ProductFailure(f"not a record: {line[:80]!r}")
        found.setdefault((words[0], words[1]), []).extend(map(int, words[2:]))
    return found


def run(
    target: Target,
    kernel: str,
    artifacts: Artifacts,
    steps: Sequence[Step],
    folder: Path,
    *,
    files: Mapping[str, Path] | None = None,
) -> Result:
    """Boot, run `steps` in the guest, power off. `files`: more of them, by guest path.

    ProductFailure when it does not end in time; the streams so far are in `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scenario = folder / "scenario.json"
    scenario.write_text(json.dumps(list(steps), indent=1) + "\n")
    extra = {
        **artifacts.extra,
        **(files or {}),
        _INIT_PATH: _INIT,
        "usr/lib/jailhouse/unattended.py": _IN_GUEST,
        "usr/lib/jailhouse/scenario.json": scenario,
    }
    image = images.build(target.image, kernel, replace(artifacts, extra=extra))
    words = [*target.machine.command_line(), image.cmdline, f"rdinit=/{_INIT_PATH}"]
    with _private_directory() as directory:
        wiring = Wiring(directory, unattended=True)
        boot = Boot(image.payload, directory / "initrd", " ".join(words))
        # Not the compressed base: how long that takes depends on the compressor's version.
        boot.initrd.write_bytes(image.base.read_bytes() + image.project)
        shutil.copyfile(images.raw_disk(), wiring.disk)
        engine = target.make_engine()
        argv = render(target.machine, engine, boot, wiring)
        result = Result(folder, target.machine)
        _execute(engine, argv, wiring, result, PATIENCE)
    return result


def bare_programs(artifacts: Artifacts) -> Path:
    """The folder of what `run_bare` can run."""
    for tree in artifacts.trees:
        if (tree / BARE_PROGRAMS).is_dir():
            return tree / BARE_PROGRAMS
    raise HarnessFailure(f"no {BARE_PROGRAMS} in {[str(tree) for tree in artifacts.trees]}")


def run_bare(
    target: Target,
    program: Path,
    words: str,
    folder: Path,
    finished: Callable[[Result], bool],
) -> Result:
    """Run a multiboot program on the machine itself until `finished` says so.

    `words` is its command line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _private_directory() as directory:
        wiring = Wiring(directory, unattended=True)
        shutil.copyfile(images.raw_disk(), wiring.disk)
        engine = target.make_engine()
        argv = render_bare(target.machine, engine, program, words, wiring)
        result = Result(folder, target.machine)
        here = Result(directory, target.machine)
        _execute(
            engine, argv, wiring, result, BARE_PATIENCE, finished=lambda: finished(here)
        )
    return result


@contextlib.contextmanager
def _private_directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="jailhouse-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _execute(
    engine: Engine,
    argv: list[str],
    wiring: Wiring,
    result: Result,
    patience: float,
    *,
    finished: Callable[[], bool] = lambda: False,
) -> None:
    """Run the emulator to its end, then keep what its ports wrote."""
    (result.folder / "machine.sh").write_text(shlex.join(argv) + "\n")
    log = result.folder / "emulator.txt"
    log.unlink(missing_ok=True)
    emulator = spawn(argv, wiring.directory, log, engine.env)
    try:
        ended = _wait(emulator, scaled(patience), finished)
        for path in wiring.directory.glob("*.log"):
            shutil.copyfile(path, result.folder / path.name)
    finally:
        emulator.end()
    if not ended:
        raise DeadlineExpired(f"{result.folder}: the machine does not end\n{result.tails()}")
    code = emulator.process.returncode
    if code not in (0, 128 + signal.SIGKILL):
        raise EmulatorDied(f"the emulator ended with {code}\n{log.read_text(errors='replace')}")


def _wait(emulator: Supervised, seconds: float, finished: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while emulator.alive:
        if finished():
            return True
        if time.monotonic() > end:
            return False
        time.sleep(_POLL)
    return True
