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
from dataclasses import dataclass, replace

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
from harness.verbs import Jailhouse

pytestmark = [
    pytest.mark.architectures("x86", reason="VT-d is Intel's"),
    pytest.mark.needs("msi", "disk", "network"),
]

CONFIG = "qemu-x86-vtd"
TRANSLATES, HAS_TABLE, HAS_QUEUE, REMAPS, HAS_ENTRIES = (1 << n for n in (31, 30, 26, 25, 24))


@dataclass(frozen=True)
class Kind:
    """What is special about a machine."""

    iommu: str = ""
    parameters: tuple[str, ...] = ()
    cycles: int = 1


KINDS = {
    "ours": Kind(parameters=("intremap=off",)),
    # The second enable finds what the first one gave back.
    "linux-too": Kind(cycles=2),
    # Linux switches the APICs over where a unit can address them: logical ids are clusters.
    "x2apic": Kind(iommu=",eim=on"),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    assert isinstance(request.param, Kind)
    return request.param


@pytest.fixture
def verbs(
    request: pytest.FixtureRequest, target: Target, artifacts: Artifacts, folder: plugin.TestFolder,
    kind: Kind,
) -> Iterator[Jailhouse]:  # fmt: skip
    """On a machine with an IOMMU."""
    store = request.config.stash[RUN].lab(target).store
    iommu = f"{INTEL_X86.iommu}{kind.iommu}"
    machine = replace(INTEL_X86, tsc_khz=target.machine.tsc_khz, iommu=iommu)
    built = builds.with_hypervisor(artifacts, ["VTD"])
    lab = Lab(replace(target, machine=machine), lambda _: built, folder.path, "vtd", store=store)
    with lab.booted(Variant(parameters=kind.parameters)) as linux:
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


def test_linux_and_cells_on_a_remapped_machine(verbs: Jailhouse, kind: Kind) -> None:
    """A cell with a pin, one with a device, both back. Linux remaps interrupts, or not."""
    linux = verbs.linux
    before = status(linux)
    remaps = 0 if kind.parameters else HAS_QUEUE | REMAPS
    assert before & (TRANSLATES | HAS_QUEUE | REMAPS) == remaps
    for _ in range(kind.cycles):
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
        assert status(linux) & ~HAS_TABLE & ~HAS_ENTRIES == before & ~HAS_ENTRIES
        devices_work(linux)
        text = verbs.uart.text(mark)
        assert f"Using {'x2APIC' if kind.iommu else 'xAPIC'}\n" in text
        assert "Reserving 24 interrupt(s) for device ff:00.0 at index 0\n" in text
        assert text.count("interrupt(s) for device 00:1b.0 at index 29\n") == 5
        assert "VT-d fault event" not in text
