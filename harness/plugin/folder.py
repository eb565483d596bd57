# SPDX-License-Identifier: GPL-2.0-only
"""Results by test: its folder, and the verdict of its failure."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import expected
from harness.errors import EmulatorErratum, Unsupported, verdict_of
from harness.guest.linux import Linux
from harness.hang.stash import MACHINES
from harness.plugin.run import RUN
from harness.results import Transcript, folder_name
from harness.streams import Stream
from harness.targets import Target

OUTCOME = pytest.StashKey[dict[str, pytest.TestReport]]()


@dataclass
class TestFolder:
    """Where one test's evidence goes; a test without a machine has no folder."""

    path: Path
    rerun: str
    #: For hang reports: every machine so far, with this folder.
    machines: list[tuple[Linux, Path]] = field(default_factory=list)
    _streams: list[Stream] = field(default_factory=list)
    _transcript: Transcript | None = None

    def record(self, linux: Linux) -> None:
        """Record the machine's streams and steps from now on."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.machines.append((linux, self.path))
        if self._transcript is None:
            self._transcript = Transcript(self.path / "transcript.log")
            (self.path / "rerun.txt").write_text(self.rerun + "\n")
        machine = linux.machine
        machine_file = self.path / "machine.txt"
        with machine_file.open("a") as file:
            file.write(f"{machine.results}\n")
        for stream in machine.streams.values():
            stream.record(self.path / f"{stream.name}.log")
            self._streams.append(stream)
        linux.on_step = self._transcript.step

    def step(self, text: str) -> None:
        if self._transcript is not None:
            self._transcript.step(text)

    def close(self) -> None:
        for stream in self._streams:
            stream.unrecord(self.path / f"{stream.name}.log")


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[TestFolder]:
    """The test's result folder."""
    run = request.config.stash[RUN]
    made = TestFolder(
        run.directory / folder_name(request.node.nodeid), run.command(request.node.nodeid)
    )
    request.node.stash[MACHINES] = made.machines
    yield made
    report = request.node.stash.get(OUTCOME, {}).get("call")
    if report is not None:
        made.step(f"test {report.outcome}")
    made.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the verdict; Unsupported is a skip, an emulator's erratum an expected failure."""
    report = yield
    item.stash.setdefault(OUTCOME, {})[report.when] = report
    raised = call.excinfo.value if call.excinfo is not None else None
    if isinstance(raised, Unsupported):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), 0, f"Unsupported: {raised}")
    elif isinstance(raised, EmulatorErratum):
        # An expected failure, by name: shown as xfailed, never as passed.
        report.outcome = "skipped"
        report.wasxfail = f"emulator erratum {raised}"
    elif report.failed and raised is not None:
        report.user_properties.append(("verdict", verdict_of(raised)))
        _keep_failure(item, report)
    target = getattr(getattr(item, "callspec", None), "params", {}).get("target")
    name = target.name if isinstance(target, Target) else expected.HOST
    report.user_properties.append(("target", name))
    return report


def _keep_failure(item: pytest.Item, report: pytest.TestReport) -> None:
    """The failure beside the streams, if the test got as far as having some."""
    path = item.config.stash[RUN].directory / folder_name(item.nodeid)
    if path.exists():
        with (path / "failure.txt").open("a") as file:
            file.write(f"--- {report.when}\n{report.longreprtext}\n")
