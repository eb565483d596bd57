# SPDX-License-Identifier: GPL-2.0-only
"""Devices of the root cell while CPUs, pins and functions change hands: seen from Linux and in the hardware."""

import re

import pytest

from harness.guest.linux import Linux
from harness.plugin import Cells
from harness.verbs import Jailhouse

pytestmark = pytest.mark.architectures("x86", reason="MSI and IOAPIC of the x86 machine")

DISK, NETWORK = "ahci", r"eth0|enp0s2"


def interrupts(linux: Linux, name: str) -> dict[int, list[int]]:
    """Counts for each CPU of the interrupts of a device, by number."""
    found = {}
    for line in linux.succeed("cat /proc/interrupts").splitlines():
        fields = re.match(rf" *(\d+):((?: +\d+)+) .*(?:{name})", line)
        if fields:
            found[int(fields[1])] = [int(count) for count in fields[2].split()]
    return found


def use_disk(linux: Linux) -> None:
    linux.succeed("echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/sda of=/dev/null bs=64k count=16 2>/dev/null")


def redirection_table(linux: Linux) -> list[str]:
    """The hardware's IOAPIC entries, one line a pin, without what a moment changes."""
    lines = re.findall(r"^ *pin +\d+.*$", linux.machine.monitor.human("info pic"), re.M)
    assert len(lines) == 24, lines
    return [re.sub(r" *\((?:pending|RemoteIRR)?[^)]*\)$", "", line) for line in lines]


@pytest.mark.needs("msi")
def test_msi_follows_when_its_cpu_leaves(jailhouse: Jailhouse) -> None:
    """Linux programs MSI and MSI-X under the hypervisor: for a CPU, away from it, and back."""
    linux = jailhouse.linux
    numbers = [*interrupts(linux, DISK), *interrupts(linux, NETWORK)]
    assert numbers
    for _ in range(3):
        for number in numbers:
            linux.succeed(f"echo 2 >/proc/irq/{number}/smp_affinity_list")
        use_disk(linux)
        before = interrupts(linux, DISK)
        use_disk(linux)
        after = interrupts(linux, DISK)
        assert any(after[n][2] > before[n][2] for n in before), "delivered to the CPU that was asked for"
        jailhouse.create("test-one")
        use_disk(linux)
        linux.check_health()
        jailhouse.destroy("test-one")
    use_disk(linux)
    linux.check_health()
    assert "WARNING: MSI of device" not in jailhouse.uart.text()


@pytest.mark.needs("monitor")
def test_pin_is_the_cells_and_comes_back(jailhouse: Jailhouse, cells: Cells) -> None:
    linux = jailhouse.linux
    before = redirection_table(linux)
    number = cells.run("ioapic-demo")
    jailhouse.uart.expect("^ACPI IRQ received", 15)
    during = redirection_table(linux)
    assert [pin for pin in range(24) if during[pin] != before[pin]] == [9]
    jailhouse.destroy(number)
    assert redirection_table(linux) == before


@pytest.mark.needs("monitor")
def test_enable_and_disable_leave_the_ioapic_alone(verbs: Jailhouse, target) -> None:  # type: ignore[no-untyped-def]
    before = redirection_table(verbs.linux)
    verbs.enable(target.root_config)
    assert redirection_table(verbs.linux) == before
    verbs.disable()
    assert redirection_table(verbs.linux) == before
