# SPDX-License-Identifier: GPL-2.0-only
"""Statistics of jitter on the host's clock."""

from __future__ import annotations

import itertools
import random

import pytest

from harness import jitterwall
from harness.jitterwall import arm, interleaved, judge, median_interval


@pytest.mark.parametrize(
    ("count", "low", "high"), [(1, 1, 1), (5, 1, 5), (6, 1, 6), (9, 2, 8), (10, 2, 9), (20, 6, 15)]
)
def test_intervals_are_those_of_the_tables(count: int, low: int, high: int) -> None:
    values = list(range(1, count + 1))
    random.Random(1).shuffle(values)
    assert median_interval(values) == (low, high)


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    dice = random.Random(2)
    hits = 0
    for _ in range(2000):
        low, high = median_interval([dice.expovariate(1) for _ in range(11)])
        hits += low <= 0.6931 <= high
    assert hits >= 1900


def test_no_values_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        median_interval([])


US = 1000.0


@pytest.mark.parametrize(
    ("second", "control", "verdict"),
    [
        ([205] * 7, [200] * 7, "no difference: other is +5.0 us (+2.5%), below the floor"),
        ([240] * 7, [250] * 7, "no difference: other is +40.0 us (+20.0%), the same build twice"),
        ([150, 240, 240, 240, 240, 240, 240], [200] * 7, "intervals overlap"),
        ([300] * 7, [205] * 7, "different: other is +100.0 us (+50.0%)"),
        ([100] * 7, [205] * 7, "different: other is -100.0 us (-50.0%)"),
    ],
)
def test_verdicts(second: list[int], control: list[int], verdict: str) -> None:
    arms = [
        arm(name, [value * US for value in values])
        for name, values in zip(jitterwall.ARMS, ([200] * 7, control, second), strict=True)
    ]
    arms[2] = arm("other", [value * US for value in second])
    assert verdict in judge(*arms)


def test_arms_take_turns_in_every_order() -> None:
    seen: list[str] = []

    def measure(name: str) -> float:
        seen.append(name)
        return 200 * US + len(seen)

    wall = interleaved(measure, 6, "amd-tcg")
    rounds = [tuple(seen[n : n + 3]) for n in range(0, 18, 3)]
    assert sorted(rounds) == sorted(itertools.permutations(jitterwall.ARMS))
    assert [len(side.run_medians) for side in (wall.first, wall.control, wall.second)] == [6] * 3
    assert wall.target == "amd-tcg"
    assert wall.verdict.startswith("no difference")
