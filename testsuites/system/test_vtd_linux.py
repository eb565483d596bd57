# SPDX-License-Identifier: GPL-2.0-only
"""All of the hypervisor on a machine with VT-d.

Emulators have VT-d's units, but of the CPUs' extensions only AMD's: so this is the image for
AMD, built with what the other one does about these units (CONFIG=VTD). Who blocks what is asked in
test_vtd_hardware.py and in the unit tests; here Linux works, its devices and those of cells.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from harness import artifacts as builds
from harness import plugin
from harness.engines.qemu_machine import QemuMachine
from harness.guest.linux import Linux
from harness.image import Artifacts
from harness.machine import INTEL_X86
from harness.plugin.run import RUN
from harness.session import Lab, Variant
from harness.targets import Target
from harness.verbs import Jailhouse, JailhouseError

pytestmark = [
    pytest.mark.architectures("x86", reason="VT-d is Intel's"),
    pytest.mark.needs("msi", "disk", "network"),
]

CONFIG = "qemu-x86-vtd"
TRANSLATES, HAS_TABLE, HAS_QUEUE, REMAPS, HAS_ENTRIES = (1 << n for n in (31, 30, 26, 25, 24))


@pytest.fixture
def lab(
    request: pytest.FixtureRequest, target: Target, artifacts: Artifacts, folder: plugin.TestFolder
) -> Lab:
    """Machines with an IOMMU."""
    store = request.config.stash[RUN].lab(target).store
    machine = replace(INTEL_X86, tsc_khz=target.machine.tsc_khz)
    built = builds.with_hypervisor(artifacts, ["VTD"])
    return Lab(replace(target, machine=machine), lambda _: built, folder.path, "vtd", store=store)


@pytest.fixture
def verbs(lab: Lab) -> Iterator[Jailhouse]:
    with lab.booted(Variant()) as linux:
        verbs = Jailhouse(linux)
        verbs.load_module()
        yield verbs
        linux.check_consoles()


def status(linux: Linux) -> int:
    """The unit's, as QEMU sees it."""
    assert isinstance(linux.machine, QemuMachine)
    found = re.search(r": 0x([0-9a-f]{8})", linux.machine.monitor.human("xp /1wx 0xfed9001c"))
    assert found
    return int(found[1], 16)


def interrupts(linux: Linux) -> dict[str, int]:
    """What came so far, by the name of who asked for it."""
    found = {}
    for line in linux.succeed("cat /proc/interrupts").splitlines():
        number, *rest = line.split()
        counts = [int(word) for word in itertools.takewhile(str.isdigit, rest)]
        if number.rstrip(":").isdigit():
            found[rest[-1]] = sum(counts)
    return found


def devices_work(linux: Linux) -> None:
    """Disk and network card: DMA both ways, a message for each; the console by a pin."""
    before = interrupts(linux)
    linux.succeed("dd if=/dev/sda of=/dev/null bs=64k count=32 iflag=direct", 30)
    assert linux.ssh_run("echo over the network").output == "over the network\n"
    after = interrupts(linux)
    busy = {name for name in after if after[name] > before[name]}
    assert busy >= {"ahci[0000:00:1f.2]", "eth0-rx-0", "eth0-tx-0", "ttyS3"}


def test_linux_and_cells_on_a_remapped_machine(verbs: Jailhouse) -> None:
    """Twice; a cell with a pin, one with a device, both back."""
    linux = verbs.linux
    assert status(linux) == 0
    for _ in range(2):
        mark = verbs.uart.end
        verbs.enable(CONFIG)
        assert status(linux) & ~HAS_TABLE & ~HAS_ENTRIES == TRANSLATES | HAS_QUEUE | REMAPS
        devices_work(linux)
        enabled = verbs.pools()
        verbs.create("ioapic-demo")
        verbs.load("ioapic-demo", "ioapic-demo")
        verbs.start("ioapic-demo")
        verbs.uart.expect_lines("^ACPI IRQ received, status: [0-9a-f]{4}", 2, 30, mark)
        verbs.destroy_all()
        verbs.create("pci-demo")
        verbs.load("pci-demo", "pci-demo")
        verbs.start("pci-demo")
        verbs.uart.expect(r"^HDA MSI received \(STATESTS: [0-9a-f]{4}\)$", 20, mark)
        devices_work(linux)
        verbs.destroy_all()
        assert verbs.pools() == enabled
        devices_work(linux)
        verbs.disable()
        assert not status(linux) & (TRANSLATES | HAS_QUEUE | REMAPS)
        devices_work(linux)
        text = verbs.uart.text(mark)
        assert "Reserving 24 interrupt(s) for device ff:00.0 at index 0\n" in text
        assert text.count("interrupt(s) for device 00:1b.0 at index 29\n") == 5
        assert "VT-d fault event" not in text


def test_linux_that_remaps_is_refused(lab: Lab) -> None:
    """And goes on as it was."""
    with lab.booted(Variant(without=("intremap",))) as linux:
        verbs = Jailhouse(linux)
        verbs.load_module()
        assert status(linux) & REMAPS
        mark = verbs.uart.end
        with pytest.raises(JailhouseError) as refused:
            verbs.enable(CONFIG)
        assert refused.value.name == "EBUSY"
        assert "start it with intremap=off\n" in verbs.uart.text(mark)
        assert status(linux) & REMAPS
        devices_work(linux)
