# SPDX-License-Identifier: GPL-2.0-only
"""Fixtures that system tests and bug reports share."""

from collections.abc import Iterator

import pytest

from harness.guest.linux import Linux
from harness.programs import Program
from harness.session import restored
from harness.targets import Target
from harness.verbs import Jailhouse
from testsuites.checks import Bench, Hvcall


@pytest.fixture
def verbs(linux: Linux) -> Iterator[Jailhouse]:
    """The verbs on a Linux whose hypervisor is off and whose module is loaded."""
    jailhouse = Jailhouse(linux)
    jailhouse.load_module()
    yield jailhouse
    if linux.machine.alive:
        restored(jailhouse)


@pytest.fixture
def timer(target: Target) -> Program:
    """The target's demo with a timer, whose jitter people look at."""
    return target.programs.timer


@pytest.fixture
def small(target: Target) -> Program:
    """The target's smallest demo: it prints."""
    return target.programs.small


@pytest.fixture
def hvcall(linux: Linux) -> Hvcall:
    """Raw hypercalls and accesses from the root cell's kernel."""
    return Hvcall(linux)


@pytest.fixture
def bench(jailhouse: Jailhouse) -> Bench:
    """A cell with one CPU (2) that runs test inmates; gone when the test ends."""
    return Bench.create(jailhouse, "test-one")


