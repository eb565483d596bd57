# SPDX-License-Identifier: GPL-2.0-only
"""`python -m harness COMMAND`: demo, shell, bench, jitter, soak, repro, targets."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from harness import deadlines
from harness.errors import Verdict
from harness.progress import fail
from harness.provision import DEFAULT_KERNEL, KERNEL_SUITES, ProvisionError
from harness.targets import TARGETS, Target, report


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m harness", description="Run the hypervisor.")
    commands = made.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="boot Linux and a timer demo in a cell beside it")
    demo.add_argument("--ticks", type=int, default=20)
    shell = commands.add_parser("shell", help="a live machine: consoles and a prompt to its Linux")
    _add_shell(shell)
    bench = commands.add_parser("bench", help="measure the steps and the exits per tick")
    bench.add_argument("--rounds", type=int, default=3)
    soak = commands.add_parser("soak", help="repeat the system tests, record every run")
    soak.add_argument("-N", type=int, default=10, dest="runs")
    soak.add_argument(
        "-j", type=int, default=min(4, os.cpu_count() or 1), dest="workers", help="machines at once"
    )
    soak.add_argument("--load", action="store_true", help="keep every core busy meanwhile")
    soak.add_argument(
        "--target", choices=list(TARGETS), action="append", dest="targets", metavar="NAME",
        help="may be repeated; default: amd-tcg",
    )  # fmt: skip
    soak.add_argument("--suite", action="store_true", help="repeat all that runs on machines")
    soak.add_argument(
        "tests", nargs="*", help="default: the target's share or core scenarios, then bug entries"
    )
    jitter = commands.add_parser("jitter", help="compare the jitter of two builds, in turn")
    jitter.add_argument("--against", type=Path, required=True, help="the other build tree")
    jitter.add_argument("--rounds", type=int, default=7)
    for command in (demo, shell, bench, soak, jitter):
        command.add_argument("--kernel", choices=list(KERNEL_SUITES), default=DEFAULT_KERNEL)
        if command is not soak:
            command.add_argument("--target", choices=list(TARGETS), default="amd-tcg")
            command.add_argument("--clock", choices=["wall", "icount"], default="wall")
    repro = commands.add_parser("repro", help="run a bug report: exit 0, 3 or 4 (docs/hands-on.md)")
    repro.add_argument("file", type=Path, help="a report (.toml) or a bundle")
    repro.add_argument("--artifacts", type=Path, metavar="DIR", help="test this build tree")
    repro.add_argument("--build", action="store_true", help="ignore a bundle's binaries")
    commands.add_parser("targets", help="what this host can run, and why")
    return made


def _add_shell(shell: argparse.ArgumentParser) -> None:
    shell.add_argument("--enabled", action="store_true", help="enable the hypervisor first")
    shell.add_argument(
        "--cell", action="append", default=[], dest="cells", metavar="NAME",
        help="create, load and start this cell too (repeatable), e.g. apic-demo",
    )  # fmt: skip
    shell.add_argument("--gdb", action="store_true", help="show the gdb command that gets in")
    shell.add_argument("--tmux", action="store_true", help="in a tmux session, consoles in panes")
    shell.add_argument(
        "--artifacts", type=Path, metavar="DIR", help="take this build tree as it is"
    )


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    options = parser().parse_args(arguments)
    if options.command == "targets":
        print(report())
        return 0
    # A terminated command gives its machine back as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    deadlines.calibrate()
    try:
        return _run(options)
    except (Verdict, ProvisionError) as error:
        fail(f"{type(error).__name__}: {error}")
        return 1
    except KeyboardInterrupt:
        fail("interrupted")
        return 130


def _run(options: argparse.Namespace) -> int:
    # Imported here: `targets` works without the emulator's libraries.
    from harness.bench import bench  # noqa: PLC0415
    from harness.demo import demo  # noqa: PLC0415
    from harness.jitterwall import compare  # noqa: PLC0415
    from harness.soak import Plan, soak  # noqa: PLC0415

    if options.command == "repro":
        from harness.repro.command import repro  # noqa: PLC0415

        return repro(options.file, options.artifacts, options.build)
    if options.command == "soak":
        targets = tuple(options.targets or ["amd-tcg"])
        plan = Plan(targets, options.kernel, options.workers, options.load, options.suite)
        return soak(plan, options.runs, options.tests)
    target: Target = TARGETS[options.target]
    if options.clock == "icount":
        target = target.counted()
    if options.command == "shell":
        from harness import shell  # noqa: PLC0415

        if options.tmux:
            shell.in_tmux([word for word in sys.argv[1:] if word != "--tmux"])
        return shell.shell(
            shell.Plan(
                target, options.kernel, options.enabled, tuple(options.cells), options.gdb,
                options.artifacts,
            )
        )  # fmt: skip
    if options.command == "jitter":
        return compare(target, options.kernel, options.against, options.rounds)
    if options.command == "bench":
        return bench(target, options.kernel, options.rounds)
    return demo(target, options.kernel, options.ticks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
