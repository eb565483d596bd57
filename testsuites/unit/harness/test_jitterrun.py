# SPDX-License-Identifier: GPL-2.0-only
"""What a scenario's record says about management operations."""

from __future__ import annotations

from harness.jitterrun import NS, management, operations


def _line(ticks: int, **step: object) -> dict[str, object]:
    return {"step": step, "ticks": ticks * NS}


def test_medians_of_the_first_cell() -> None:
    record = [
        _line(900, do="enable", config="root"),
        *(_line(ticks, do="create", config="demo") for ticks in (500, 100, 120)),
        _line(7, do="create", config="other"),
        *(_line(ticks, do="destroy", cell="demo") for ticks in (210, 200, 330)),
        _line(9, do="destroy", cell="other"),
        _line(80, do="disable"),
    ]
    found = operations(record, {"enable": 2000, "create": 300, "destroy": 400, "disable": None})
    assert [(one.name, one.instructions, one.limit) for one in found] == [
        ("enable", 900, 1000), ("create", 120, 150), ("destroy", 210, 200), ("disable", 80, None),
    ]  # fmt: skip
    assert [one.within_limit for one in found] == [True, True, False, None]


def test_a_rest_before_each_operation() -> None:
    steps = [step["do"] for step in management("root", "demo", 2)]
    assert set(steps[::2]) == {"sleep"}
    assert steps[1::2] == ["create", "destroy"] * 2 + ["disable", "enable"] * 2 + ["disable"]
