# SPDX-License-Identifier: GPL-2.0-only
"""Counted time: the same machine twice, the same bytes."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness import jitter, plugin
from harness.deadlines import scaled
from harness.engines import Clock
from harness.image import Artifacts
from harness.machine import Role
from harness.session import Lab, Variant, shut
from harness.targets import Target

AUTORUN = "/usr/lib/jailhouse/autorun"
SCRIPT = Path(__file__).parent.parent / "guest" / "autorun"
CONSOLES = (Role.ROOT_CONSOLE, Role.HYPERVISOR_CONSOLE)


def whole_run(lab: Lab, variant: Variant) -> dict[Role, bytes]:
    """What the consoles said from power-on to power-off."""
    linux = lab.machine(variant)
    try:
        linux.machine.wait_end(scaled(90))
        return {role: linux.machine.stream(role).since(0) for role in CONSOLES}
    finally:
        shut(linux)


@pytest.mark.architectures("arm64", reason="on x86 a locked demo refuses the script's destroy")
def test_two_runs_are_identical(
    target: Target, artifacts: Artifacts, folder: plugin.TestFolder
) -> None:
    """Boot, enable, two seconds of ticks with their jitter, disable, power off."""
    counted = target if target.clock is Clock.ICOUNT else target.counted()
    extended = replace(artifacts, extra={AUTORUN: SCRIPT})
    lab = Lab(counted, lambda kernel: extended, folder.path, "counted")
    demo = target.programs.timer.name
    variant = Variant(
        parameters=(f"rdinit={AUTORUN}", f"jailhouse.autorun={target.root_config},{demo}")
    )
    first, second = whole_run(lab, variant), whole_run(lab, variant)
    said = first[Role.HYPERVISOR_CONSOLE].decode()
    assert jitter.parse(said).count >= 15, said
    assert b"autorun ended" in first[Role.ROOT_CONSOLE]
    for role in CONSOLES:
        assert first[role] == second[role], role
