# SPDX-License-Identifier: GPL-2.0-only
"""Options of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.provision import DEFAULT_KERNEL, KERNEL_SUITES
from harness.targets import TARGETS


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("jailhouse")
    group.addoption(
        "--target", action="append", dest="targets", metavar="NAME", choices=list(TARGETS),
        help="run on this target (repeatable); default: all that this host can run",
    )  # fmt: skip
    group.addoption(
        "--share", action="store_true",
        help="of a target's tests only those that a run does which names no target",
    )  # fmt: skip
    group.addoption(
        "--kernel", default=DEFAULT_KERNEL, choices=list(KERNEL_SUITES), help="guest kernel series"
    )
    group.addoption(
        "--cmdline-extra", default="", metavar="WORDS", help="kernel parameters for every boot"
    )
    group.addoption(
        "--artifacts", metavar="DIR", type=Path, default=None,
        help="test this build tree as it is, build nothing",
    )  # fmt: skip
    group.addoption(
        "--boot", action="store_true", help="boot every machine, use no checkpoints"
    )
    group.addoption(
        "--update-baseline", action="store_true",
        help="accept the jitter measured in this run as the baseline",
    )  # fmt: skip
    group.addoption(
        "--soak", action="store_true", help="run repeated tests at their full count"
    )
