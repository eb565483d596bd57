# SPDX-License-Identifier: GPL-2.0-only
"""The remaining demo inmates, with the lines of abi.md 12."""

import itertools
import re

import pytest

from harness.plugin import Cells
from harness.programs import Program
from harness.targets import Target
from harness.verbs import Jailhouse
from testsuites.checks import COMMAND_LINE

x86 = pytest.mark.architectures("x86", reason="this demo is about x86 hardware")
arm64 = pytest.mark.architectures("arm64", reason="this demo exists on ARM only")


@x86
def test_tiny_demo(jailhouse: Jailhouse, cells: Cells) -> None:
    mark = jailhouse.uart.end
    number = cells.run("tiny-demo")
    jailhouse.uart.expect(r"^Hello from this tiny cell!$", 10, mark)
    jailhouse.uart.expect_lines("^PM Timer: ", 10, 60, mark)
    values = [int(v) for v in re.findall(r"^PM Timer: +(\d+)$", jailhouse.uart.text(mark), re.M)]
    steps = [later - earlier for earlier, later in itertools.pairwise(values)]
    assert len(values) == 10
    # A second apart by the inmate's own clock; the host may only make it later.
    assert all(step >= 999_000_000 for step in steps)
    assert jailhouse.state(number) == "running"


@arm64
def test_uart_demo(jailhouse: Jailhouse, cells: Cells) -> None:
    mark = jailhouse.uart.end
    number = cells.run("uart-demo")
    jailhouse.uart.expect_lines(r"^Hello \d+ from cell!$", 10, 60, mark)
    found = re.findall(r"^Hello (\d+) from cell!$", jailhouse.uart.text(mark), re.M)
    counted = [int(number) for number in found]
    assert counted == list(range(counted[0], counted[0] + len(counted)))
    assert jailhouse.state(number) == "running"


@x86
def test_32_bit_demo_in_the_tiny_cell(jailhouse: Jailhouse, cells: Cells) -> None:
    mark = jailhouse.uart.end
    cells.run("tiny-demo", "32-bit-demo")
    found = jailhouse.uart.expect(r"^This runs in 32-bit mode \(EFER: ([0-9a-fx]+)\)$", 10, mark)
    assert not int(found[1], 16) & 0x500, "neither LME nor LMA"


@pytest.mark.needs("msi")
@x86
def test_pci_demo_receives_its_msi(jailhouse: Jailhouse, cells: Cells) -> None:
    mark = jailhouse.uart.end
    cells.run("pci-demo")
    jailhouse.uart.expect(r"^Found 8086:\w{4} at 00:1b\.0$", 10, mark)
    jailhouse.uart.expect(r"^HDBAR at 0x0*fe[0-9a-f]+$", 10, mark)
    jailhouse.uart.expect(r"^HDA MSI received \(STATESTS: [0-9a-f]{4}\)$", 10, mark)
    text = jailhouse.uart.text(mark)
    assert 'Adding PCI device 00:1b.0 to cell "pci-demo"' in text
    assert re.search(r'Removing PCI device 00:1b\.0 from cell "\S+"', text)


@pytest.mark.needs("msi")
@x86
def test_pci_device_comes_back(jailhouse: Jailhouse, cells: Cells) -> None:
    """While the cell has it, Linux reads all ones; afterwards the device again."""
    linux = jailhouse.linux
    read = "dd if=/sys/bus/pci/devices/0000:00:1b.0/config bs=4 count=1 2>/dev/null | hexdump -v -e '1/1 \"%02x\"'"
    mine = linux.succeed(read)
    number = cells.run("pci-demo")
    jailhouse.uart.expect(r"^HDA MSI received", 10)
    assert linux.succeed(read) == "ffffffff"
    jailhouse.destroy(number)
    assert linux.succeed(read) == mine == "86806826"


@pytest.mark.needs("ne2k")
@x86
def test_pci_device_interrupts_by_intx(jailhouse: Jailhouse, cells: Cells) -> None:
    """Level-triggered, again and again; Linux reads all ones meanwhile, and the card after."""
    linux = jailhouse.linux
    read = "dd if=/sys/bus/pci/devices/0000:00:02.0/config bs=4 count=1 2>/dev/null | hexdump -v -e '1/1 \"%02x\"'"
    mine = linux.succeed(read)
    mark = jailhouse.uart.end
    number = cells.create("pci-intx-bochs")
    jailhouse.load(number, "pci-intx", ("string:irq=10", COMMAND_LINE))
    jailhouse.start(number)
    jailhouse.uart.expect(r"^Found 10ec:8029 at 00:02\.0, I/O at c040$", 10, mark)
    jailhouse.uart.expect_lines(r"^INTx received \(ISR: 40\)$", 5, 30, mark)
    assert linux.succeed(read) == "ffffffff"
    jailhouse.destroy(number)
    assert linux.succeed(read) == mine == "ec102980"


@x86
def test_ioapic_demo(jailhouse: Jailhouse, cells: Cells) -> None:
    mark = jailhouse.uart.end
    # Where the emulator's PM timer has to be reminded: ioapic-demo.c says why.
    slow = jailhouse.linux.machine.engine.emulator == "bochs"
    words = [("string:remind", COMMAND_LINE)] if slow else []
    cells.run("ioapic-demo", "ioapic-demo", *words)
    jailhouse.uart.expect(r"^Note: ACPI IRQs are broken for Linux now\.$", 10, mark)
    jailhouse.uart.expect_lines("^ACPI IRQ received, status: [0-9a-f]{4}", 3, 30, mark)


@pytest.mark.needs("cpus-4")
def test_smp_demo(jailhouse: Jailhouse, cells: Cells) -> None:
    mark = jailhouse.uart.end
    cells.run("smp-demo")
    first = jailhouse.uart.expect(r"^SMP demo, primary CPU: (\d+)$", 10, mark)
    jailhouse.uart.expect(r"Found 2 other CPU\(s\)", 10, mark)
    others = {"1", "2", "3"} - {first[1]}
    for cpu in others:
        jailhouse.uart.expect(rf"^ Starting CPU {cpu}$", 10, mark)
        # Each sends an interrupt to the primary CPU, which says so.
        jailhouse.uart.expect(rf"Hello from CPU {cpu}!\nReceived (IPI|SGI \d+) on {first[1]}$", 10, mark)
    assert jailhouse.cell(0).cpus == "0"


@pytest.mark.needs("cpus-4")
def test_two_cells_at_once(
    jailhouse: Jailhouse, cells: Cells, timer: Program, small: Program
) -> None:
    mark = jailhouse.uart.end
    first = cells.run(small.name)
    second = cells.run(timer.name)
    jailhouse.uart.expect_lines("Timer fired", 5, 20, mark)
    jailhouse.uart.expect_lines(small.beat.strip("^$"), 2, 20, mark)
    assert jailhouse.state(first) == "running"
    assert jailhouse.state(second) == ("running/locked" if timer.locks else "running")
    assert jailhouse.cell(0).cpus == "0-1"
    assert len(jailhouse.cells()) == 3


#: Pages in use after enable, and those that a small cell adds, at most.
PAGES = {"x86": (195, 14), "arm64": (59, 14)}


def test_pools_after_a_small_cell(jailhouse: Jailhouse, target: Target, small: Program) -> None:
    """Few pages after enable, few more for a small cell, none left behind."""
    root, cell = PAGES[target.architecture]
    enabled = jailhouse.pools()
    assert enabled.mem_used <= root
    jailhouse.create(small.name)
    created = jailhouse.pools()
    assert created.mem_used - enabled.mem_used <= cell
    jailhouse.load(small.name, small.name)
    jailhouse.start(small.name)
    jailhouse.destroy(small.name)
    assert jailhouse.pools() == enabled
