# SPDX-License-Identifier: GPL-2.0-only
"""`cell stats`: rates, and the screen on a pseudo terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jailhouse import sysfs
from jailhouse.cli import main
from jailhouse.stats import Rates, View, lines

from .conftest import REPOSITORY
from .fakes import Tree

COMMAND = """
import sys
sys.path.insert(0, {tools!r})
from jailhouse import sysfs, stats
sysfs.ROOT = {root!r}
stats.INTERVAL = 0.05
from jailhouse.cli import main
sys.exit(main(["jailhouse", "cell", {command!r}, "demo"]))
"""


def demo(tree: Tree) -> None:
    tree.cell(1, "demo", "running", "2-3")
    tree.counters(1, None, vmexits_total=300, vmexits_mmio=7)
    tree.counters(1, 2, vmexits_total=111)
    tree.counters(1, 3, vmexits_total=222)


def test_rates() -> None:
    now = [10.0]
    rates = Rates(clock=lambda: now[0])
    assert rates.update({"a": 5}) == [("a", 5, None)]
    now[0] = 12.0
    assert rates.update({"a": 25, "b": 1}) == [("a", 25, 10), ("b", 1, None)]
    rates.restart()
    now[0] = 13.0
    assert rates.update({"a": 25}) == [("a", 25, None)]


def test_cycling_through_cpus() -> None:
    view = View(sysfs.Cell(1, "demo", "running", "2-3", ""))
    seen = []
    for _ in range(4):
        seen.append(view.cpu)
        view.next_cpu([2, 3])
    assert seen == [None, 2, 3, 2]
    view.next_cpu([])
    assert view.cpu is None


def test_screen_as_text() -> None:
    view = View(sysfs.Cell(1, "demo", "running", "2-3", ""), 3)
    text = lines(view, [("vmexits_total", 1234, 56), ("vmexits_mmio", 7, None)])
    assert text[0] == "Statistics for demo cell, CPU 3"
    assert text[2].split("  ")[0] == "COUNTER"
    assert text[3].split() == ["vmexits_total", "1234", "56"]
    assert text[4].split() == ["vmexits_mmio", "7"]


class Terminal:
    """The command on a pseudo terminal, with everything it has printed."""

    def __init__(self, root: Path, command: str = "stats") -> None:
        tools = str(REPOSITORY / "tools")
        code = COMMAND.format(tools=tools, root=str(root), command=command)
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-IS", "-c", code],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"TERM": "linux", "LINES": "24", "COLUMNS": "80"},
            start_new_session=True,
        )
        os.close(slave)
        self.output = ""
        self.position = 0

    def expect(self, text: str) -> None:
        """Wait for text behind the last match; curses only sends what changes."""
        deadline = time.monotonic() + 20
        while text not in self.output[self.position :]:
            assert time.monotonic() < deadline, f"no {text!r} in {self.output!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                self.output += os.read(self.master, 65536).decode(errors="replace")
        self.position = self.output.index(text, self.position) + len(text)

    def press(self, key: str) -> None:
        os.write(self.master, key.encode())

    def finish(self) -> int:
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            os.close(self.master)


@pytest.mark.parametrize("command", ["stats", "stat"])
def test_keys(tree: Tree, command: str) -> None:
    demo(tree)
    terminal = Terminal(tree.root, command)
    terminal.expect("Statistics for demo cell")
    terminal.expect("PER SEC")
    terminal.expect("300")
    terminal.press("c")
    terminal.expect("CPU 2")
    terminal.expect("111")
    terminal.press("c")
    terminal.expect("222")
    terminal.press("a")
    terminal.expect("300")
    terminal.press("q")
    assert terminal.finish() == 0


def test_counters_move(tree: Tree) -> None:
    demo(tree)
    terminal = Terminal(tree.root)
    terminal.expect("vmexits_total")
    tree.counters(1, None, vmexits_total=45678)
    terminal.expect("45678")
    terminal.press("q")
    assert terminal.finish() == 0


def test_cell_that_goes_away(tree: Tree) -> None:
    demo(tree)
    terminal = Terminal(tree.root)
    terminal.expect("vmexits_total")
    (tree.root / "cells/1/statistics").rename(tree.root / "gone")
    terminal.expect('cell "demo" is gone')
    assert terminal.finish() == 1


def test_unknown_cell(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jailhouse", "cell", "stats", "nobody"]) == 1
    assert capsys.readouterr() == ("", "no such cell: nobody\n")


def test_without_terminal(tree: Tree) -> None:
    demo(tree)
    code = COMMAND.format(tools=str(REPOSITORY / "tools"), root=str(tree.root), command="stats")
    run = subprocess.run(
        [sys.executable, "-IS", "-c", code],
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert run.returncode == 1
    assert "needs a terminal" in run.stderr
