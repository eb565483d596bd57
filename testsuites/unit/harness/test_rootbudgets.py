# SPDX-License-Identifier: GPL-2.0-only
"""Exits of one event of the root cell, out of windows with and without."""

from __future__ import annotations

import pytest

from harness.guest.rootevents import PERIOD_TICKS, RootEvents
from harness.rootbudgets import IDLE, evaluate


def windows(*totals: int) -> list[dict[str, int]]:
    return [{"total": total, "xapic": total, "pio": 0} for total in totals]


def test_what_most_windows_have_counts() -> None:
    step = {"step": {"do": "root_events"}, "windows": [
        {"event": "ipi", "events": 10, "without": windows(25, 22, 22), "with": windows(52, 48, 52)},
        {"event": "tick", "events": 10, "without": windows(2), "with": windows(23)},
    ]}  # fmt: skip
    allowed = {"ipi": {"total": 3, "xapic": 3}, "tick": {"total": 2, "xapic": 2}}
    ipi, tick = evaluate([step], allowed)
    assert ipi.kept
    assert ipi.seen == {"total": 3, "xapic": 3}
    assert not tick.kept
    assert tick.seen == {"total of 10 events": 21, "xapic of 10 events": 21}


def test_an_idle_root_cell_leaves_only_for_its_local_apics() -> None:
    step = {"step": {"do": "root_idle"}, "exits": {"xapic": 40, "pio": 1, "msr_other": 0}}
    (budget,) = evaluate([step], {IDLE: {}})
    assert budget.seen == {"pio": 1}
    assert not budget.kept


@pytest.mark.parametrize(("name", "exits"), [("tick", 2), ("system_call", 7)])
def test_windows_differ_by_the_events_alone(
    monkeypatch: pytest.MonkeyPatch, name: str, exits: int
) -> None:
    def window(_self: RootEvents, _event: object, events: int, periods: int) -> dict[str, int]:
        total = 100 + 2 * PERIOD_TICKS * periods + (7 * events if name != "tick" else 0)
        return {"total": total, "xapic": total}

    monkeypatch.setattr(RootEvents, "_window", window)
    measured = RootEvents.__new__(RootEvents).measure(name, 10)
    step = {"step": {"do": "root_events"}, "windows": [measured]}
    (budget,) = evaluate([step], {name: {"total": exits, "xapic": exits}})
    assert budget.kept
    assert budget.events == (10 if name != "tick" else 10 * PERIOD_TICKS)
