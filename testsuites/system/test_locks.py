# SPDX-License-Identifier: GPL-2.0-only
"""Locked cells, consent to shut down, and who may manage what meanwhile."""

import errno
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from harness.plugin import Cells
from harness.programs import Program
from harness.targets import Target
from harness.verbs import Jailhouse, JailhouseError
from testsuites.checks import COMMAND_LINE, Bench, cpus_but, online

#: Two cells at once, and Linux keeps CPU 0.
several = pytest.mark.needs("cpus-3")


@dataclass(frozen=True)
class Locker:
    """A cell and a program in it that locks it and refuses the first request."""

    cell: str
    images: tuple[str | tuple[str, int], ...]
    ready: str
    rejects: str
    stopped: str


LOCKERS = {
    "x86": Locker(
        "apic-demo",
        ("apic-demo",),
        ready=r"^Timer fired",
        rejects=r"^Rejecting first shutdown request - try again!$",
        stopped=r"^Stopped APIC demo$",
    ),
    # gic-demo knows no messages.
    "arm64": Locker(
        "test-other",
        ("protocol", ("string:lock deny=1", COMMAND_LINE)),
        ready=r"^(READY|TICK \d+)$",
        rejects=r"^MESSAGE 1 REPLY 2$",
        stopped=r"^DONE protocol ok$",
    ),
}


@pytest.fixture
def locker(target: Target) -> Locker:
    return LOCKERS[target.architecture]


Lock = Callable[[], int]


@pytest.fixture
def lock(jailhouse: Jailhouse, cells: Cells, locker: Locker) -> Lock:
    """Starts a cell that is locked; returns its number."""

    def start() -> int:
        mark = jailhouse.uart.end
        number = cells.run(locker.cell, *locker.images)
        jailhouse.uart.expect(locker.ready, 10, mark)
        assert jailhouse.state(number) == "running/locked"
        return number

    return start


@pytest.fixture
def locked(lock: Lock) -> int:
    return lock()


def refused(number: int = errno.EPERM) -> "pytest.RaisesExc[JailhouseError]":
    return pytest.raises(JailhouseError, check=lambda error: error.errno == number)


@several
def test_create_of_another_is_refused(
    jailhouse: Jailhouse, locked: int, small: Program
) -> None:
    before = jailhouse.pools()
    cpu = int(jailhouse.cell(locked).cpus)
    with refused():
        jailhouse.create(small.name)
    assert jailhouse.pools() == before
    assert jailhouse.cell(0).cpus == cpus_but(jailhouse.linux, cpu), "the CPU is back"
    assert [cell.id for cell in jailhouse.cells()] == [0, locked]


@several
def test_destroy_of_another_is_refused(
    jailhouse: Jailhouse, cells: Cells, lock: Lock, small: Program
) -> None:
    other = cells.create(small.name)
    number = lock()
    with refused():
        jailhouse.destroy(other)
    assert {cell.id for cell in jailhouse.cells()} == {0, other, number}


@several
def test_reload_and_restart_of_an_existing_cell(
    jailhouse: Jailhouse, bench: Bench, lock: Lock
) -> None:
    # On a UART of its own where there is one: two cells on one write into each other's lines.
    bench.run("protocol")
    bench.says("^READY$")
    lock()
    bench.run("protocol")
    bench.says("^READY$")
    jailhouse.shutdown(bench.number)
    assert bench.state == "shut down"


def test_first_shutdown_refused_second_accepted(
    jailhouse: Jailhouse, locked: int, locker: Locker
) -> None:
    mark = jailhouse.uart.end
    with refused():
        jailhouse.shutdown(locked)
    jailhouse.uart.expect(locker.rejects, 5, mark)
    assert jailhouse.state(locked) == "running/locked"
    jailhouse.uart.expect(locker.ready, 10, jailhouse.uart.end)
    jailhouse.shutdown(locked)
    jailhouse.uart.expect(locker.stopped, 5, mark)
    assert jailhouse.state(locked) == "shut down"


def test_first_destroy_refused_second_accepted(
    jailhouse: Jailhouse, locked: int, locker: Locker
) -> None:
    mark = jailhouse.uart.end
    with refused():
        jailhouse.destroy(locked)
    jailhouse.uart.expect(locker.rejects, 5, mark)
    jailhouse.destroy(locked)
    jailhouse.uart.expect(rf'^Closing cell "{locker.cell}"$', 5, mark)
    every = cpus_but(jailhouse.linux)
    assert (jailhouse.cell(0).cpus, online(jailhouse.linux)) == (every, every)


def test_restart_needs_consent_too(jailhouse: Jailhouse, locked: int, locker: Locker) -> None:
    with refused():
        jailhouse.start(locked)
    mark = jailhouse.uart.end
    jailhouse.start(locked)
    jailhouse.uart.expect(rf'^Started cell "{locker.cell}"$', 5, mark)
    jailhouse.uart.expect(locker.ready, 10, mark)


def test_reload_needs_consent_too(jailhouse: Jailhouse, locked: int, locker: Locker) -> None:
    with refused():
        jailhouse.load(locked, *locker.images)
    jailhouse.load(locked, *locker.images)
    assert jailhouse.state(locked) == "shut down"


def test_disable_waits_for_consent(jailhouse: Jailhouse, locked: int) -> None:
    with refused():
        jailhouse.disable()
    assert jailhouse.enabled
    assert jailhouse.state(locked) == "running/locked"
    jailhouse.disable()
    assert not jailhouse.enabled


@several
def test_disable_destroys_every_other_cell(
    jailhouse: Jailhouse, cells: Cells, lock: Lock, small: Program
) -> None:
    """CPUs, memory and devices are Linux's again; so is what the small demo left running."""
    cells.run(small.name)
    cpu = int(jailhouse.cell(lock()).cpus)
    linux = jailhouse.linux
    assert online(linux) == cpus_but(linux, cpu, small.cpu)
    with refused():
        jailhouse.disable()
    jailhouse.disable()
    assert online(linux) == cpus_but(linux)
    for cpu in range(linux.machine.spec.cpus):
        assert linux.succeed(f"taskset -c {cpu} echo {cpu}").strip() == str(cpu)


def test_state_after_shutdown_and_start_without_load(
    jailhouse: Jailhouse, cells: Cells, small: Program
) -> None:
    """abi.md 3.4: start re-runs whatever is in memory."""
    says = small.says.strip("^$")
    number = cells.run(small.name)
    jailhouse.uart.expect(says, 10)
    jailhouse.shutdown(number)
    assert jailhouse.state(number) == "shut down"
    mark = jailhouse.uart.end
    jailhouse.start(number)
    jailhouse.uart.expect(says, 10, mark)
    assert jailhouse.state(number) == "running"


def test_root_cell_is_no_target(jailhouse: Jailhouse) -> None:
    for verb in (jailhouse.start, jailhouse.shutdown, jailhouse.destroy):
        with refused(errno.EINVAL):
            verb(0)


def test_unknown_cell(jailhouse: Jailhouse) -> None:
    for verb in (jailhouse.start, jailhouse.shutdown, jailhouse.destroy):
        with refused(errno.ENOENT):
            verb(7)
        with refused(errno.ENOENT):
            verb("nobody")
