# SPDX-License-Identifier: GPL-2.0-only
"""Unpatched distribution kernels, with and without address randomisation and
page-table isolation; and KVM, which wants the same hardware."""

import errno
import re
from collections.abc import Callable

import pytest

from harness.guest.linux import Linux
from harness.targets import Target
from harness.verbs import Jailhouse, JailhouseError
from testsuites.checks import built_for

TICKS = 5


def beside_linux(linux: Linux, target: Target) -> None:
    """Enable, the timer demo, five ticks, destroy, disable."""
    timer = target.programs.timer.name
    verbs = Jailhouse(linux)
    verbs.load_module()
    verbs.enable(target.root_config)
    before = verbs.pools()
    mark = verbs.uart.end
    verbs.create(timer)
    verbs.load(timer, timer)
    verbs.start(timer)
    verbs.uart.expect_lines("^Timer fired", TICKS, 20, mark)
    verbs.destroy_all()
    assert verbs.pools() == before
    verbs.disable()
    linux.check_health()


x86 = pytest.mark.architectures("x86", reason="about x86 page tables or KVM on x86")
#: The module of KVM that wants the same extension.
KVM = {"svm": "kvm_amd", "vmx": "kvm_intel"}


@pytest.mark.needs("random-addresses")
@pytest.mark.parametrize(
    "parameters", [(), pytest.param(("pti=on",), marks=x86)], ids=["kaslr", "kaslr-pti"]
)
@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_randomised(
    fresh_linux: Callable[..., Linux], target: Target, kernel: str, parameters: tuple[str, ...]
) -> None:
    linux = fresh_linux(
        artifacts=built_for(kernel, target), kernel=kernel, parameters=parameters, without=("nokaslr",)
    )
    assert linux.release.startswith(kernel)
    assert "nokaslr" not in linux.succeed("cat /proc/cmdline")
    log = linux.succeed("dmesg")
    if target.architecture == "x86":
        assert ("page tables isolation: enabled" in log) == ("pti=on" in parameters)
    else:
        assert "KASLR enabled" in log
    beside_linux(linux, target)


@pytest.mark.needs("vmx")
@x86
def test_mitigations(fresh_linux: Callable[..., Linux], target: Target) -> None:
    """With all that Linux does against speculation, and page tables of the kernel's own:
    CR3, PCIDs and the entry code are others. On AMD `test_randomised` has that."""
    linux = fresh_linux(parameters=("pti=on",), without=("mitigations",))
    assert "mitigations" not in linux.succeed("cat /proc/cmdline")
    assert "page tables isolation: enabled" in linux.succeed("dmesg")
    beside_linux(linux, target)


@x86
def test_6_1(fresh_linux: Callable[..., Linux], target: Target) -> None:
    """Without randomisation; a loaded KVM does no harm as long as no machine runs."""
    linux = fresh_linux(artifacts=built_for("6.1", target), kernel="6.1")
    assert linux.release.startswith("6.1.")
    linux.succeed(f"modprobe {KVM[target.extension]}", 60)
    beside_linux(linux, target)


@pytest.mark.architectures("arm64", reason="KVM on ARM is built into the kernel")
def test_active_kvm_is_refused_by_name(fresh_linux: Callable[..., Linux], target: Target) -> None:
    """6.12 leaves KVM's vectors in EL2: entering it would be a crash (decision 4)."""
    linux = fresh_linux(
        artifacts=built_for("6.12", target), kernel="6.12", without=("kvm-arm.mode",)
    )
    verbs = Jailhouse(linux)
    verbs.load_module()
    with pytest.raises(JailhouseError) as refused:
        verbs.enable(target.root_config)
    assert refused.value.errno == errno.ENODEV
    log = linux.succeed("dmesg | tail -n 20")
    assert re.search(r"jailhouse: .*in use by KVM: boot with kvm-arm\.mode=none", log), log
    assert not verbs.enabled
    linux.check_health()


@x86
def test_6_12_and_kvm(fresh_linux: Callable[..., Linux], target: Target) -> None:
    """6.12's KVM takes virtualisation at load: refused by name until it is unloaded."""
    linux = fresh_linux(artifacts=built_for("6.12", target), kernel="6.12")
    verbs = Jailhouse(linux)
    verbs.load_module()
    linux.succeed(f"modprobe {KVM[target.extension]}", 60)
    with pytest.raises(JailhouseError) as refused:
        verbs.enable(target.root_config)
    assert refused.value.errno == errno.EBUSY
    log = linux.succeed("dmesg | tail -n 20")
    assert re.search(rf"jailhouse: .*{KVM[target.extension]}", log), log
    assert "kvm.enable_virt_at_load=0" in log
    told = linux.run(f"jailhouse enable /usr/share/jailhouse/configs/{target.root_config}.cell")
    assert told.status == 1
    assert "JAILHOUSE_ENABLE: Device or resource busy" in told.output
    assert "kvm.enable_virt_at_load=0" in told.output
    linux.succeed(f"modprobe -r {KVM[target.extension]}", 60)
    beside_linux(linux, target)
