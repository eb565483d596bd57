# SPDX-License-Identifier: GPL-2.0-only
"""`python -m harness shell`: a live machine, its consoles in sight, a prompt to its Linux."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from harness import artifacts, gdb, panes, results
from harness.errors import HarnessFailure, Verdict, verdict_of
from harness.guest.linux import Linux
from harness.hang.attach import TEXT, builds, explain
from harness.image import Artifacts
from harness.machine import Role
from harness.progress import Progress, fail
from harness.prompt import Prompt
from harness.session import Lab, Variant, shut
from harness.targets import Target
from harness.verbs import Jailhouse


@dataclass(frozen=True)
class Plan:
    """What the machine shall be, and what of it one wants to see."""

    target: Target
    kernel: str
    #: Enable the hypervisor; a cell implies it.
    enabled: bool = False
    #: Cells to create, load and start, each with the inmate of its name.
    cells: tuple[str, ...] = ()
    #: Show how gdb gets in.
    gdb: bool = False
    #: A build tree to take as it is; None builds.
    prebuilt: Path | None = None


def shell(plan: Plan) -> int:
    """Returns the exit code: 0, or 1 if the machine did not get as far as its prompt."""
    progress = Progress()
    run = results.new_run("shell")
    lab = Lab(plan.target, lambda kernel: _built(plan, kernel, progress), run, progress=progress)
    linux: Linux | None = None
    try:
        linux = lab.linux(Variant(kernel=plan.kernel))
        _bring_up(plan, linux, progress)
        _introduce(plan, linux, progress)
        with _consoles(linux):
            Prompt(linux).run()
    except Verdict as error:
        if linux is not None:
            explain(linux, error, [run])
        fail(
            f"\n{verdict_of(error)} failure: {error}\n" + "\n".join(getattr(error, "__notes__", ()))
        )
        fail(f"results: {run}" + (f", {TEXT}" if (run / TEXT).exists() else ""))
        return 1
    finally:
        if linux is not None:
            shut(linux)
    return 0


def _built(plan: Plan, kernel: str, progress: Progress) -> Artifacts:
    arch = plan.target.architecture
    if plan.prebuilt is not None:
        return artifacts.found(plan.prebuilt, kernel, arch)
    return artifacts.build(kernel, arch, progress)


def _bring_up(plan: Plan, linux: Linux, progress: Progress) -> None:
    progress(f"Linux {linux.release} is up")
    if not plan.enabled and not plan.cells:
        return
    jailhouse = Jailhouse(linux)
    jailhouse.load_module()
    jailhouse.enable(plan.target.root_config)
    progress("hypervisor enabled")
    for name in plan.cells:
        jailhouse.create(name)
        jailhouse.load(name, name)
        jailhouse.start(name)
        progress(f"cell {name} is {jailhouse.state(name)}")


def _introduce(plan: Plan, linux: Linux, progress: Progress) -> None:
    if not panes.inside():
        for name, path in _files(linux):
            progress(f"{name}: tail -F {path}")
    if plan.gdb:
        progress(shlex.join(gdb.command(linux.machine, builds(linux))))
    progress(".help tells what else there is; .quit or Ctrl-D ends the machine")


def _files(linux: Linux) -> list[tuple[str, Path]]:
    folder = linux.machine.results
    names = [name for name in linux.machine.streams if name != Role.COMMAND_CHANNEL]
    return [(name, folder / f"{name}.log") for name in names]


def _consoles(linux: Linux) -> contextlib.AbstractContextManager[None]:
    return panes.following(_files(linux)) if panes.inside() else contextlib.nullcontext()


def in_tmux(arguments: list[str]) -> None:
    """Become a tmux session that runs the same command; returns only if it is in one already."""
    if panes.inside():
        return
    if shutil.which("tmux") is None:
        raise HarnessFailure("--tmux needs tmux: apt-get install tmux")
    words = [sys.executable, "-m", "harness", *arguments]
    os.execvp("tmux", ["tmux", "new-session", shlex.join(words)])
