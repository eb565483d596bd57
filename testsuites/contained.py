# SPDX-License-Identifier: GPL-2.0-only
"""What is asked of containment on every architecture; `what` is an access of its violate.c."""

from __future__ import annotations

import re
import time

from harness.deadlines import scaled
from harness.verbs import Jailhouse
from testsuites.checks import Bench, cpus_but, online, survived


def check_one_of_two_cpus_fails(jailhouse: Jailhouse, what: str) -> None:
    """The other one goes on, the cell's state stays running, and it still answers."""
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-two")
    bench.run("violate", f"what={what} cpu=1")
    parked = bench.hypervisor_says(r'^Parking CPU (\d) \(Cell: "test-two"\)$')
    bench.says(r"^ALIVE \d+$")
    first = len(re.findall("^ALIVE", bench.text(), re.M))
    deadline = time.monotonic() + scaled(10)
    while len(re.findall("^ALIVE", bench.text(), re.M)) < first + 3:
        assert time.monotonic() < deadline, "the other CPU stopped"
        time.sleep(0.05)
    cell = jailhouse.cell(bench.number)
    assert (cell.state, cell.cpus, cell.cpus_failed) == ("running", "2-3", parked[1])
    bench.destroy()
    survived(jailhouse, before)


def check_taken_in_time(jailhouse: Jailhouse, what: str) -> None:
    """Management gets a CPU back that never comes back by itself."""
    before = jailhouse.pools()
    bench = Bench.create(jailhouse, "test-timeout")
    bench.run("violate", f"what={what}")
    bench.says("^GO$")
    began = time.monotonic()
    bench.destroy()
    assert time.monotonic() - began < scaled(5)
    survived(jailhouse, before)


def check_root_goes_on(bench: Bench, what: str) -> None:
    """Linux keeps its CPUs and its network beside a cell that was stopped."""
    linux = bench.jailhouse.linux
    bench.run("violate", f"what={what}")
    bench.hypervisor_says(rf"^Parking CPU {bench.cpu}")
    assert online(linux) == cpus_but(linux, bench.cpu)
    assert linux.ssh.run("echo fine").output == "fine\n"
    assert bench.jailhouse.cell(0).state == "running"
