# SPDX-License-Identifier: GPL-2.0-only
"""In the controlling process: verdicts and skips of all workers."""

from __future__ import annotations

import pytest

from harness import expected
from harness.plugin.run import Run


class Judge:
    """Collects them from the reports."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties = dict(report.user_properties)
        target = str(properties.get("target", expected.HOST))
        if report.failed:
            default = "product" if report.when == "call" else "harness"
            self._run.verdicts.add(str(properties.get("verdict", default)))
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self._add(report, target, True, reason)
        elif report.when == "call":
            self._add(report, target, False)

    def _add(
        self, report: pytest.TestReport, target: str, skipped: bool, reason: str = ""
    ) -> None:
        name = expected.plain_name(report.nodeid, target)
        self._run.outcomes.append(expected.Outcome(name, target, skipped, reason))
