# SPDX-License-Identifier: GPL-2.0-only
"""pytest: whose fault each failure is, apart, in the exit summary.

::

    verdicts: product 1, harness 1, emulator 1, starved host 1, unsupported 2
      product       testsuites/system/test_locks.py::test_x[amd-tcg]
      ...

"emulator" counts expected failures by name (errata), "unsupported" the skips that
testsuites/expected/ lists; neither fails a run.
"""

from __future__ import annotations

from typing import Any

import pytest

#: Verdicts (errors.Verdict.verdict) in the words of the summary, worst first.
TITLES = {
    "product": "product",
    "harness": "harness",
    "erratum": "emulator",
    "starved": "starved host",
    "unsupported": "unsupported",
}
_NAME = "jailhouse-verdicts"


class Verdicts:
    """In the controlling process: the tests of each verdict, in the order of their ends."""

    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = {title: [] for title in TITLES.values()}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        verdict = verdict_in(report)
        if verdict is not None:
            tests = self.tests.setdefault(TITLES.get(verdict, verdict), [])
            if report.nodeid not in tests:
                tests.append(report.nodeid)

    def lines(self) -> list[str]:
        """The summary; empty if everything went well and nothing was left out."""
        counted = {title: tests for title, tests in self.tests.items() if tests}
        if not counted:
            return []
        head = ", ".join(f"{title} {len(tests)}" for title, tests in counted.items())
        width = max(map(len, counted))
        return [f"verdicts: {head}"] + [
            f"  {title:<{width}}  {test}" for title, tests in counted.items() for test in tests
        ]


def verdict_in(report: pytest.TestReport) -> str | None:
    """The verdict of one phase of a test; None if it went well."""
    if report.failed:
        default = "product" if report.when == "call" else "harness"
        return str(dict(report.user_properties).get("verdict", default))
    if report.skipped:
        return "erratum" if hasattr(report, "wasxfail") else "unsupported"
    return None


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Verdicts(), _NAME)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    verdicts = config.pluginmanager.getplugin(_NAME)
    for line in verdicts.lines() if verdicts is not None else ():
        terminalreporter.write_line(line)
