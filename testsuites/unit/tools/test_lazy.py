# SPDX-License-Identifier: GPL-2.0-only
"""`jailhouse cell list` stays cheap: what it must not import (counted, not timed)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jailhouse.usage import COMMANDS

from .conftest import REPOSITORY
from .fakes import Tree

TOOLS = REPOSITORY / "tools"

PROBE = """
import sys
before = set(sys.modules)
sys.path.insert(0, {tools!r})
from jailhouse import sysfs
sysfs.ROOT = {root!r}
from jailhouse.cli import main
status = main(["jailhouse", *{arguments!r}])
print(*sorted(set(sys.modules) - before), file=sys.stderr)
sys.exit(status)
"""

HEAVY = {
    "argparse", "array", "collections", "contextlib", "ctypes", "curses", "dataclasses", "enum",
    "functools", "mmap", "os", "pathlib", "re", "shutil", "struct", "subprocess", "typing",
}  # fmt: skip


def imported(root: Path, *arguments: str) -> set[str]:
    code = PROBE.format(tools=str(TOOLS), root=str(root), arguments=arguments)
    run = subprocess.run(
        [sys.executable, "-IS", "-c", code], capture_output=True, text=True, check=False
    )
    return set(run.stderr.splitlines()[-1].split())


def test_cell_list_imports_nothing_heavy(tree: Tree) -> None:
    modules = imported(tree.root, "cell", "list")
    assert not modules & HEAVY
    ours = {name for name in modules if name.startswith("jailhouse")}
    assert ours == {"jailhouse", "jailhouse.cli", "jailhouse.listing", "jailhouse.sysfs"}
    # errno and posix are built in; __future__ is a page of constants.
    assert modules - ours <= {"__future__", "errno", "posix"}


@pytest.mark.parametrize("arguments", [["cell", "start", "1"], ["disable"]])
def test_ioctls_need_no_configuration_reader(tree: Tree, arguments: list[str]) -> None:
    modules = imported(tree.root, *arguments)
    assert not any(name.startswith("jailhouse.cellfile") for name in modules)
    assert not modules & {"argparse", "ctypes", "dataclasses", "curses", "typing"}


def test_the_command_runs_isolated(tmp_path: Path) -> None:
    """From another directory, through the file that users call."""
    run = subprocess.run(
        [TOOLS / "bin" / "jailhouse", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith("Jailhouse management tool ")


def test_installed_command_finds_its_package(tmp_path: Path) -> None:
    install = ["make", "-s", "-C", str(TOOLS), "install", f"DESTDIR={tmp_path}", "prefix=/usr"]
    subprocess.run(install, check=True, capture_output=True)
    assert (tmp_path / "usr/lib/python3/dist-packages/jailhouse/check/memory.py").is_file()
    run = subprocess.run(
        [tmp_path / "usr/sbin/jailhouse", "config", "check", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith("Usage: jailhouse config check")


def test_main_module(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "jailhouse", "--version"],
        env={"PYTHONPATH": str(TOOLS)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith("Jailhouse management tool ")


def test_completion_offers_commands_and_cells(tmp_path: Path) -> None:
    script = (
        f"source {TOOLS}/jailhouse.bash-completion; COMP_WORDS=(jailhouse cell s); "
        'COMP_CWORD=2; _jailhouse; echo "${COMPREPLY[@]}"'
    )
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["start", "shutdown", "stats"]


def test_manual_pages_name_every_command() -> None:
    text = "".join(page.read_text() for page in (TOOLS / "man").glob("*.8"))
    for command in COMMANDS:
        if "not implemented" not in COMMANDS[command][1]:
            assert command.split()[-1] in text
