# SPDX-License-Identifier: GPL-2.0-only
"""pytest: a test whose wait expired gets a hang report while its machine still runs."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from harness.hang.attach import TEXT, explain, explained
from harness.hang.stash import MACHINES


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Before the fixtures give the machine back, and before the error is put into words."""
    said = ""
    if call.excinfo is not None:
        for linux, folder in item.stash.get(MACHINES, [])[-1:]:
            error = call.excinfo.value
            if explained(error):  # a boot that failed, whose machine is gone
                said = str(linux.machine.results / TEXT)
            report = explain(linux, error, [folder])
            if report is not None:
                said = f"{report.summary()}\n\nall of it: {folder / TEXT}"
    result = yield
    if said:
        result.sections.append(("hang report", said))
    return result
