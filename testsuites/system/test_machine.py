# SPDX-License-Identifier: GPL-2.0-only
"""What every emulated machine promises before there is a hypervisor.

`make test-boards` runs these on the boards.
"""

import re

import pytest

from harness.guest.linux import Linux
from harness.machine import Role
from harness.targets import Target
from testsuites.checks import cpus_but, online


def test_all_cpus_are_there_and_go_off_and_on(linux: Linux, target: Target) -> None:
    """Cells take CPUs by hot-plug."""
    last = target.machine.cpus - 1
    assert online(linux) == cpus_but(linux)
    switch = f"/sys/devices/system/cpu/cpu{last}/online"
    linux.succeed(f"echo 0 > {switch}")
    assert online(linux) == cpus_but(linux, last)
    linux.succeed(f"echo 1 > {switch}", 20)
    assert linux.succeed(f"taskset -c {last} echo back") == "back\n"


def test_the_reservation_is_not_linux_own(linux: Linux, target: Target) -> None:
    reserved = target.machine.reservation
    assert reserved is not None
    ram = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) : System RAM$", linux.succeed("cat /proc/iomem"), re.M)
    assert ram
    end = reserved.start + reserved.size
    for first, last in ram:
        assert int(last, 16) < reserved.start or int(first, 16) >= end, (first, last)


def test_root_console(linux: Linux) -> None:
    console = linux.machine.spec.serial(Role.ROOT_CONSOLE)
    # A line of its own also where the command channel is the same port.
    linux.succeed(f"printf '\\nwhat Linux says\\n' > /dev/{console.tty}")
    linux.machine.stream(Role.ROOT_CONSOLE).expect(r"^what Linux says$", 10)


def test_files_arrive_whole(linux: Linux) -> None:
    data = bytes(range(256)) * 400
    linux.put(data, "/tmp/data")
    assert linux.get("/tmp/data") == data


@pytest.mark.needs("network")
def test_network(linux: Linux, target: Target) -> None:
    assert target.machine.nics
    assert linux.ssh_run("echo over the network").output == "over the network\n"


#: All that the kernel remembers, also behind a `dmesg -c` of another test.
KERNEL_LOG = """
import os
log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
try:
    while True:
        print(os.read(log, 8192).decode(errors="replace"), end="")
except BlockingIOError:
    pass
"""


@pytest.mark.architectures("arm64", reason="EL2 is ARM's")
def test_linux_starts_in_el2(linux: Linux) -> None:
    """And leaves it to its stub: KVM is switched off."""
    log = linux.succeed(["python3", "-c", KERNEL_LOG])
    assert "All CPU(s) started at EL2" in log
    assert "KVM disabled from command line" in log
