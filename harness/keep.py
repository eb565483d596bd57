# SPDX-License-Identifier: GPL-2.0-only
"""pytest --keep-on-failure: a failed test's machine stays, with a prompt, until one leaves it."""

from __future__ import annotations

import os
from typing import Any

import pytest

from harness.hang.stash import MACHINES
from harness.prompt import Prompt


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("jailhouse").addoption(
        "--keep-on-failure", action="store_true",
        help="hold a failed test's machine at a prompt before anything is given back",
    )  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse where nobody could type."""
    if not config.option.keep_on_failure:
        return
    if getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("--keep-on-failure needs one process: leave out -n")
    if os.environ.get("CI"):
        raise pytest.UsageError("--keep-on-failure waits for a person: not in CI (CI is set)")


def pytest_exception_interact(
    node: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport
) -> None:
    """Called for a failure, before its fixtures are torn down."""
    if not node.config.option.keep_on_failure or call.excinfo is None:
        return
    for linux, folder in node.stash.get(MACHINES, [])[-1:]:
        if not linux.machine.alive:
            continue
        capture = node.config.pluginmanager.getplugin("capturemanager")
        capture.suspend(in_=True)
        try:
            error = call.excinfo.value
            print(f"\n\n{node.nodeid} failed in {report.when}: {type(error).__name__}: {error}")
            print("\n".join(getattr(error, "__notes__", ())))
            print(
                f"its machine is kept; results: {folder}\n.help tells what can be done here",
                flush=True,
            )
            Prompt(linux).run()
        finally:
            capture.resume()
