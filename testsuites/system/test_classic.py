# SPDX-License-Identifier: GPL-2.0-only
"""The classic set-up: the default reservation, and no devices besides the audio controller."""

from dataclasses import replace

import pytest

from harness import plugin
from harness.image import Artifacts
from harness.machine import Role
from harness.session import Lab, Variant
from harness.targets import Target
from harness.verbs import Jailhouse

pytestmark = pytest.mark.architectures("x86", reason="a set-up of older x86 users")


@pytest.mark.needs("msi")
def test_classic_machine(target: Target, artifacts: Artifacts, folder: plugin.TestFolder) -> None:
    """Its root configuration, apic-demo and pci-demo, whose BAR lies elsewhere there."""
    spec = target.machine
    ports = tuple(p for p in spec.serials if p.roles != (Role.INMATE_CONSOLE,))
    classic = replace(target, machine=replace(spec, nics=(), disks=(), serials=ports))
    lab = Lab(classic, lambda kernel: artifacts, folder.path, "classic")
    with lab.booted(Variant()) as linux:
        verbs = Jailhouse(linux)
        verbs.load_module()
        verbs.enable("qemu-x86-classic")
        verbs.create("apic-demo")
        verbs.load("apic-demo", "apic-demo")
        verbs.start("apic-demo")
        verbs.uart.expect_lines(r"^Timer fired, jitter: ", 5, 30)
        verbs.destroy_all()
        verbs.create("pci-demo-classic")
        verbs.load("pci-demo", "pci-demo")
        verbs.start("pci-demo")
        verbs.uart.expect(r"^HDBAR at 0x00000000febf8000$", 20)
        verbs.uart.expect(r"^HDA MSI received \(STATESTS: [0-9a-f]{4}\)$", 20)
        verbs.destroy_all()
        verbs.disable()
        assert linux.succeed("echo alive") == "alive\n"
