# SPDX-License-Identifier: GPL-2.0-only
"""`make report`, seen through a browser: a run with a failure of each kind."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from harness.report import allure
from harness.results import REPOSITORY
from testsuites import nested

#: A run as the harness leaves it, without a machine: a test's folder is written by hand.
TESTS = '''
import os, pytest, signal
from harness.errors import HarnessFailure, NetworkLost
from harness.results import Transcript

@pytest.fixture
def evidence(folder):
    folder.path.mkdir()
    machine = folder.path.parent / "machines" / "main-1"
    machine.mkdir(parents=True)
    (machine / "machine.sh").write_text("qemu-system-x86_64 -smp 4 -m 1024M")
    (folder.path / "machine.txt").write_text(f"{machine}\\n")
    (folder.path / "hypervisor-console.log").write_text("Activating hypervisor\\n")
    transcript = Transcript(folder.path / "transcript.log")
    transcript.step("enable config=qemu-x86.cell")
    transcript.step("run 'jailhouse cell list' -> 0 in 0.123 s")

@pytest.mark.bug("A12")
def test_with_evidence(evidence): pass
def test_product(): raise NetworkLost("the network is gone")
def test_harness(): raise HarnessFailure("the image is broken")
def test_killed(): os.kill(os.getpid(), signal.SIGKILL)
'''


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of that run."""
    folder = tmp_path_factory.mktemp("reported")
    _, run = nested.run(folder, TESTS, "-n", "1")
    done = subprocess.run(
        [sys.executable, "-m", "harness.report", run], cwd=REPOSITORY, env=nested.environment(folder),
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return run / allure.REPORT


def test_what_a_reader_sees_first(opened: Callable[..., Page], report: Path) -> None:
    page = opened(report)
    for text in ("Jailhouse,", "Metadata", "commit", "kernel", "qemu", "gcc"):
        expect(page.get_by_text(text).first).to_be_visible()
    for tab, count in (("Total", 4), ("Failed", 1), ("Broken", 2), ("Passed", 1)):
        shown = page.get_by_test_id(f"tab-{tab.lower()}").or_(
            page.get_by_role("button", name=f"{tab} {count}", exact=True)
        )
        expect(shown.first).to_be_visible()


def test_a_test_shows_steps_consoles_machine_and_bug(
    opened: Callable[..., Page], report: Path
) -> None:
    page = opened(report)
    page.get_by_text("test_with_evidence").first.click()
    for text in (
        "A12: pages leak at create",
        "enable config=qemu-x86.cell",
        "run 'jailhouse cell list' -> 0 in 0.123 s",
        "console: hypervisor",
        "machine",
    ):
        expect(page.get_by_text(text).first).to_be_visible()
    page.get_by_text("console: hypervisor").first.click()
    expect(page.get_by_text("Activating hypervisor").first).to_be_visible()


def test_a_killed_worker_and_its_verdict_are_legible_on_a_phone(
    opened: Callable[..., Page], report: Path
) -> None:
    page = opened(report, width=400, scheme="dark")
    page.get_by_text("test_killed").first.click()
    expect(page.get_by_text("crashed while running").first).to_be_visible()
