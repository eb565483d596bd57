# SPDX-License-Identifier: GPL-2.0-only
"""Which tests a run collects for a target.

Tests that make no sense on an architecture are not collected for its targets.

`@pytest.mark.architectures("x86", reason="the IOAPIC is x86's")` says so: this is
no skip, because nothing is missing there. Where a target lacks what its
architecture could have, the test is skipped and listed (`needs`, expected/). A target
beside another one (`Target.beside`) runs only what that one lacks and itself has.

A run that names no target does on some of them a part only (`Target.share`).
"""

from __future__ import annotations

from typing import Any

import pytest

from harness import shares
from harness.expected import plain_name
from harness.results import REPOSITORY
from harness.targets import TARGETS, Target

SHARES = REPOSITORY / "testsuites" / "shares"
MARKER = (
    "architectures(*names, reason): this test is about something that only these architectures "
    "have; it is not collected for targets of others"
)


def _target(item: pytest.Item) -> Target | None:
    parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    found = parameters.get("target")
    return found if isinstance(found, Target) else None


def _left_over(item: pytest.Item, target: Target) -> bool:
    """Whether the target can carry the test, and the one beside it cannot."""
    needs = {name for marker in item.iter_markers("needs") for name in marker.args}
    return needs <= target.capabilities and not needs <= TARGETS[target.beside].capabilities


def belongs(item: pytest.Item) -> bool:
    """Whether the test is for its target."""
    marker, target = item.get_closest_marker("architectures"), _target(item)
    if target is None:
        return True
    if target.beside and not _left_over(item, target):
        return False
    if marker is None:
        return True
    if not marker.kwargs.get("reason"):
        raise pytest.UsageError(f"{item.nodeid}: architectures() gives no reason")
    return target.architecture in marker.args


def wanted(item: pytest.Item, named: bool) -> bool:
    """Whether a run does it; `named`: it names its targets."""
    target = _target(item)
    if named or target is None or not target.share:
        return True
    return shares.holds(shares.read(SHARES, target.share), plain_name(item.nodeid, target.name))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    named = bool(config.option.targets) and not config.option.share
    kept = [item for item in items if belongs(item) and wanted(item, named)]
    if len(kept) < len(items):
        ids = {id(item) for item in kept}
        config.hook.pytest_deselected(items=[item for item in items if id(item) not in ids])
        items[:] = kept
