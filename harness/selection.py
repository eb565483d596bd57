# SPDX-License-Identifier: GPL-2.0-only
"""Tests that make no sense on an architecture are not collected for its targets.

`@pytest.mark.architectures("x86", reason="the IOAPIC is x86's")` says so: this is
no skip, because nothing is missing there. Where a target lacks what its
architecture could have, the test is skipped and listed (`needs`, expected/).
"""

from __future__ import annotations

from typing import Any

import pytest

from harness.targets import Target

MARKER = (
    "architectures(*names, reason): this test is about something that only these architectures "
    "have; it is not collected for targets of others"
)


def _target(item: pytest.Item) -> Target | None:
    parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    found = parameters.get("target")
    return found if isinstance(found, Target) else None


def belongs(item: pytest.Item) -> bool:
    """Whether the test is for its target's architecture."""
    marker, target = item.get_closest_marker("architectures"), _target(item)
    if marker is None or target is None:
        return True
    if not marker.kwargs.get("reason"):
        raise pytest.UsageError(f"{item.nodeid}: architectures() gives no reason")
    return target.architecture in marker.args


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept = [item for item in items if belongs(item)]
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if not belongs(item)])
        items[:] = kept
