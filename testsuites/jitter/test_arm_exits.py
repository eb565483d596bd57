# SPDX-License-Identifier: GPL-2.0-only
"""ARM64: what exits cost with counted time, and how many of them a tick takes."""

import pytest

from harness import jitterarm, plugin
from harness.image import Artifacts
from harness.jitterdata import Cost
from harness.provision import DEFAULT_KERNEL
from harness.targets import Target

pytestmark = pytest.mark.architectures("arm64", reason="exits of ARM")


def test_exits_cost_what_they_may(
    target: Target, artifacts: Artifacts, folder: plugin.TestFolder
) -> None:
    version = 2 if target.machine.name.endswith("gicv2") else 3
    run = jitterarm.measure(artifacts, DEFAULT_KERNEL, folder.path / "counted", version)
    assert {cost.name for cost in run.costs} == set(jitterarm.REFERENCES)

    def over(cost: Cost) -> bool:
        return cost.limit is None or cost.median > cost.limit

    assert not [f"{cost.name}: {cost.median:g} > {cost.limit}" for cost in run.costs if over(cost)]
    for budget in run.budgets:
        assert budget.seen == budget.allowed, f"{budget.scenario}, {budget.event}"
    assert run.series[0].count >= 2 * jitterarm.TICKS
