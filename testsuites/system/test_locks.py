# SPDX-License-Identifier: GPL-2.0-only
"""Locked cells, consent to shut down, and who may manage what meanwhile."""

import errno

import pytest

from harness.plugin import Cells
from harness.verbs import Jailhouse, JailhouseError

REJECTS = r"^Rejecting first shutdown request - try again!$"


@pytest.fixture
def locked(jailhouse: Jailhouse, cells: Cells) -> int:
    """apic-demo, ticking and locked."""
    mark = jailhouse.uart.end
    number = cells.run("apic-demo")
    jailhouse.uart.expect(r"^Timer fired", 10, mark)
    assert jailhouse.state(number) == "running/locked"
    return number


def refused(number: int = errno.EPERM) -> "pytest.RaisesContext[JailhouseError]":
    return pytest.raises(JailhouseError, check=lambda error: error.errno == number)


def test_create_of_another_is_refused(jailhouse: Jailhouse, locked: int) -> None:
    before = jailhouse.pools()
    with refused():
        jailhouse.create("tiny-demo")
    assert jailhouse.pools() == before
    assert jailhouse.cell(0).cpus == "0-2", "the CPU is back"
    assert [cell.id for cell in jailhouse.cells()] == [0, locked]


def test_destroy_of_another_is_refused(jailhouse: Jailhouse, cells: Cells) -> None:
    other = cells.create("tiny-demo")
    number = cells.run("apic-demo")
    jailhouse.uart.expect(r"^Timer fired", 10)
    assert jailhouse.state(number) == "running/locked"
    with refused():
        jailhouse.destroy(other)
    assert {cell.id for cell in jailhouse.cells()} == {0, other, number}


def test_reload_and_restart_of_an_existing_cell(jailhouse: Jailhouse, cells: Cells) -> None:
    other = cells.run("tiny-demo")
    number = cells.run("apic-demo")
    jailhouse.uart.expect(r"^Timer fired", 10)
    assert jailhouse.state(number) == "running/locked"
    mark = jailhouse.uart.end
    jailhouse.load(other, "tiny-demo")
    jailhouse.start(other)
    jailhouse.uart.expect(r"Hello from this tiny cell!", 10, mark)
    jailhouse.shutdown(other)
    assert jailhouse.state(other) == "shut down"


def test_first_shutdown_refused_second_accepted(jailhouse: Jailhouse, locked: int) -> None:
    mark = jailhouse.uart.end
    with refused():
        jailhouse.shutdown(locked)
    jailhouse.uart.expect(REJECTS, 5, mark)
    assert jailhouse.state(locked) == "running/locked"
    jailhouse.uart.expect(r"^Timer fired", 10, jailhouse.uart.end)
    jailhouse.shutdown(locked)
    jailhouse.uart.expect(r"^Stopped APIC demo$", 5, mark)
    assert jailhouse.state(locked) == "shut down"


def test_first_destroy_refused_second_accepted(jailhouse: Jailhouse, locked: int) -> None:
    mark = jailhouse.uart.end
    with refused():
        jailhouse.destroy(locked)
    jailhouse.uart.expect(REJECTS, 5, mark)
    jailhouse.destroy(locked)
    jailhouse.uart.expect(r"^Closing cell \"apic-demo\"$", 5, mark)
    assert jailhouse.cell(0).cpus == "0-3"
    assert jailhouse.linux.succeed("cat /sys/devices/system/cpu/online").strip() == "0-3"


def test_restart_needs_consent_too(jailhouse: Jailhouse, locked: int) -> None:
    with refused():
        jailhouse.start(locked)
    mark = jailhouse.uart.end
    jailhouse.start(locked)
    jailhouse.uart.expect(r"^Started cell \"apic-demo\"$", 5, mark)
    jailhouse.uart.expect(r"^Timer fired", 10, mark)


def test_reload_needs_consent_too(jailhouse: Jailhouse, locked: int) -> None:
    with refused():
        jailhouse.load(locked, "apic-demo")
    jailhouse.load(locked, "apic-demo")
    assert jailhouse.state(locked) == "shut down"


def test_disable_waits_for_consent(jailhouse: Jailhouse, locked: int) -> None:
    with refused():
        jailhouse.disable()
    assert jailhouse.enabled
    assert jailhouse.state(locked) == "running/locked"
    jailhouse.disable()
    assert not jailhouse.enabled


def test_disable_destroys_every_other_cell(jailhouse: Jailhouse, cells: Cells) -> None:
    """CPUs, memory and devices are Linux's again; so is what tiny-demo left running."""
    cells.run("tiny-demo")
    number = cells.run("apic-demo")
    jailhouse.uart.expect(r"^Timer fired", 10)
    assert jailhouse.state(number) == "running/locked"
    linux = jailhouse.linux
    assert linux.succeed("cat /sys/devices/system/cpu/online").strip() == "0-1"
    with refused():
        jailhouse.disable()
    jailhouse.disable()
    assert linux.succeed("cat /sys/devices/system/cpu/online").strip() == "0-3"
    for cpu in range(4):
        assert linux.succeed(f"taskset -c {cpu} echo {cpu}").strip() == str(cpu)


def test_state_after_shutdown_and_start_without_load(jailhouse: Jailhouse, cells: Cells) -> None:
    """abi.md 3.4: start re-runs whatever is in memory."""
    number = cells.run("tiny-demo")
    jailhouse.uart.expect(r"Hello from this tiny cell!", 10)
    jailhouse.shutdown(number)
    assert jailhouse.state(number) == "shut down"
    mark = jailhouse.uart.end
    jailhouse.start(number)
    jailhouse.uart.expect(r"Hello from this tiny cell!", 10, mark)
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
