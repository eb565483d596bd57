# SPDX-License-Identifier: GPL-2.0-only
"""pytest: options, fixtures by stage, results by test, verdicts by run.

Verdicts become exit codes (`errors.EXIT_CODES`) in the controlling process.
pytest registers this package alone: whatever hook or fixture it is to see is
imported here.
"""

from harness.plugin.folder import TestFolder, folder, pytest_runtest_makereport
from harness.plugin.hooks import (
    pytest_configure,
    pytest_generate_tests,
    pytest_report_header,
    pytest_sessionfinish,
    pytest_sessionstart,
    pytest_terminal_summary,
)
from harness.plugin.options import pytest_addoption
from harness.plugin.stages import (
    Cells,
    _capabilities,
    artifacts,
    cells,
    fresh_linux,
    jailhouse,
    linux,
    repeats,
    target,
)
from harness.plugin.workers import (
    pytest_configure_node,
    pytest_keyboard_interrupt,
    pytest_xdist_auto_num_workers,
)

__all__ = [
    "Cells",
    "TestFolder",
    "_capabilities",
    "artifacts",
    "cells",
    "folder",
    "fresh_linux",
    "jailhouse",
    "linux",
    "pytest_addoption",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_generate_tests",
    "pytest_keyboard_interrupt",
    "pytest_report_header",
    "pytest_runtest_makereport",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_terminal_summary",
    "pytest_xdist_auto_num_workers",
    "repeats",
    "target",
]
