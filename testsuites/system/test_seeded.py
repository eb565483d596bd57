# SPDX-License-Identifier: GPL-2.0-only
"""The tests are tested: builds with one defect each, and the check that has to
fail on it. The same checks pass on the real build, here and in other files."""

import errno
from collections.abc import Callable

import pytest

from harness.guest.linux import Linux
from harness.targets import Target
from harness.verbs import Jailhouse, JailhouseError
from testsuites.checks import (
    FAILED,
    Bench,
    Hvcall,
    assert_parked,
    cpus_but,
    hypervisor_build,
    online,
)

x86 = pytest.mark.architectures("x86", reason="there are no ports elsewhere")
#: Two cells beside Linux, or a CPU of Linux that it can lose.
several = pytest.mark.needs("cpus-4")

#: test-one's RAM at guest address 0x200000, and what is said of root's access to it.
RAM = {"x86": 0x3A800000, "arm64": 0x70200000}
SAID = {
    "x86": 'FATAL: Invalid MMIO/RAM read, addr: 0x000000003a800000 size: 8.*"{root}"',
    "arm64": r'Unhandled data read at 0x70200000\(8\), cell "{root}"',
}
KEY = 0x5EED


def check_lock(jailhouse: Jailhouse) -> None:
    """Nobody may be created beside a locked cell."""
    bench = Bench.create(jailhouse, "test-one")
    bench.run("protocol", "lock")
    bench.says("^READY$")
    assert bench.state == "running/locked"
    with pytest.raises(JailhouseError) as refused:
        jailhouse.create("test-other")
    assert refused.value.errno == errno.EPERM


def check_ram(jailhouse: Jailhouse) -> None:
    """A root CPU that touches the memory of a running cell is stopped and named.

    It does not come back: the machine is of no use afterwards.
    """
    bench = Bench.create(jailhouse, "test-one")
    bench.run("memcheck", f"mode=fill key={KEY} end=serve")
    bench.done()
    arch, root = jailhouse.linux.machine.spec.architecture, jailhouse.cell(0).name
    answer = Hvcall(jailhouse.linux).sacrifice(3, "read", RAM[arch], 8)
    assert answer.parked, f"root read {answer.value:#x} of a cell's memory"
    bench.hypervisor_says(f"^{SAID[arch].format(root=root)}")
    bench.hypervisor_says(rf'^Parking CPU 3 \(Cell: "{root}"\)$')


def check_cpu(jailhouse: Jailhouse) -> None:
    """After destroy the CPU is Linux's and works."""
    bench = Bench.create(jailhouse, "test-one")
    bench.destroy()
    every = cpus_but(jailhouse.linux)
    assert jailhouse.cell(0).cpus == every
    assert online(jailhouse.linux) == every
    assert jailhouse.linux.succeed(f"taskset -c {bench.cpu} echo back", 10) == "back\n"


def check_port(jailhouse: Jailhouse) -> None:
    """A port nobody granted."""
    bench = Bench.create(jailhouse, "test-one")
    assert_parked(
        bench, bench.outcome("port-in"), r"FATAL: Invalid PIO read, port: 70 size: 1", bench.cpu
    )


SHARED = {"SEED_LOCK": check_lock, "SEED_PORT": check_port}
OWN_MACHINE = {"SEED_RAM": check_ram, "SEED_CPU": check_cpu}


@pytest.mark.parametrize(
    "word", [pytest.param("SEED_LOCK", marks=several), pytest.param("SEED_PORT", marks=x86)]
)
def test_defect_is_caught(verbs: Jailhouse, target: Target, word: str) -> None:
    with hypervisor_build(verbs.linux, word):
        verbs.enable(target.root_config)
        with pytest.raises(FAILED):
            SHARED[word](verbs)
        verbs.destroy_all()
        verbs.disable()


@pytest.mark.parametrize("word", [pytest.param("SEED_RAM", marks=several), "SEED_CPU"])
def test_defect_is_caught_on_its_own_machine(
    fresh_linux: Callable[..., Linux], target: Target, word: str
) -> None:
    linux = fresh_linux()
    verbs = Jailhouse(linux)
    verbs.load_module()
    with hypervisor_build(linux, word):
        verbs.enable(target.root_config)
        with pytest.raises(FAILED):
            OWN_MACHINE[word](verbs)


@pytest.mark.parametrize(
    "check",
    [pytest.param(check_lock, marks=several), pytest.param(check_port, marks=x86), check_cpu],
)
def test_passes_without_defect(
    jailhouse: Jailhouse, check: Callable[[Jailhouse], None]
) -> None:
    check(jailhouse)


@several
def test_ram_passes_without_defect(fresh_linux: Callable[..., Linux], target: Target) -> None:
    linux = fresh_linux()
    verbs = Jailhouse(linux)
    verbs.load_module()
    verbs.enable(target.root_config)
    check_ram(verbs)
    linux.machine.stop()
