# SPDX-License-Identifier: GPL-2.0-only
"""Runs the tests of this folder in a child Python that has AddressSanitizer in front.

The sanitizer must be loaded before everything else, so it cannot come with the library under test.
The child is one pytest session that gets node ids through a pipe and answers with reports (the way
xdist's workers do); when a sanitizer ends it, the test at hand fails and the next one starts a new child.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import hostlib as hostlib_module  # noqa: E402

CHILD = "JAILHOUSE_HOSTLIB_CHILD"


@pytest.fixture
def hostlib() -> Any:
    """See hostlib.py."""
    return hostlib_module.load


def _sanitizer_runtime() -> str:
    found = subprocess.run(
        [hostlib_module.CC, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return str(Path(found).resolve(strict=True))


class Child:
    """The pytest session that runs the tests."""

    def __init__(self) -> None:
        to_child, self._commands_fd = os.pipe()
        self._reports_fd, from_child = os.pipe()
        self.stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        env = dict(os.environ)
        env.pop("PYTEST_ADDOPTS", None)
        env.update({
            CHILD: f"{to_child},{from_child}",
            "LD_PRELOAD": _sanitizer_runtime(),
            "ASAN_OPTIONS": "detect_leaks=0:exitcode=99",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
            "PYTHONMALLOC": "malloc",
        })
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-c", str(HERE / "child.ini"), "--rootdir", str(HERE),
             "--confcutdir", str(HERE), "--capture=sys", "-p", "child_plugin", "-p", "no:cacheprovider", str(HERE)],
            env={**env, "PYTHONPATH": str(HERE)}, cwd=HERE, pass_fds=(to_child, from_child),
            stdin=subprocess.DEVNULL, stdout=self.stderr, stderr=self.stderr,
        )
        os.close(to_child)
        os.close(from_child)
        self._commands = os.fdopen(self._commands_fd, "w")
        self._reports = os.fdopen(self._reports_fd, "r")

    def run(self, nodeid: str) -> tuple[list[dict[str, Any]], bool]:
        """Reports of one test, and whether the child survived it."""
        reports: list[dict[str, Any]] = []
        try:
            self._commands.write(nodeid + "\n")
            self._commands.flush()
            for line in self._reports:
                message = json.loads(line)
                if message is None:
                    return reports, True
                reports.append(message)
        except BrokenPipeError:
            pass
        return reports, False

    def last_words(self) -> str:
        self.process.wait()
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace")[-8000:]

    def close(self) -> None:
        self._commands.close()
        self._reports.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.stderr.close()


_child: list[Child] = []


def _crash_report(item: pytest.Item, words: str) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid, location=item.location, keywords={}, outcome="failed",
        longrepr=f"the child that ran this test died:\n{words}", when="call",
    )


def _run_in_child(item: pytest.Item) -> list[pytest.TestReport]:
    if not _child:
        _child.append(Child())
    nodeid = f"{item.path.relative_to(HERE)}::{item.nodeid.split('::', 1)[1]}"
    answers, alive = _child[0].run(nodeid)
    reports = []
    for answer in answers:
        report = item.config.hook.pytest_report_from_serializable(config=item.config, data=answer)
        report.nodeid, report.location = item.nodeid, item.location
        reports.append(report)
    if not alive:
        child = _child.pop()
        reports.append(_crash_report(item, child.last_words()))
        child.close()
    return reports


if CHILD not in os.environ:

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        # pytest asks every conftest it has loaded, whichever folder the test is in.
        if HERE not in item.path.parents:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in _run_in_child(item):
            item.ihook.pytest_runtest_logreport(report=report)
        # Nothing was set up here; but what the last test left for this folder has to go.
        item.session._setupstate.teardown_exact(nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_sessionfinish() -> None:
        while _child:
            _child.pop().close()
