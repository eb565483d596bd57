# SPDX-License-Identifier: GPL-2.0-only
"""Machines, kernels and configurations of ARM that cannot be enabled: each is refused
by name, with what to do, and Linux goes on (decisions 4 and 5)."""

import errno
import re
from collections.abc import Callable

import pytest

from harness.guest.linux import Linux
from harness.targets import Target
from harness.verbs import Jailhouse, JailhouseError
from testsuites.checks import built_for, root_config
from testsuites.system.test_kernels import beside_linux

pytestmark = pytest.mark.architectures("arm64", reason="EL2, GIC and PSCI are ARM's")

#: Offsets in a system configuration (abi.md 1.15): platform_info.arm, CPU set
MAINTENANCE_IRQ, GIC_VERSION = 312, 313
CPU_SET = 488


def refused(verbs: Jailhouse, number: int, pattern: str, config: bytes = b"") -> None:
    """Enable fails with that errno and says why; Linux is whole."""
    linux = verbs.linux
    linux.succeed("dmesg -c >/dev/null")
    mark = verbs.uart.end
    linux.put(config or root_config(linux), "/tmp/refused.cell")
    with pytest.raises(JailhouseError) as error:
        verbs.enable("/tmp/refused.cell")
    assert error.value.errno == number, error.value
    said = linux.succeed("dmesg") + verbs.uart.text(mark)
    assert re.search(pattern, said), f"nothing like {pattern!r} in\n{said}"
    assert not verbs.enabled
    linux.check_health()


def module(linux: Linux) -> Jailhouse:
    verbs = Jailhouse(linux)
    verbs.load_module()
    return verbs


@pytest.mark.bug("A54")
def test_a54_linux_in_el2(fresh_linux: Callable[..., Linux], target: Target) -> None:
    """With VHE the kernel is where we must be; what the message advises works."""
    linux = fresh_linux(cpu="max")
    assert "Virtualization Host Extensions" in linux.succeed("dmesg")
    refused(module(linux), errno.ENODEV, r"jailhouse: .*VHE.*id_aa64mmfr1\.vh=0 kvm-arm\.mode=none")


@pytest.mark.bug("A54")
@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_a54_the_advice_for_vhe_works(
    fresh_linux: Callable[..., Linux], target: Target, kernel: str
) -> None:
    """The target's kernels have kvm-arm.mode=none anyway."""
    linux = fresh_linux(
        artifacts=built_for(kernel, target), kernel=kernel, cpu="max",
        parameters=("id_aa64mmfr1.vh=0",),
    )  # fmt: skip
    beside_linux(linux, target)


@pytest.mark.bug("A54")
def test_a54_linux_started_in_el1(fresh_linux: Callable[..., Linux], target: Target) -> None:
    """No EL2 at all: nothing is called that is not there."""
    board = target.machine.machine.replace("virtualization=on", "virtualization=off")
    linux = fresh_linux(board=board)
    assert "All CPU(s) started at EL1" in linux.succeed("dmesg")
    refused(module(linux), errno.ENODEV, "jailhouse: HYP mode not available")


#: What is in the configuration instead -> errno and what is said.
GICS = {
    "unknown version": ((GIC_VERSION, 4), errno.EINVAL, r"refused: \.gic_version is not 2 or 3"),
    "no version": ((GIC_VERSION, 0), errno.EINVAL, r"refused: \.gic_version is not 2 or 3"),
    "maintenance interrupt": ((MAINTENANCE_IRQ, 33), errno.EINVAL, r"ERROR: \.maintenance_irq 33 is not a PPI"),
}


@pytest.mark.bug("A1")
@pytest.mark.parametrize("case", GICS)
def test_a1_unknown_gic(verbs: Jailhouse, target: Target, case: str) -> None:
    """Wrong GIC in the configuration: refused, and the good one is enabled afterwards."""
    (offset, value), number, pattern = GICS[case]
    config = bytearray(root_config(verbs.linux))
    assert config[GIC_VERSION] in (2, 3)
    config[offset] = value
    refused(verbs, number, pattern, bytes(config))
    verbs.enable(target.root_config)
    verbs.disable()


@pytest.mark.bug("A1")
def test_a1_the_other_gic(verbs: Jailhouse, target: Target) -> None:
    config = bytearray(root_config(verbs.linux))
    config[GIC_VERSION] ^= 1
    refused(verbs, errno.ENODEV, r"ERROR: (no GICv2 at|these CPUs have no GICv3)", bytes(config))
    verbs.enable(target.root_config)
    verbs.disable()


def test_one_cpu(fresh_linux: Callable[..., Linux], target: Target) -> None:
    """On a GICv2 with one interface the target registers read zero (IHI 0048, 4.3.12)."""
    linux = fresh_linux(cpus=1)
    verbs = module(linux)
    config = bytearray(root_config(linux))
    config[CPU_SET] = 1
    linux.put(bytes(config), "/tmp/one.cell")
    for _ in range(3):
        verbs.enable("/tmp/one.cell")
        assert verbs.cell(0).cpus == "0"
        # An SGI to itself: irq_work, by which printk wakes the console's reader.
        linux.succeed("echo one CPU >/dev/kmsg; sleep 0.2")
        assert linux.ssh_run("echo over").output == "over\n"
        verbs.disable()
    linux.check_health()
